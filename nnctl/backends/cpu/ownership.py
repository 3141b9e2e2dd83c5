"""Launches of which each thread makes what belongs to its half of a first layer's weights.

A thread then needs nothing of the others from the choice of the batch to the sums of its half, and what it changes of
the weights no other thread reads.
"""

from __future__ import annotations

from nnctl.backends.codegen.inlining import inlined_nodes
from nnctl.backends.cpu.rewriting.halves import HALF_PRODUCTS
from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.views import view_sources
from nnctl.ops.elementwise import ElementwiseOp


def owning_nodes(graph: Graph) -> set[Node]:
    """The products in halves of a graph, the updates of their weights, and what makes their examples for them alone."""
    products = [node for node in graph.nodes if node.op is HALF_PRODUCTS]
    producers = graph.producers()
    found = {*products, *(producers[graph.updates[node.inputs[1]]] for node in products)}
    source, inlined = view_sources(graph), inlined_nodes(graph)
    for node in products:
        examples = node.inputs[0]
        root = source.get(examples, examples)
        producer = producers.get(root)
        if producer is not None and _has_columns(producer, examples, producers, inlined):
            views = {root, *(view for view, of in source.items() if of is root)}
            reading = {n for n in graph.nodes if not views.isdisjoint(n.inputs)} - {producers.get(v) for v in views}
            if reading <= found and views.isdisjoint(graph.results):
                found.add(producer)
    return found


def _has_columns(node: Node, examples: Value, producers: dict[Value, Node], inlined: set[Node]) -> bool:
    """True for a formula of examples that can be made column by column: each input has all of them, or one for all."""
    made = node.outputs[0]
    if not isinstance(node.op, ElementwiseOp) or made.shape[0] != examples.shape[0] or len(node.outputs) > 1:
        return False
    for value in node.inputs:
        source = producers.get(value)
        while source is not None and source in inlined:
            if source.op.name not in ("gather", "cast"):
                return False
            source = producers.get(source.inputs[0])
        inner = value.shape[1:] if value.batched else value.shape
        if any(n != 1 for n in inner) and inner != made.shape[1:]:
            return False
    return True
