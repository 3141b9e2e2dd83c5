"""Elementwise fusion: chains of formulas become one formula, one pass over memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.elementwise import ElementwiseOp, from_expression
from nnctl.ops.expression import Expression, Recorder
from nnctl.ops.table import Op

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
    behind: set[Node] = set()
    """Nodes after the guard."""
    if graph.guard is not None:
        behind.update(graph.nodes[_guard_position(graph) + 1 :])
    into: dict[Node, Node] = {}
    for node in graph.nodes:
        if not isinstance(node.op, ElementwiseOp) or not results.isdisjoint(node.outputs):
            continue
        reader = _only_reader(node, readers)
        if reader is None or not isinstance(reader.op, ElementwiseOp):
            continue
        if reader.outputs[0].shape == node.outputs[0].shape and (node in behind) == (reader in behind):
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


def _only_reader(node: Node, readers: Mapping[Value, Sequence[Node]]) -> Node | None:
    """The only node that reads what a node makes; None where there is none, or another."""
    reading = [r for v in node.outputs for r in readers.get(v, ())]
    if not reading or any(r is not reading[0] for r in reading):
        return None
    return reading[0]


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
    inputs = tuple(dict.fromkeys([v for node in nodes for v in node.inputs if v not in inner]))
    numbers: dict[Value, int] = {v: i for i, v in enumerate(inputs)}
    parts: list[tuple[Op, tuple[int, ...]]] = []
    for node in nodes:
        parts.append((node.op, tuple([numbers[v] for v in node.inputs])))
        for v in node.outputs:
            numbers[v] = len(numbers)
    op = _fused_op(len(inputs), tuple(parts), tuple([numbers[v] for v in root.outputs]))
    return Node(op, inputs, root.outputs, {}, root.layer)


@lru_cache(maxsize=4096)
def _fused_op(arity: int, ops: tuple[tuple[Op, tuple[int, ...]], ...], results: tuple[int, ...]) -> ElementwiseOp:
    """The op of several. By their identity: equal layers have the same. Numbers are those of `composed`."""
    parts: list[Part] = []
    for op, given in ops:
        if not isinstance(op, ElementwiseOp):
            raise TypeError(f"{op.name} is not elementwise")
        parts.append((op.expression, given))
    expression = composed(arity, tuple(parts), results)
    return from_expression("+".join(op.name for op, _ in ops), expression)


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
