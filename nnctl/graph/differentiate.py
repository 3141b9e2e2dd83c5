"""Reverse-mode differentiation: the equations of backpropagation, from the rules of the op table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nnctl.graph.ir import Node, Value

if TYPE_CHECKING:
    from nnctl.graph.builder import GraphBuilder
    from nnctl.graph.tensor import Tensor


def differentiate(builder: GraphBuilder, objective: Tensor, wrt: Sequence[Tensor]) -> list[Tensor | None]:
    """∂objective/∂w for each w in `wrt`, as new nodes of the builder; None where it is 0 by structure.

    objective: a scalar, shape (). Only nodes on a path from `wrt` to the
    objective are visited, so the gradient of the data is never computed.
    Gradients of a value read several times are summed in the reverse order of reading.
    """
    if objective.shape != ():
        raise ValueError(f"the objective must be a scalar, got {objective!r}")
    path = _path(builder.nodes, {t.value for t in wrt}, objective.value)
    nodes = [node for node in builder.nodes if not path.isdisjoint(node.outputs)]
    gradients: dict[Value, Tensor] = {}
    if objective.value in path:
        gradients[objective.value] = builder.apply("size", shape=())
    with builder.differentiating(path), builder.on_behalf_of(builder.layer):
        for node in reversed(nodes):
            of_outputs = [gradients.get(o) for o in node.outputs]
            if of_outputs.count(None) == len(of_outputs):
                continue
            builder.layer = node.layer
            of_inputs = node.op.gradients(
                builder,
                of_outputs,
                [builder.tensor(o) for o in node.outputs],
                [builder.tensor(i) for i in node.inputs],
                node.attributes,
            )
            for value, gradient in zip(node.inputs, of_inputs, strict=True):
                if gradient is None or value not in path:
                    continue
                earlier = gradients.get(value)
                gradients[value] = gradient if earlier is None else earlier + gradient
    _name(gradients)
    return [gradients.get(t.value) for t in wrt]


def _name(gradients: Mapping[Value, Tensor]) -> None:
    """Each gradient is called ∂C/∂<value>; one that serves several values is named after the deepest."""
    for value, gradient in gradients.items():
        own = gradient.value
        if own.role == "computed" and not own.name.startswith("∂"):
            own.name = f"∂C/∂{value.name}"


def _path(nodes: Sequence[Node], sources: set[Value], objective: Value) -> set[Value]:
    """Values that depend on a source and that the objective depends on."""
    dependent = set(sources)
    for node in nodes:
        if not dependent.isdisjoint(node.inputs):
            dependent.update(node.outputs)
    needed = {objective}
    for node in reversed(nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
    return dependent & needed
