"""Gradients of max pooling that find the largest of each window again: its place is never stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnctl.graph.ir import Graph, Node
from nnctl.ops import OPS
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.pooling import maximum_place, put_into_windows
from nnctl.ops.shapes import TensorType
from nnctl.ops.table import Sample, StructuredOp


def _gradient(xp: Any, g: Any, x: Any, *, lengths: Any, **window: Any) -> Any:
    """Each number of g added where the largest element of its window of x is, the first of several."""
    return put_into_windows(xp, g, maximum_place(xp, x, **window), lengths=lengths, **window)


def _sample(rng: Any) -> Sample:
    (x,), window = OPS["max_pool"].sample(rng)
    positions = OPS["max_pool"].run(numpy_namespace(), [x], window)[0].shape
    return [rng.standard_normal(positions), x], {**window, "lengths": x.shape[1:-1]}


MAX_POOL_GRADIENT = StructuredOp(
    "max_pool_gradient",
    type_rule=lambda g, x, **_: TensorType(x.shape),
    body=_gradient,
    derivative=None,
    cost=lambda g, x, **window: OPS["put_into_windows"].flops([g, g], [x], window),
    sample=_sample,
)


def places_found_again(graph: Graph) -> Graph:
    """The graph in which a gradient reads what was pooled, where nothing else reads the places."""
    if not any(node.op.name == "put_into_windows" for node in graph.nodes):
        return graph
    producers, readers = graph.producers, graph.readers

    def again(node: Node) -> Node:
        place = producers.get(node.inputs[1]) if node.op.name == "put_into_windows" else None
        if place is None or place.op.name != "maximum_place" or len(readers[place.outputs[0]]) > 1:
            return node
        attributes: Mapping[str, Any] = node.attributes
        return Node(MAX_POOL_GRADIENT, (node.inputs[0], place.inputs[0]), node.outputs, attributes, node.layer)

    return graph.rebuilt(map(again, graph.nodes))
