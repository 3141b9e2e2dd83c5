"""A net on its first batch: is its cost that of a guess, and do numbers keep their size through the layers?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.analysis import remedies
from nnctl.analysis.remedies import Finding
from nnctl.components.base import ElementwiseActivation
from nnctl.data.dataset import Dataset
from nnctl.engine.initial import initial_state
from nnctl.engine.memory import require_for_training
from nnctl.engine.target_arrays import target_arrays
from nnctl.graph import interface
from nnctl.graph.evaluate import evaluate
from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.network import Network
from nnctl.graph.watching import SATURATED
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.shapes import resolve
from nnctl.spec.document import Spec

Array = NDArray[Any]

_BATCH = 256
"""Examples looked at: enough that a unit which is off for all of them is likely off for good."""
_FAR = 1.5
"""An initial cost so many times that of a guess says that the first weights are too large."""
_LEAP = 10.0
"""A first step so many times the weights' size leaves nothing of them; those of large rates that learn are near it."""


@dataclass(frozen=True)
class LayerHealth:
    """One layer with weights, on the first batch.

    activation: root mean square of its output. gradient: the same of ∂C/∂ its weights;
    ratio: that divided by the weights' own. step: the same of what the first step at the full rate changes
    of the weights, divided by their own. dead: share of units whose activation has slope 0 for every
    example; saturated: share of the other values whose slope is under 5% of the activation's
    largest. None where there is nothing of the kind.
    """

    layer: str
    activation: float | None
    gradient: float | None
    ratio: float | None
    step: float | None
    dead: float | None
    saturated: float | None


@dataclass(frozen=True)
class Diagnosis:
    """cost: before the first step. expected: of an even guess among the classes, None where the cost has none.

    rate: the optimizer's learning rate, None where it has none.
    """

    examples: int
    cost: float
    expected: float | None
    layers: tuple[LayerHealth, ...]
    of_data: tuple[Finding, ...] = ()
    rate: float | None = None

    @property
    def findings(self) -> list[Finding]:
        """The warnings that are worth a line, each with its remedy; those on the data first, for others follow."""
        found = list(self.of_data)
        if self.expected is not None and self.cost > _FAR * self.expected:
            found.append(
                Finding(
                    f"the initial cost is {self.cost:.3g}, an even guess costs {self.expected:.3g}: "
                    "the first weights are too large, or the inputs are not standardized",
                    "data.transforms: [standardize], or an initializer that suits the activation, as he_normal "
                    "does relu and glorot_normal tanh",
                )
            )
        gradients = [(s.gradient, s.layer) for s in self.layers if s.gradient]
        if gradients and min(gradients)[0] < 1e-3 * max(gradients)[0]:
            (small, low), (large, high) = min(gradients), max(gradients)
            found.append(
                Finding(
                    f"gradients span {large / small:.0e} from {low} to {high}: they vanish or explode with depth",
                    "relu with initializer: he_normal, batch_norm between the layers, or residual layers; "
                    "where they explode, optimizer.clip",
                )
            )
        for state in self.layers:
            if state.dead is not None and state.dead > 0.5:
                found.append(
                    Finding(
                        f"{state.dead:.0%} of the units of {state.layer} are dead: no example moves them",
                        "leaky_relu or elu, smaller first biases, or standardized inputs",
                    )
                )
            if state.saturated is not None and state.saturated > 0.5:
                found.append(
                    Finding(
                        f"{state.saturated:.0%} of the values of {state.layer} are saturated",
                        "smaller first weights, as glorot_normal draws them, or standardized inputs",
                    )
                )
        steps = [(s.step, s.layer) for s in self.layers if s.step is not None]
        if steps and max(steps)[0] > _LEAP and self.rate is not None:
            step, layer = max(steps)
            found.append(
                Finding(
                    f"the first step changes the weights of {layer} by {step:,.0f} times their size",
                    remedies.of_rate(self.rate),
                )
            )
        return found


