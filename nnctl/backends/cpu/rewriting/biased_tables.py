"""Rows of a table with a bias: it is added to the table, where that has fewer rows than are looked up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.shapes import TensorType, resolve

_TIMES = 4
"""Times as many numbers are looked up as the table has, at least: threads wait for the table."""


def biased_tables(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph in which a vector that all rows that are looked up get is added to the table. Bits are the same."""
    lookups = graph.once("lookups with a bias", lambda: _biased(graph))
    chosen = tuple(
        (lookup, total) for lookup, total in lookups if _is_small(lookup.inputs[0], lookup.outputs[0], sizes)
    )
    return graph.once(("biased tables", chosen), lambda: _with_bias_first(graph, chosen)) if chosen else graph


def _biased(graph: Graph) -> list[tuple[Node, Node]]:
    """The lookups to which nothing but a vector is added, each with that sum."""
    readers, results = graph.readers, set(graph.results)
    found: list[tuple[Node, Node]] = []
    for lookup in graph.nodes:
        if lookup.op.name != "lookup":
            continue
        (made,) = lookup.outputs
        reading = readers.get(made, ())
        if len(reading) != 1 or made in results:
            continue
        (total,) = reading
        others = [value.shape for value in total.inputs if value is not made]
        if total.op.name == "add" and len(total.inputs) == 2 and others == [made.shape[1:]]:
            found.append((lookup, total))
    return found


def _with_bias_first(graph: Graph, chosen: Sequence[tuple[Node, Node]]) -> Graph:
    """The graph in which the vectors are added to the tables of these lookups."""
    before: dict[Node, tuple[Node, ...]] = {}
    """Nodes by the sum that they stand in for."""
    for lookup, total in chosen:
        (made,), (table, index) = lookup.outputs, lookup.inputs
        biased = Value(f"{table.name}.biased", TensorType(table.shape))
        inputs = tuple(table if value is made else value for value in total.inputs)
        # In the place of the sum: the bias may be made behind the lookup.
        before[total] = (
            Node(total.op, inputs, (biased,), total.attributes, total.layer),
            Node(lookup.op, (biased, index), total.outputs, lookup.attributes, lookup.layer),
        )
    gone = {lookup for lookup, _ in chosen}
    return graph.rebuilt([new for node in graph.nodes if node not in gone for new in before.get(node, (node,))])


def _is_small(table: Value, made: Value, sizes: Mapping[str, int]) -> bool:
    """True where a table has far fewer numbers than what is looked up in it."""
    return len(made.shape) == 2 and _TIMES * math.prod(table.shape) <= math.prod(resolve(made.shape, sizes))
