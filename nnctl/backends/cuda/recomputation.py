"""Recomputation: formulas that cost less to compute where they are read than to store and to read.

A device computes some eighty times in the time that an element takes to come from memory. So what is simple is
not kept between launches: normalized activations are made again from what they are made of, for each of their
readers, the way back among them.
"""

from __future__ import annotations

from nnctl.graph.fusion import fused
from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.lower import constant_nodes

_SIMPLE = frozenset(
    [
        *("abs", "add", "divide", "equal", "greater", "less", "maximum", "minimum", "multiply", "negative"),
        *("reciprocal", "sign", "sqrt", "square", "subtract", "where"),
    ]
)
"""Primitives of a few instructions."""
_LINES = 16
"""Primitives of a formula that is computed again, at most."""


def recomputed(graph: Graph) -> Graph:
    """The same graph, in which simple formulas that only formulas read are parts of these."""
    readers = graph.readers()
    repeated = {value for node in graph.nodes if node.op.name == "broadcast_to" for value in node.outputs}
    kept = {*graph.results, *(value for node in constant_nodes(graph) for value in node.outputs)}
    updated = set(graph.updates.values())
    parts: dict[Value, Node] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        inside = [parts[value] for value in dict.fromkeys(node.inputs) if value in parts]
        whole = fused([*inside, node]) if inside else node
        made = node.outputs[0]
        reading = readers.get(made, [])
        alike = all(
            isinstance(r.op, ElementwiseOp) and r.outputs[0].shape == made.shape and updated.isdisjoint(r.outputs)
            for r in reading
        )
        gains = reading and alike and _is_simple(whole) and _gains(whole, repeated, len(reading))
        if gains and made not in kept:
            parts[made] = whole
        else:
            nodes.append(whole)
    return graph.rebuilt(nodes)


def _is_simple(node: Node) -> bool:
    if not isinstance(node.op, ElementwiseOp) or len(node.outputs) != 1:
        return False
    lines = node.op.expression.lines
    return len(lines) <= _LINES and all(line.primitive in _SIMPLE for line in lines)


def _gains(node: Node, repeated: set[Value], readers: int) -> bool:
    """True where fewer arrays are read and written if each reader reads what the formula reads.

    repeated: what is broadcast where it is read, and small in memory.
    """
    read = sum(value.shape == node.outputs[0].shape for value in {*node.inputs} - repeated)
    return read + 1 + readers > readers * read
