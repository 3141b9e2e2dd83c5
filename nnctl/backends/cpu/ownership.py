"""Weights that a thread can own: the products that read or change them are divided by their columns.

Divided by examples and by rows, a weight's new value is made on one core and read on all in each step. Where
the products with it are divided by its columns instead, a column stays with its core, and the batch's examples
travel. Only weights that nothing else reads can be owned: those of a first layer, whose inputs have no gradient,
under an update that is part of the product.
"""

from __future__ import annotations

from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.views import view_sources


def owning_nodes(graph: Graph) -> set[Node]:
    """The products of a graph that may be divided by columns."""
    readers = graph.readers()
    source = view_sources(graph)
    viewed = {root for view, root in source.items() if view is not root}
    producers = graph.producers()
    found: set[Node] = set()
    for old, new in graph.updates.items():
        update = producers.get(new)
        reading = [node for node in readers.get(old, []) if node is not update]
        if update is None or not _changes(update, old) or old in viewed or not reading:
            continue
        if all(_multiplies(node, old) for node in reading):
            found.update([update, *reading])
    return found


def _changes(node: Node, weight: Value) -> bool:
    return node.op.name == "accumulate_product" and node.inputs[0] is weight and len(weight.shape) == 2


def _multiplies(node: Node, weight: Value) -> bool:
    """True for a product of examples with the weight as it lies."""
    if node.op.name != "matmul" or any(node.attributes.get(name) for name in ("transpose_a", "transpose_b")):
        return False
    a, b = node.inputs
    return b is weight and a is not weight and node.outputs[0].batched
