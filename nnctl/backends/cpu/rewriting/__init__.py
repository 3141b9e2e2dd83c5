"""A graph before it is lowered to launches of this backend: fewer ways through memory, and work that can be divided."""

from __future__ import annotations

from nnctl.backends.cpu.rewriting.joining import joined
from nnctl.backends.cpu.rewriting.kernel_gradients import kernels_by_example
from nnctl.backends.cpu.rewriting.likelihoods import scored_once
from nnctl.backends.cpu.rewriting.pooling_gradients import places_found_again
from nnctl.backends.cpu.rewriting.recomputation import recomputed
from nnctl.backends.cpu.rewriting.sums_by_example import summed_by_example
from nnctl.graph.ir import Graph
from nnctl.graph.passes import drop_dead


def rewritten(graph: Graph) -> Graph:
    """The graph of the same results as this backend runs it."""
    return graph.once("rewritten", lambda: _rewritten(graph))


def _rewritten(graph: Graph) -> Graph:
    fewer_ways = kernels_by_example(places_found_again(scored_once(graph)))
    return joined(drop_dead(recomputed(summed_by_example(fewer_ways))))
