"""The dialect of this backend: Python of the kernel language, in float32."""

from __future__ import annotations

from nnctl.backends.codegen.dialect import Dialect
from nnctl.backends.cpu.codegen.mathematics import (
    arctan,
    cos,
    cosh,
    erf,
    exp,
    expm1,
    floor,
    log,
    log1p,
    logaddexp,
    power,
    sign,
    sin,
    sinh,
    tan,
    tanh,
)
from nnctl.ops.primitives import PRIMITIVES

FUNCTIONS = (
    arctan, cos, cosh, erf, exp, expm1, floor, log, log1p, logaddexp, power, sign, sin, sinh, tan, tanh
)  # fmt: skip
"""Primitives that are functions of `mathematics`."""
_OPERATORS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "reciprocal": "F(1.0) / {0}",
    "square": "{0} * {0}",
    "abs": "abs({0})",
    "sqrt": "math.sqrt({0})",
    # A NaN on either side must come out: a net that diverges is found by it.
    "maximum": "({0} if {0} >= {1} or {0} != {0} else {1})",
    "minimum": "({0} if {0} <= {1} or {0} != {0} else {1})",
    "greater": "{0} > {1}",
    "less": "{0} < {1}",
    "equal": "{0} == {1}",
    "where": "({1} if {0} else {2})",
}


def _call(name: str) -> str:
    return f"{name}({', '.join(f'{{{i}}}' for i in range(PRIMITIVES[name].arity))})"


KERNEL = Dialect(
    primitives={**_OPERATORS, **{f.__name__: _call(f.__name__) for f in FUNCTIONS}},
    # A constant is no NaN: one comparison does.
    with_constant={"maximum": "({0} if {0} >= {1} else {1})", "minimum": "({0} if {0} <= {1} else {1})"},
    literal="F({0})",
    from_condition="F({0})",
    to_condition="{0} != F(0.0)",
    from_integer="F({0})",
    one_hot="(F(1.0) if {0} == {1} else F(0.0))",
)
