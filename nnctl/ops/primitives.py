"""The functions that formulas are made of, each with its partial derivatives.

A formula is a body `f(xp, x, …)` that calls these through `xp`. What `xp` is
decides what comes out: numbers on NumPy or CuPy, the complex step's numbers,
or an expression to differentiate and to generate code from.

A partial is written in the same language as the body. Partials are taken as
0 where a function is flat or jumps (`sign`, `floor`, comparisons), and ties of
`maximum` and `minimum` go to the first argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from nnctl.late import dataclass

Array: TypeAlias = Any
Namespace: TypeAlias = Any
Partial: TypeAlias = Callable[..., Array] | None
"""(xp, output, *inputs) -> ∂output/∂input, or None where it is 0 everywhere."""


@dataclass(frozen=True)
class Primitive:
    """One function of real numbers. `notation` prints a call, e.g. "{0} + {1}"."""

    name: str
    notation: str
    partials: tuple[Partial, ...]

    @property
    def arity(self) -> int:
        return len(self.partials)


def _one(xp: Namespace, y: Array, *inputs: Array) -> Array:
    return 1.0


def _minus_one(xp: Namespace, y: Array, *inputs: Array) -> Array:
    return -1.0


_TABLE = (
    Primitive("add", "{0} + {1}", (_one, _one)),
    Primitive("subtract", "{0} - {1}", (_one, _minus_one)),
    Primitive("multiply", "{0} * {1}", (lambda xp, y, a, b: b, lambda xp, y, a, b: a)),
    Primitive("divide", "{0} / {1}", (lambda xp, y, a, b: 1.0 / b, lambda xp, y, a, b: -y / b)),
    Primitive("negative", "-{0}", (_minus_one,)),
    Primitive("reciprocal", "1 / {0}", (lambda xp, y, x: -y * y,)),
    Primitive("exp", "exp({0})", (lambda xp, y, x: y,)),
    Primitive("expm1", "expm1({0})", (lambda xp, y, x: y + 1.0,)),
    Primitive("log", "log({0})", (lambda xp, y, x: 1.0 / x,)),
    Primitive("log1p", "log1p({0})", (lambda xp, y, x: 1.0 / (1.0 + x),)),
    Primitive("tanh", "tanh({0})", (lambda xp, y, x: 1.0 - y * y,)),
    Primitive("sinh", "sinh({0})", (lambda xp, y, x: xp.cosh(x),)),
    Primitive("cosh", "cosh({0})", (lambda xp, y, x: xp.sinh(x),)),
    Primitive("sin", "sin({0})", (lambda xp, y, x: xp.cos(x),)),
    Primitive("cos", "cos({0})", (lambda xp, y, x: -xp.sin(x),)),
    Primitive("tan", "tan({0})", (lambda xp, y, x: 1.0 + y * y,)),
    Primitive("arctan", "arctan({0})", (lambda xp, y, x: 1.0 / (1.0 + x * x),)),
    Primitive("erf", "erf({0})", (lambda xp, y, x: (2.0 / math.sqrt(math.pi)) * xp.exp(-x * x),)),
    Primitive("sqrt", "sqrt({0})", (lambda xp, y, x: 0.5 / y,)),
    Primitive("square", "{0}²", (lambda xp, y, x: 2.0 * x,)),
    Primitive("abs", "|{0}|", (lambda xp, y, x: xp.sign(x),)),
    Primitive("sign", "sign({0})", (None,)),
    Primitive("floor", "⌊{0}⌋", (None,)),
    Primitive(
        "power",
        "{0} ** {1}",
        (lambda xp, y, a, b: b * xp.power(a, b - 1.0), lambda xp, y, a, b: y * xp.log(a)),
    ),
    # ln(e^a + e^b), without overflow: of 0 and x, the smooth relu.
    Primitive(
        "logaddexp",
        "logaddexp({0}, {1})",
        (lambda xp, y, a, b: xp.exp(a - y), lambda xp, y, a, b: xp.exp(b - y)),
    ),
    Primitive(
        "maximum",
        "max({0}, {1})",
        (
            lambda xp, y, a, b: xp.where(xp.less(a, b), 0.0, 1.0),
            lambda xp, y, a, b: xp.where(xp.less(a, b), 1.0, 0.0),
        ),
    ),
    Primitive(
        "minimum",
        "min({0}, {1})",
        (
            lambda xp, y, a, b: xp.where(xp.greater(a, b), 0.0, 1.0),
            lambda xp, y, a, b: xp.where(xp.greater(a, b), 1.0, 0.0),
        ),
    ),
    Primitive("greater", "({0} > {1})", (None, None)),
    Primitive("less", "({0} < {1})", (None, None)),
    Primitive("equal", "({0} == {1})", (None, None)),
    Primitive(
        "where",
        "({1} if {0} else {2})",
        (None, lambda xp, y, c, a, b: xp.where(c, 1.0, 0.0), lambda xp, y, c, a, b: xp.where(c, 0.0, 1.0)),
    ),
)

PRIMITIVES: dict[str, Primitive] = {p.name: p for p in _TABLE}
