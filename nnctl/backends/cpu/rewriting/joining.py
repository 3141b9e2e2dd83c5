"""Joining of sums over the positions of examples that read the same arrays: they are made in one way through them."""

from __future__ import annotations

from collections.abc import Mapping

from nnctl.backends.cpu.rewriting.example_sums import ExampleSums, summed_shape, sums_op, together
from nnctl.graph.ir import Graph, Node, Value

_TOGETHER = 6
"""Sums of one launch, at most: each takes a register."""
_LINES = 48
"""Primitives of all their formulas, at most."""


def joined(graph: Graph) -> Graph:
    """The graph with one node for sums of one shape of which none needs another."""
    sums = [node for node in graph.nodes if isinstance(node.op, ExampleSums)]
    units: dict[Node, list[Node]] = {node: [node] for node in sums}
    """Of each sum those that it is made with; of several the same list."""
    search = _Search(graph, units)
    last: dict[object, list[Node]] = {}
    for node in sums:
        shape = summed_shape(node)
        group = last.get(shape)
        if group is not None and _fits(group, node) and not search.needs(node, group):
            group.append(node)
            units[node] = group
        else:
            last[shape] = units[node]
    several = {node: unit for node, unit in units.items() if len(unit) > 1}
    return graph.rebuilt(_ordered(graph, several)) if several else graph


def _fits(group: list[Node], node: Node) -> bool:
    """True where a node may be made with a group: it reads an array of theirs, and there is room."""
    shape = summed_shape(node)
    read = {v for other in group for v in other.inputs if v.shape == shape}
    lines = sum(len(sums_op(other).expression.lines) for other in (*group, node))
    results = sum(len(other.outputs) for other in (*group, node))
    return not read.isdisjoint(node.inputs) and lines <= _LINES and results <= _TOGETHER


class _Search:
    """The search for what a node needs, those that are made together taken as one."""

    def __init__(self, graph: Graph, units: dict[Node, list[Node]]) -> None:
        self.units = units
        self.producers = graph.producers
        self.position = {node: i for i, node in enumerate(graph.nodes)}

    def needs(self, node: Node, group: list[Node]) -> bool:
        """True where a node reads, at last, what a member of the group makes."""
        first = self.position[group[0]]
        waiting, seen = [node], {node}
        while waiting:
            for value in waiting.pop().inputs:
                producer = self.producers.get(value)
                if producer is None or producer in seen:
                    continue
                unit = self.units.get(producer)
                if unit is group:
                    return True
                made_with = unit or [producer]
                # What is made before the group, with all that it is made with, needs nothing of it.
                if self.position[made_with[-1]] > first:
                    waiting += made_with
                seen.update(made_with)
        return False


def _ordered(graph: Graph, several: Mapping[Node, list[Node]]) -> list[Node]:
    """One node for each unit of several, each behind what it reads, otherwise in the graph's order."""
    nodes: list[Node] = []
    done: set[Node] = set()
    for node in graph.nodes:
        if node in done:
            continue
        if node in several:
            _place(node, graph.producers, several, nodes, done)
        else:
            # In the graph's order, what a node reads alone is there.
            nodes.append(node)
            done.add(node)
    return nodes


def _place(
    first: Node,
    producers: Mapping[Value, Node],
    several: Mapping[Node, list[Node]],
    nodes: list[Node],
    done: set[Node],
) -> None:
    """Append the unit of a node to those that are done, behind all that it reads."""
    waiting = [first]
    while waiting:
        node = waiting.pop()
        if node in done:
            continue
        unit = several.get(node) or [node]
        needed = [producers[v] for one in unit for v in one.inputs if v in producers]
        before = [other for other in needed if other not in done]
        if before:
            waiting += [node, *reversed(before)]
        else:
            nodes.append(together(unit) if len(unit) > 1 else node)
            done.update(unit)
