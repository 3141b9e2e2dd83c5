"""Graphs over sequences of any length, found by building the graph of several.

A graph knows its lengths as numbers. Built for several lengths of the input, it shows which of them hang on that of
the sequence, and how: each must be a·time + b for all of them. Where the graphs differ in more than lengths, or
parameters do (a flattened sequence before a dense layer), the net is one of its length alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.shapes import Symbol, TensorType


class OneLength(Exception):
    """A net makes sense at one length of its sequences alone; the text is the reason, and names the layer."""


@dataclass(frozen=True)
class Length:
    """A length that is a·time + b."""

    per_step: int
    more: int = 0

    def minus(self, other: Any) -> int | None:
        """The difference from another length, where time does not matter to it."""
        return self.more - other.more if isinstance(other, Length) and other.per_step == self.per_step else None


def tried(steps: int) -> tuple[int, ...]:
    """Lengths that a graph is built for: neighbours, lest a rounded fraction is taken for a line, and one far off."""
    return steps, steps + 1, steps + 2, steps + 3, 3 * steps + 64


def common(graphs: Sequence[Graph], lengths: Sequence[int]) -> Graph:
    """The graph for all lengths, of those for some. Raises OneLength."""
    first = graphs[0]
    if len({len(graph.nodes) for graph in graphs}) > 1:
        raise OneLength("the number of its operations depends on the length")
    known: dict[Value, Value] = {}

    def value(alike: Sequence[Value], layer: str) -> Value:
        if alike[0] not in known:
            shape = _joined([v.shape for v in alike], lengths, f"{layer or 'the net'}: {alike[0].name}")
            if alike[0].role != "computed" and not alike[0].role == "data" and shape != alike[0].shape:
                raise OneLength(f"{alike[0].name} has a number for each step")
            known[alike[0]] = Value(alike[0].name, TensorType(shape, alike[0].type.dtype), alike[0].role)
        return known[alike[0]]

    nodes = []
    for alike in zip(*(graph.nodes for graph in graphs), strict=True):
        one = alike[0]
        layer = one.layer or "the net"
        if len({(node.op.identity, tuple(node.attributes), node.layer) for node in alike}) > 1:
            raise OneLength(f"{layer}: what it computes depends on the length")
        attributes = {
            name: _joined([node.attributes[name] for node in alike], lengths, f"{layer}: {name} of {one.op.name}")
            for name in one.attributes
        }
        inputs = tuple(value(values, layer) for values in zip(*(node.inputs for node in alike), strict=True))
        outputs = tuple(value(values, layer) for values in zip(*(node.outputs for node in alike), strict=True))
        nodes.append(Node(one.op, inputs, outputs, attributes, one.layer))
    return Graph(
        first.name,
        tuple(nodes),
        {name: known[v] for name, v in first.outputs.items()},
        {known[old]: known[new] for old, new in first.updates.items()},
    )


def _joined(values: Sequence[Any], lengths: Sequence[int], what: str) -> Any:
    """The one value that these are at the lengths. Raises OneLength."""
    first = values[0]
    if all(type(v) is type(first) and v == first for v in values):
        return first
    if all(isinstance(v, tuple) and len(v) == len(first) for v in values):
        return tuple(_joined(parts, lengths, what) for parts in zip(*values, strict=True))
    if all(isinstance(v, Symbol) and v.name == first.name for v in values):
        return Symbol(first.name, _joined([v.times for v in values], lengths, what))
    if all(type(v) is int for v in values):
        per_step = values[1] - first
        line = Length(per_step, first - per_step * lengths[0])
        if all(v == line.per_step * n + line.more for v, n in zip(values, lengths, strict=True)):
            return line
    raise OneLength(f"{what} does not grow evenly with the length")
