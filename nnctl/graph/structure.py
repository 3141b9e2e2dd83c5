"""Facts of a net that are known without running it."""

from __future__ import annotations

from nnctl.components.base import Regularizer
from nnctl.graph import interface
from nnctl.graph.arrays import LayerState, Parameter
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.layers import BuiltLayer, BuiltNet
from nnctl.graph.penalties import regularizer_of
from nnctl.late import dataclass
from nnctl.ops.shapes import Shape
from nnctl.spec.document import Spec


@dataclass(frozen=True, eq=False)
class Structure:
    """The arrays and the layers of a net, by name, in the order of the layers.

    parameters: every trained array, frozen ones included. states: what layers keep from step to step.
    optimizer_state: what the update rule keeps of each parameter that is trained: the parameter,
    whose shape it has, and its first value. regularizers: of the parameters that have one.
    known_indices: number of different indices that a layer knows, of those that read some.
    positions: numbers of each example that a layer takes statistics of, of those that take them over a batch.
    """

    layers: tuple[BuiltLayer, ...]
    parameters: dict[str, Parameter]
    states: dict[str, LayerState]
    optimizer_state: dict[str, tuple[Parameter, float]]
    regularizers: dict[str, Regularizer]
    known_indices: dict[str, int]
    positions: dict[str, int]

    @property
    def recurrent_states(self) -> dict[str, LayerState]:
        """States with an entry for each example of a batch: where sequences resume."""
        return {name: state for name, state in self.states.items() if state.value.batched}

    @property
    def needing_batches(self) -> list[str]:
        """Layers whose statistics of a batch of one example would be of one number."""
        return [layer for layer, positions in self.positions.items() if positions == 1]

    @property
    def penalized(self) -> bool:
        """True where the objective has a penalty beside the cost."""
        return any(regularizer.penalizes for regularizer in self.regularizers.values())

    @property
    def output_shape(self) -> Shape:
        """Shape (batch, …) of the net's output."""
        return self.layers[-1].output_shape


def structure_of(spec: Spec, net: BuiltNet) -> Structure:
    """The facts of a settled spec's net.

    net: as it trains, where every layer that has a state keeps it.
    """
    builder = net.builder
    parameters = builder.parameters
    regularizers = {name: regularizer_of(spec, parameter) for name, parameter in parameters.items()}
    return Structure(
        layers=net.layers,
        parameters=parameters,
        states=builder.states,
        optimizer_state={
            interface.optimizer_state(array, name): (parameter, first)
            for name, parameter in parameters.items()
            if not parameter.frozen
            for array, first in spec.optimizer.state()
        },
        regularizers={name: regularizer for name, regularizer in regularizers.items() if regularizer is not None},
        known_indices=_known_indices(builder),
        positions=builder.positions,
    )


def _known_indices(builder: GraphBuilder) -> dict[str, int]:
    known: dict[str, int] = {}
    for node in builder.nodes:
        if node.op.name == "one_hot":
            known[node.layer] = node.attributes["classes"]
        elif node.op.name == "lookup" and isinstance(rows := node.inputs[0].shape[0], int):
            known[node.layer] = rows
    return known
