"""Softmax and the log-likelihood of the same scores: their exponentials are computed once."""

from __future__ import annotations

from typing import Any

from nnctl.graph.ir import Graph, Node
from nnctl.ops import OPS
from nnctl.ops.shapes import TensorType
from nnctl.ops.table import Sample, StructuredOp


def _both(xp: Any, z: Any, labels: Any) -> tuple[Any, Any]:
    """softmax(z), and ln Σ_k e^(z_k) − z_y."""
    (a,) = OPS["softmax"].run(xp, [z], {})
    (cost,) = OPS["softmax_log_likelihood"].run(xp, [z, labels], {})
    return a, cost


def _types(z: TensorType, labels: TensorType) -> tuple[TensorType, TensorType]:
    return z, TensorType(labels.shape)


def _sample(rng: Any) -> Sample:
    inputs, _ = OPS["softmax_log_likelihood"].sample(rng)
    return inputs, {}


SOFTMAX_AND_LIKELIHOOD = StructuredOp(
    "softmax_and_likelihood",
    type_rule=_types,
    body=_both,
    derivative=None,
    cost=lambda z, labels: OPS["softmax"].flops([z], [z], {}),
    sample=_sample,
)


def scored_once(graph: Graph) -> Graph:
    """The graph in which a plain log-likelihood is made with the softmax that the way back reads."""
    softmax = {node.inputs[0]: node for node in graph.nodes if node.op.name == "softmax"}
    if not softmax:
        return graph
    position = {node: number for number, node in enumerate(graph.nodes)}
    made: dict[Node, Node] = {}
    """The node that stands in for the later of two."""
    gone: set[Node] = set()
    for node in graph.nodes:
        other = softmax.get(node.inputs[0]) if node.op.name == "softmax_log_likelihood" else None
        if other is None or other in gone or other in made or any(node.attributes.values()):
            continue
        first, last = sorted((node, other), key=position.__getitem__)
        if all(position[reader] > position[last] for reader in graph.readers.get(first.outputs[0], ())):
            outputs = (other.outputs[0], node.outputs[0])
            made[last] = Node(SOFTMAX_AND_LIKELIHOOD, node.inputs, outputs, {}, other.layer)
            gone.add(first)
    return graph.rebuilt(made.get(node, node) for node in graph.nodes if node not in gone)
