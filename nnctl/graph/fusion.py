"""Elementwise fusion: chains of formulas become one formula, one pass over memory."""

from __future__ import annotations

from collections.abc import Sequence

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.elementwise import ElementwiseOp, from_expression
from nnctl.ops.expression import Recorder


def fuse_elementwise(graph: Graph) -> Graph:
    """Merge an elementwise node into its only reader where both run over the same shape.

    A value that several nodes read, or that is a result, stays: computing it
    twice would trade memory for arithmetic, which a backend may decide, not
    the graph. Nodes before the guard never move behind it: a fused node takes
    the place of its last member, so members must lie on the same side.
    """
    readers = graph.readers()
    results = set(graph.results)
    guard = _guard_position(graph)
    position = {node: i for i, node in enumerate(graph.nodes)}
    into: dict[Node, Node] = {}
    for node in graph.nodes:
        if not isinstance(node.op, ElementwiseOp) or any(v in results for v in node.outputs):
            continue
        reading = [r for v in node.outputs for r in readers.get(v, [])]
        if len(set(reading)) != 1:
            continue
        reader = reading[0]
        same_side = (position[node] <= guard) == (position[reader] <= guard)
        if isinstance(reader.op, ElementwiseOp) and same_side and reader.outputs[0].shape == node.outputs[0].shape:
            into[node] = reader
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
    recorder = Recorder(len(inputs))
    known: dict[Value, object] = {v: recorder.value(i) for i, v in enumerate(inputs)}
    for node in nodes:
        if not isinstance(node.op, ElementwiseOp):
            raise TypeError(f"{node.op.name} is not elementwise")
        results = node.op.expression.evaluate(recorder, *(known[v] for v in node.inputs))
        known.update(zip(node.outputs, results, strict=True))
    expression = recorder.finish([known[v] for v in root.outputs])
    name = "+".join(node.op.name for node in nodes)
    return Node(from_expression(name, expression), inputs, root.outputs, {}, root.layer)