def diagnose(spec: Spec, data: Dataset, seed: int) -> Diagnosis:
    """Run one training step's graph in float64 on some examples of the training set, and its first update."""
    network = Network(spec, data.signature)
    count = min(_BATCH, len(data.train))
    require_for_training(network, count, count)
    graph = network.unfused_training_step
    given = _storage(network, data, seed, count) | _feeds(spec, count)
    values = {c.value: c.array for c in evaluate(graph, given, interface.sizes(count, count))}
    of_name = {value.name: array for value, array in values.items()}
    cost = values[graph.outputs[interface.COST]]
    states = [_state(layer, graph, values, of_name) for layer in _layers(network)]
    classes = data.signature.classes
    units = resolve(network.structure.output_shape[-1], {})
    guess = None if classes is None else spec.cost.of_even_guess(len(classes), units)
    rate = spec.optimizer.rates().get("learning_rate")
    return Diagnosis(count, float(cost), guess, tuple(states), tuple(remedies.of_data(data)), rate)


def _layers(network: Network) -> list[str]:
    return list(dict.fromkeys(p.layer for p in network.structure.parameters.values() if p.kind == "weight"))


def _state(layer: str, graph: Graph, values: Mapping[Value, Array], of_name: Mapping[str, Array]) -> LayerHealth:
    weights = [name for name in of_name if name.startswith(f"{layer}.weight") and f"∂C/∂{name}" in of_name]
    gradient = _size(np.concatenate([of_name[f"∂C/∂{n}"].reshape(-1) for n in weights])) if weights else None
    weight = _size(np.concatenate([of_name[n].reshape(-1) for n in weights])) if weights else 0.0
    ratio = gradient / weight if gradient is not None and weight > 0.0 else None
    changes = [values[new] - of_name[old.name] for old, new in graph.updates.items() if old.name in weights]
    step = (
        _size(np.concatenate([change.reshape(-1) for change in changes])) / weight if changes and weight > 0.0 else None
    )
    forward = graph.nodes[: _after_cost(graph)]
    own = [node for node in forward if node.layer == layer and node.outputs[0] in values]
    activation = _size(values[own[-1].outputs[0]]) if own else None
    slopes = next((found for node in reversed(own) if (found := _slopes(node, values)) is not None), None)
    if slopes is None:
        return LayerHealth(layer, activation, gradient, ratio, step, None, None)
    slope, largest = slopes
    off = np.all(slope == 0.0, axis=0)
    graded = slope[slope != 0.0]
    saturated = float(np.mean(graded < SATURATED * largest)) if graded.size else None
    return LayerHealth(layer, activation, gradient, ratio, step, float(np.mean(off)), saturated)


def _slopes(node: Node, values: Mapping[Value, Array]) -> tuple[Array, float] | None:
    """|f'(z)| of each value that an activation gives, and the largest that it has anywhere near 0."""
    component = node.op.component if isinstance(node.op, ElementwiseOp) else None
    if not isinstance(component, ElementwiseActivation):
        return None
    xp = numpy_namespace()
    z = values[node.inputs[0]]
    around = np.linspace(-5.0, 5.0, 1001)
    slope, near = (np.abs(component.derivative(xp, x, component.body(xp, x))) for x in (z, around))
    return np.broadcast_to(slope, z.shape), float(np.max(near))


def _size(array: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(np.asarray(array, float)))))


def _after_cost(graph: Graph) -> int:
    """Number of nodes up to the cost."""
    return 1 + next(i for i, node in enumerate(graph.nodes) if graph.outputs[interface.COST] in node.outputs)


def _feeds(spec: Spec, count: int) -> dict[str, Any]:
    """The first batch at the first step, at the rates that a schedule starts from."""
    return {interface.INDEX: np.arange(count), interface.STEP: 0, **spec.optimizer.rates()}


def _storage(network: Network, data: Dataset, seed: int, count: int) -> dict[str, Any]:
    rows = np.random.default_rng(seed).permutation(len(data.train))[:count]
    stored: dict[str, Any] = dict(initial_state(network, seed, count))
    weights = None if data.train.weights is None else data.train.weights[rows]
    stored |= {interface.INPUTS: data.train.inputs[rows]}
    stored |= target_arrays(network.signature, data.train.targets[rows], weights)
    stored |= {interface.of_data(name): array for name, array in data.statistics.items()}
    return stored | {interface.EXAMPLES: float(len(data.train)), interface.SEED: np.array(interface.seed_words(seed))}
