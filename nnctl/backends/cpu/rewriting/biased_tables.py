"""Rows of a table with a bias: it is added to the table, where that has fewer rows than are looked up."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.shapes import TensorType, resolve

_TIMES = 4
"""Times as many numbers are looked up as the table has, at least: threads wait for the table."""


def biased_tables(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph in which a vector that all rows that are looked up get is added to the table. Bits are the same."""
    readers, results = graph.readers, set(graph.results)
    before: dict[Node, tuple[Node, ...]] = {}
    """Nodes by the lookup that they stand in for."""
    gone: set[Node] = set()
    for lookup in graph.nodes:
        if lookup.op.name != "lookup":
            continue
        (made,), (table, index) = lookup.outputs, lookup.inputs
        reading = readers.get(made, ())
        if len(reading) != 1 or made in results or not _is_small(table, made, sizes):
            continue
        (sum_of_both,) = reading
        others = [value.shape for value in sum_of_both.inputs if value is not made]
        if sum_of_both.op.name != "add" or len(sum_of_both.inputs) != 2 or others != [made.shape[1:]]:
            continue
        biased = Value(f"{table.name}.biased", TensorType(table.shape))
        inputs = tuple(table if value is made else value for value in sum_of_both.inputs)
        # In the place of the sum: the bias may be made behind the lookup.
        before[sum_of_both] = (
            Node(sum_of_both.op, inputs, (biased,), sum_of_both.attributes, sum_of_both.layer),
            Node(lookup.op, (biased, index), sum_of_both.outputs, lookup.attributes, lookup.layer),
        )
        gone.add(lookup)
    return graph.rebuilt(new for node in graph.nodes if node not in gone for new in before.get(node, (node,)))


def _is_small(table: Value, made: Value, sizes: Mapping[str, int]) -> bool:
    """True where a table has far fewer numbers than what is looked up in it."""
    return len(made.shape) == 2 and _TIMES * math.prod(table.shape) <= math.prod(resolve(made.shape, sizes))
