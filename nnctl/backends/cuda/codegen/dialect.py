"""The dialect of this backend: CUDA C in float32."""

from __future__ import annotations

import math

from nnctl.backends.codegen.dialect import Dialect

_PRIMITIVES = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "reciprocal": "1.0f / {0}",
    "exp": "expf({0})",
    "expm1": "expm1f({0})",
    "log": "logf({0})",
    "log1p": "log1pf({0})",
    "tanh": "tanhf({0})",
    "sinh": "sinhf({0})",
    "cosh": "coshf({0})",
    "sin": "sinf({0})",
    "cos": "cosf({0})",
    "tan": "tanf({0})",
    "arctan": "atanf({0})",
    "erf": "erff({0})",
    "sqrt": "sqrtf({0})",
    "square": "{0} * {0}",
    "abs": "fabsf({0})",
    "sign": "sign_of({0})",
    "floor": "floorf({0})",
    "power": "powf({0}, {1})",
    "logaddexp": "log_add_exp({0}, {1})",
    # Not fmaxf, which drops a NaN: a net that diverges is found by it.
    "maximum": "({0} >= {1} || {0} != {0} ? {0} : {1})",
    "minimum": "({0} <= {1} || {0} != {0} ? {0} : {1})",
    "greater": "{0} > {1}",
    "less": "{0} < {1}",
    "equal": "{0} == {1}",
    "where": "({0} ? {1} : {2})",
}

_OVERFLOW = 2.0**128

CUDA = Dialect(
    primitives=_PRIMITIVES,
    with_constant={},
    literal="{0}",
    from_condition="({0} ? 1.0f : 0.0f)",
    to_condition="{0} != 0.0f",
    from_integer="float({0})",
    one_hot="({0} == {1} ? 1.0f : 0.0f)",
)


def is_plain(value: float) -> bool:
    """True for a number that texts have as it is: 0 and 1, and what is none in float32. Others are given to them."""
    return value in (0.0, 1.0) or not abs(value) < _OVERFLOW


def literal(value: float) -> str:
    """A float32 as C++17 writes it, to the bit."""
    if math.isnan(value):
        return "NOT_A_NUMBER"
    if math.isinf(value):
        return "INFINITE" if value > 0 else "(-INFINITE)"
    text = f"{value.hex()}f"
    return f"({text})" if text.startswith("-") else text
