"""Simplicity: which formulas cost less to compute again than to store and to read."""

from __future__ import annotations

from functools import lru_cache

from nnctl.graph.ir import Node
from nnctl.ops.elementwise import ElementwiseOp

_SIMPLE = frozenset(
    [
        *("abs", "add", "divide", "equal", "greater", "less", "maximum", "minimum", "multiply", "negative"),
        *("reciprocal", "sign", "sqrt", "square", "subtract", "where"),
    ]
)
"""Primitives of a few instructions."""
_LINES = 16
"""Primitives of a formula that is computed again, at most."""


def is_simple(node: Node) -> bool:
    """True for a formula of one result and few primitives, each of a few instructions."""
    return isinstance(node.op, ElementwiseOp) and _is_simple(node.op)


@lru_cache(maxsize=4096)
def _is_simple(op: ElementwiseOp) -> bool:
    lines, results = op.expression.lines, op.expression.results
    return len(results) == 1 and len(lines) <= _LINES and all(line.primitive in _SIMPLE for line in lines)
