"""A graph before it is lowered to launches of this backend: fewer ways through memory, and work that can be divided."""

from __future__ import annotations

from nnctl.backends.codegen.relu_masks import masked_by_results
from nnctl.backends.cpu.rewriting.joining import joined
from nnctl.backends.cpu.rewriting.kernel_gradients import kernels_by_example
from nnctl.backends.cpu.rewriting.likelihoods import scored_once
from nnctl.backends.cpu.rewriting.pooling_gradients import places_found_again
from nnctl.backends.cpu.rewriting.recomputation import recomputed
from nnctl.backends.cpu.rewriting.sums_by_example import summed_by_example
from nnctl.graph.fusion import fuse_elementwise
from nnctl.graph.ir import Graph, Node
from nnctl.graph.passes import drop_dead
from nnctl.ops.elementwise import ElementwiseOp


def rewritten(graph: Graph) -> Graph:
    """The graph of the same results as this backend runs it."""
    return graph.once("rewritten", lambda: _rewritten(graph))


def _rewritten(graph: Graph) -> Graph:
    fewer_ways = kernels_by_example(places_found_again(scored_once(_relus_with_sums(graph))))
    return joined(drop_dead(recomputed(summed_by_example(fewer_ways))))


def _relus_with_sums(graph: Graph) -> Graph:
    """The graph in which relus of rows are parts of the formulas that make what they read. Of images and sequences
    that is made again on the way back, which is cheaper than reading another array."""
    masked = masked_by_results(graph, _makes_rows)
    return graph if masked is graph else fuse_elementwise(masked)


def _makes_rows(node: Node) -> bool:
    return isinstance(node.op, ElementwiseOp) and len(node.outputs[0].shape) < 3
