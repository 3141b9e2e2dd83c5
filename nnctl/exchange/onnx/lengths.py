"""Graphs over sequences of any length, found by building the graph of several.

A graph knows its lengths as numbers. Built for several lengths of the input, it shows which of them hang on that of
the sequence, and how: each must be a·time + b for all of them. Where the graphs differ in more than lengths, or
parameters do (a flattened sequence before a dense layer), the net is one of its length alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from nnctl.graph.ir import Graph, Node, Value
from nnctl.late import dataclass
from nnctl.ops.shapes import Symbol, TensorType

TIME = "time"
"""The name of the axis of steps, where a net takes any number of them."""


class OneLength(Exception):
    """A net makes sense at one length of its sequences alone; the text is the reason, and names the layer."""


@dataclass(frozen=True)
class Length:
    """A length that is a·time + b."""

    per_step: int
    more: int = 0

    @classmethod
    def of(cls, dim: Any) -> Length:
        """A length, which may be a number."""
        return dim if isinstance(dim, Length) else cls(0, dim)

    def minus(self, other: Any) -> int | None:
        """The difference from another length; None where it depends on time."""
        difference = Length.of(other)
        return self.more - difference.more if difference.per_step == self.per_step else None

    def __str__(self) -> str:
        steps = TIME if self.per_step == 1 else f"{self.per_step}*{TIME}"
        return f"{steps}{self.more:+d}" if self.more else steps


def tried(steps: int) -> tuple[int, ...]:
    """Lengths that a graph is built for: neighbours, lest a rounded fraction is taken for a line, and one far off."""
    return steps, steps + 1, steps + 2, steps + 3, 3 * steps + 64


def common(graphs: Sequence[Graph], lengths: Sequence[int]) -> Graph:
    """The graph for all lengths, of those for some. Raises OneLength."""
    first = graphs[0]
    known: dict[Value, Value] = {}
    counterparts: dict[Value, Sequence[Value]] = {}

    def value(alike: Sequence[Value], layer: str) -> Value:
        one = alike[0]
        if one not in known:
            shape = _joined([v.shape for v in alike], lengths, f"{layer}: {one.name}")
            if one.role in ("parameter", "statistic", "state") and shape != one.shape:
                raise OneLength(f"{one.name} has numbers for each step")
            known[one] = Value(one.name, TensorType(shape, one.type.dtype), one.role)
            counterparts[one] = alike
        elif counterparts[one] != alike:
            raise OneLength(f"{layer}: what it reads depends on the length")
        return known[one]

    nodes = []
    for alike in zip_longest(*(graph.nodes for graph in graphs)):
        there = [node for node in alike if node is not None]
        one, layer = there[0], there[0].layer or "the net"
        kinds = {(node.op.identity, tuple(node.attributes), node.layer) for node in there}
        if len(kinds) > 1 or len(there) < len(alike):
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
