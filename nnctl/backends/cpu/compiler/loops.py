"""The loops of a kernel: over what they run, and where they go on."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from nnctl.backends.cpu.compiler.emission import Emission
from nnctl.backends.cpu.compiler.marks import independent
from nnctl.backends.cpu.compiler.types import Known, Scalar, Value
from nnctl.late import dataclass


@dataclass
class Loop:
    """A loop that is written.

    following, end: blocks of the next turn, and behind. left: whether anything jumps behind.
    """

    following: str
    end: str
    left: bool = False


def bounds_of(
    node: ast.expr, value: Callable[[ast.expr], Value], emission: Emission
) -> tuple[Scalar, Scalar, Value, bool]:
    """(first, last, step, whether turns are independent) of what a loop runs over.

    A step that is no literal counts as above 0. Raises TypeError for anything but `range` and `independent`.
    """
    function: Any = None
    if isinstance(node, ast.Call) and not node.keywords:
        called = value(node.func)
        function = called.value if isinstance(called, Known) else None
    if not isinstance(node, ast.Call) or function not in (range, independent):
        raise TypeError("runs over something else than range")
    apart = function is independent
    if not 1 <= len(node.args) <= (1 if apart else 3):
        raise TypeError("has other bounds than range")
    given = [value(each) for each in node.args]
    first, last = (Known(0), given[0]) if len(given) == 1 else (given[0], given[1])
    step = given[2] if len(given) == 3 else Known(1)
    if step == Known(0):
        raise TypeError("has a step of 0")
    bounds = emission.whole(first), emission.whole(last), emission.whole(step)
    return bounds[0], bounds[1], step if isinstance(step, Known) else bounds[2], apart
