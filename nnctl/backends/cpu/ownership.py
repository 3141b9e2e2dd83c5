"""Launches of which each thread makes what belongs to its half: of a first layer's weights, or of sums for weights.

A thread then needs nothing of the others from the choice of the batch to the sums of its half, and what it changes of
the weights no other thread reads. Its columns of the examples lie together, so that no core asks for the other's, not
even ahead of their use.
"""

from __future__ import annotations

from nnctl.backends.cpu.rewriting.gradients import HALF_GRADIENTS
from nnctl.backends.cpu.rewriting.halves import HALF_PRODUCTS, gradient_of
from nnctl.graph.ir import Graph, Node
from nnctl.graph.views import view_sources


def owning_nodes(graph: Graph) -> set[Node]:
    """The products in halves of a graph, the updates of their weights, and what makes their examples; and gradients in
    halves, each the sums over half of the positions."""
    products = [node for node in graph.nodes if node.op is HALF_PRODUCTS]
    producers, source = graph.producers, view_sources(graph)
    weights = [node.inputs[1] for node in products]
    updates = {producers[graph.updates[weight]] for weight in weights}
    changing = {node for weight in weights if (node := gradient_of(graph, weight)) is not None}
    examples = {producers[source.get(node.inputs[0], node.inputs[0])] for node in products}
    gradients = [node for node in graph.nodes if node.op is HALF_GRADIENTS]
    return {*products, *updates, *changing, *examples, *gradients}
