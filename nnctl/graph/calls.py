"""Calls of layers: every layer of a net, nested ones included, with what it reads and gives."""

from __future__ import annotations

from typing import Any

from nnctl.components.base import Layer
from nnctl.components.signature import DataSignature
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Value
from nnctl.graph.layers import build_layers
from nnctl.late import dataclass
from nnctl.spec.document import Spec


@dataclass(frozen=True, eq=False)
class LayerCall:
    """A layer at work outside of training. path: what its arrays' names begin with.

    inputs, output: values of one graph, (batch, …): a layer that changes nothing, as dropout, gives the value it reads.
    arrays: names of its parameters and of the states that it keeps, without the path.
    """

    path: str
    layer: Layer
    inputs: tuple[Value, ...]
    output: Value
    arrays: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its arrays in the net."""
        return tuple(f"{self.path}.{name}" for name in self.arrays)


def layer_calls(spec: Spec, signature: DataSignature) -> list[LayerCall]:
    """The calls of a settled spec's layers as they end; layers within a layer come before it.

    The vectors of embedded columns are the first. Raises ShapeError where layers do not fit.
    """
    words = signature.vocabulary
    recorder = _Recorder(
        "calls",
        convention=spec.convention,
        vocabulary=None if words is None else len(words),
        label_axes=signature.label_axes,
    )
    build_layers(recorder, spec, signature)
    return recorder.calls


class _Recorder(GraphBuilder):
    """A builder that notes the layers it builds."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.calls: list[LayerCall] = []

    def build_here(self, layer: Layer, *inputs: Any) -> Any:
        output = super().build_here(layer, *inputs)
        begin, taken = f"{self.layer}.", {name for call in self.calls for name in call.names}
        own = [n for n in (*self.parameters, *self.states) if n.startswith(begin) and n not in taken]
        values = tuple(x.value for x in inputs)
        names = tuple(n.removeprefix(begin) for n in own)
        self.calls.append(LayerCall(self.layer, layer, values, output.value, names))
        return output
