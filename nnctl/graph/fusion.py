"""Elementwise fusion: chains of formulas become one formula, one pass over memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.elementwise import ElementwiseOp, from_expression
from nnctl.ops.expression import Expression, Recorder

Part: TypeAlias = tuple[Expression, tuple[int, ...]]
"""An expression, and the numbers of the values that it is given."""


def fuse_elementwise(graph: Graph) -> Graph:
    """Merge an elementwise node into its only reader where both run over the same shape.

    A value that several nodes read, or that is a result, stays: computing it
    twice would trade memory for arithmetic, which a backend may decide, not
    the graph. Nodes before the guard never move behind it: a fused node takes
    the place of its last member, so members must lie on the same side.
    """
    readers = graph.readers
    results = set(graph.results)
    guard = _guard_position(graph)
    position = {node: i for i, node in enumerate(graph.nodes)}
    into: dict[Node, Node] = {}
    for node in graph.nodes:
        if not isinstance(node.op, ElementwiseOp) or not results.isdisjoint(node.outputs):
            continue
        reading = {r for v in node.outputs for r in readers.get(v, ())}
        if len(reading) != 1:
            continue
        (reader,) = reading
        same_side = (position[node] <= guard) == (position[reader] <= guard)
        if isinstance(reader.op, ElementwiseOp) and same_side and reader.outputs[0].shape == node.outputs[0].shape:
            into[node] = reader
    if not into:
        return graph
    members: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        last = node
        while last in into:
            last = into[last]
        members.setdefault(last, []).append(node)
    nodes = [fused(members[node]) for node in graph.nodes if node not in into]
    return graph.rebuilt(nodes)


def _guard_position(graph: Graph) -> int:
    """Index of the node that computes the guard; the number of nodes if there is none."""
    for index, node in enumerate(graph.nodes):
        if graph.guard in node.outputs:
            return index
    return len(graph.nodes)


def fused(nodes: Sequence[Node]) -> Node:
    """One node for a tree of elementwise nodes, in order of execution; its last node is the root."""
    root = nodes[-1]
    if len(nodes) == 1:
        return root
    inner = {v for node in nodes[:-1] for v in node.outputs}
    inputs = tuple(dict.fromkeys(v for node in nodes for v in node.inputs if v not in inner))
    numbers: dict[Value, int] = {v: i for i, v in enumerate(inputs)}
    parts: list[Part] = []
    for node in nodes:
        if not isinstance(node.op, ElementwiseOp):
            raise TypeError(f"{node.op.name} is not elementwise")
        parts.append((node.op.expression, tuple(numbers[v] for v in node.inputs)))
        for v in node.outputs:
            numbers[v] = len(numbers)
    expression = composed(len(inputs), tuple(parts), tuple(numbers[v] for v in root.outputs))
    name = "+".join(node.op.name for node in nodes)
    return Node(from_expression(name, expression), inputs, root.outputs, {}, root.layer)


@lru_cache(maxsize=4096)
def composed(arity: int, parts: tuple[Part, ...], results: tuple[int, ...]) -> Expression:
    """The expression of several, each of earlier values. By value: equal layers fuse alike.

    Values are numbered, first the inputs, then the results of each part.
    """
    recorder = Recorder(arity)
    values: list[object] = [recorder.value(i) for i in range(arity)]
    for expression, given in parts:
        values += expression.evaluate(recorder, *(values[number] for number in given))
    return recorder.finish([values[number] for number in results])
