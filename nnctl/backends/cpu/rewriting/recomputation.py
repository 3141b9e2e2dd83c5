"""Recomputation of simple formulas over images and sequences where they are read, sums of examples among the readers.

Between two convolutions nothing is kept but what they read: activations are normalized again on the
way back, and a gradient is masked again, from arrays that the launch reads in any case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from nnctl.backends.codegen.inlining import INLINED
from nnctl.backends.codegen.simplicity import is_simple
from nnctl.backends.cpu.rewriting.example_sums import ExampleSums, example_sums, sums_op
from nnctl.graph.fusion import Part, composed, fused
from nnctl.graph.ir import Form, Graph, Node, Value
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.shapes import broadcast
from nnctl.ops.table import Op
from nnctl.plan.order import constant_nodes

_IMAGE = 3
"""Axes from which on an array is large enough to be computed again."""


def recomputed(graph: Graph) -> Graph:
    """The same graph, in which such formulas are parts of those that read them."""
    graph = graph.rebuilt(_reading_sources(graph))
    candidates = _candidates(graph)
    places = _places(graph, candidates)
    parts: dict[Value, Node] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        whole = node
        if not parts.keys().isdisjoint(node.inputs):
            whole = _with(node, [parts[value] for value in dict.fromkeys(node.inputs) if value in parts])
        if node in candidates and is_simple(whole) and _gains(whole, len(places[node.outputs[0]])):
            parts[node.outputs[0]] = whole
        else:
            nodes.append(whole)
    return graph.rebuilt(nodes)


def _reading_sources(graph: Graph) -> Sequence[Node]:
    """Nodes whose formulas read what is broadcast in them itself, where other inputs have the whole shape."""
    source = {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.op.name == "broadcast_to"}
    if not source:
        return graph.nodes
    return [
        _reading(node, source) if isinstance(node.op, (ElementwiseOp, ExampleSums)) else node for node in graph.nodes
    ]


def _reading(node: Node, source: Mapping[Value, Value]) -> Node:
    there = node.with_inputs(source)
    if there is node:
        return node
    alike = broadcast([v.shape for v in there.inputs]) == broadcast([v.shape for v in node.inputs])
    return there if alike else node


def _candidates(graph: Graph) -> set[Node]:
    """Formulas over images or sequences that are read by their like and by sums alone."""
    readers = graph.readers
    kept = {*graph.results, *(value for node in constant_nodes(graph) for value in node.outputs)}
    updated = set(graph.updates.values())
    # What is found where it is read, formulas alone can find.
    inlined = {value for node in graph.nodes if node.op.name in INLINED for value in node.outputs}
    fitting: dict[Form, bool] = {}
    found = set()
    for node in graph.nodes:
        if not isinstance(node.op, ElementwiseOp):
            continue
        form = node.form
        if form not in fitting:
            fitting[form] = _fits(node)
        made = node.outputs[0]
        if not fitting[form] or made in kept or not inlined.isdisjoint(node.inputs):
            continue
        if all(
            isinstance(r.op, ExampleSums)
            or (isinstance(r.op, ElementwiseOp) and r.outputs[0].shape == made.shape and updated.isdisjoint(r.outputs))
            for r in readers.get(made, [])
        ):
            found.add(node)
    return found


def _fits(node: Node) -> bool:
    """True for a formula of images or sequences by what it reads and gives."""
    made = node.outputs[0]
    return len(made.shape) >= _IMAGE and made.batched and all(_alike(made, value) for value in node.inputs)


def _alike(made: Value, value: Value) -> bool:
    """True where an input has all positions of the result, or one for all."""
    if value.shape == made.shape:
        return True
    aligned = (1,) * (len(made.shape) - len(value.shape)) + value.shape
    return aligned[1:-1] in (made.shape[1:-1], (1,) * (len(made.shape) - 2))


def _places(graph: Graph, candidates: set[Node]) -> Mapping[Value, frozenset[object]]:
    """The places where each candidate is computed if all are parts of their readers: sums share one."""
    readers = graph.readers
    places: dict[Value, frozenset[object]] = {}
    for node in reversed(graph.nodes):
        if node not in candidates:
            continue
        for value in node.outputs:
            found: set[object] = set()
            for reader in readers.get(value, []):
                if reader in candidates:
                    found |= places[reader.outputs[0]]
                else:
                    found.add("sums" if isinstance(reader.op, ExampleSums) else reader)
            places[value] = frozenset(found)
    return places


def _gains(node: Node, places: int) -> bool:
    """True where fewer arrays are read and written if each place reads what the formula reads."""
    read = sum(value.shape == node.outputs[0].shape for value in node.inputs)
    return places > 0 and read + 1 + places > places * read


def _with(node: Node, inside: list[Node]) -> Node:
    """The node with formulas as parts of its own."""
    if not isinstance(node.op, ExampleSums):
        return fused([*inside, node])
    made = {v for part in inside for v in part.outputs}
    inputs = tuple(dict.fromkeys([*(v for p in inside for v in p.inputs), *(v for v in node.inputs if v not in made)]))
    numbers = {v: i for i, v in enumerate(inputs)}
    parts: list[tuple[Op, tuple[int, ...]]] = []
    for part in inside:
        parts.append((part.op, tuple([numbers[v] for v in part.inputs])))
        for v in part.outputs:
            numbers[v] = len(numbers)
    op = _sums_of(len(inputs), tuple(parts), sums_op(node), tuple([numbers[v] for v in node.inputs]))
    return Node(op, inputs, node.outputs, {}, node.layer)


@lru_cache(maxsize=4096)
def _sums_of(
    arity: int, inside: tuple[tuple[Op, tuple[int, ...]], ...], sums: ExampleSums, given: tuple[int, ...]
) -> ExampleSums:
    """The op of sums with formulas as parts of theirs. By their identity: equal layers have the same."""
    parts: list[Part] = [(op.expression, numbers) for op, numbers in inside if isinstance(op, ElementwiseOp)]
    first = arity + sum(len(expression.results) for expression, _ in parts)
    results = tuple(range(first, first + len(sums.scales)))
    return example_sums(composed(arity, (*parts, (sums.expression, given)), results), sums.scales)
