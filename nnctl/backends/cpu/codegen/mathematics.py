"""Elementary functions in float32: exp, log, tanh and their kin as straight-line code that LLVM turns into vectors.

The C library would be called for one element at a time. Here each is a
range reduction and a polynomial (minimax coefficients after Cephes, S. Moshier
1989-2000), with selects in place of branches. Largest errors over all float32
arguments, in units in the last place of the result, are in `BOUNDS_ULP`; a
test walks the whole range.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnctl.backends.cpu.codegen.intrinsics import bits_of_float, float_of_bits
from nnctl.backends.cpu.compiler.marks import compiled

F = np.float32
I = np.int32  # noqa: E741

BOUNDS_ULP: dict[str, float] = {
    "exp": 1.5, "expm1": 4.0, "log": 1.5, "log1p": 2.0, "tanh": 2.0, "erf": 1.0,
    "sinh": 0.51, "cosh": 0.51, "sin": 0.51, "cos": 0.51, "tan": 0.51, "arctan": 0.51, "floor": 0.0,
}  # fmt: skip
"""Largest error of each function in ULP of its exact result, wherever that is a normal float32."""

# Multiply-adds may be fused; were sums reordered, the range reductions would lose their point.
_LOG2_E = F(1.44269504088896341)
_LN2 = F(0.69314718055994531)
_LN2_HIGH, _LN2_LOW = F(0.693359375), F(-2.12194440e-4)
_EXP_LARGEST, _EXP_SMALLEST = F(88.72284), F(-103.972084)


@compiled
def exp(x: Any) -> Any:
    """e^x: x = n·ln 2 + r, |r| ≤ ½ ln 2."""
    clipped = min(max(x, _EXP_SMALLEST), _EXP_LARGEST)
    n = F(np.floor(clipped * _LOG2_E + F(0.5)))
    r = clipped - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    p = F(1.9875691500e-4)
    p = p * r + F(1.3981999507e-3)
    p = p * r + F(8.3334519073e-3)
    p = p * r + F(4.1665795894e-2)
    p = p * r + F(1.6666665459e-1)
    p = p * r + F(5.0000001201e-1)
    y = p * (r * r) + r + F(1.0)
    # 2ⁿ in two factors, so that results below the smallest normal number come out right too.
    half = I(n) >> I(1)
    rest = I(n) - half
    y = y * float_of_bits((half + I(127)) << I(23)) * float_of_bits((rest + I(127)) << I(23))
    y = F(0.0) if x < _EXP_SMALLEST else y
    y = F(np.inf) if x > _EXP_LARGEST else y
    return y if x == x else x


@compiled
def log(x: Any) -> Any:
    """ln x: x = 2ⁿ·m, √½ ≤ m < √2."""
    tiny = x < F(1.17549435e-38)
    scaled = x * F(8388608.0) if tiny else x
    bits = bits_of_float(scaled)
    n = F((bits >> I(23)) - I(126)) - (F(23.0) if tiny else F(0.0))
    m = float_of_bits((bits & I(0x007FFFFF)) | I(0x3F000000))
    low = m < F(0.707106781186547524)
    n = n - F(1.0) if low else n
    m = (m + m if low else m) - F(1.0)
    z = m * m
    p = F(7.0376836292e-2)
    p = p * m + F(-1.1514610310e-1)
    p = p * m + F(1.1676998740e-1)
    p = p * m + F(-1.2420140846e-1)
    p = p * m + F(1.4249322787e-1)
    p = p * m + F(-1.6668057665e-1)
    p = p * m + F(2.0000714765e-1)
    p = p * m + F(-2.4999993993e-1)
    p = p * m + F(3.3333331174e-1)
    y = m * z * p
    y = y + n * _LN2_LOW
    y = y - F(0.5) * z
    y = m + y
    y = y + n * _LN2_HIGH
    y = F(np.inf) if x == F(np.inf) else y
    y = F(-np.inf) if x == F(0.0) else y
    return y if x >= F(0.0) else F(np.nan)


@compiled
def log1p(x: Any) -> Any:
    """ln(1 + x): ln of the rounded sum, corrected by what rounding lost (Kahan)."""
    u = F(1.0) + x
    lost = x - (u - F(1.0))
    y = log(u) + lost / u
    y = x if u == F(1.0) else y
    return log(u) if u == F(np.inf) or u <= F(0.0) else y


@compiled
def expm1(x: Any) -> Any:
    """e^x − 1: a polynomial near 0, the difference elsewhere."""
    p = F(1.9875691500e-4)
    p = p * x + F(1.3981999507e-3)
    p = p * x + F(8.3334519073e-3)
    p = p * x + F(4.1665795894e-2)
    p = p * x + F(1.6666665459e-1)
    p = p * x + F(5.0000001201e-1)
    near = p * (x * x) + x
    return near if abs(x) < F(0.34657359) else exp(x) - F(1.0)


@compiled
def tanh(x: Any) -> Any:
    """tanh x: a polynomial near 0, 1 − 2/(e^2|x| + 1) elsewhere."""
    size = abs(x)
    z = x * x
    p = F(-5.70498872745e-3)
    p = p * z + F(2.06390887954e-2)
    p = p * z + F(-5.37397155531e-2)
    p = p * z + F(1.33314422036e-1)
    p = p * z + F(-3.33332819422e-1)
    near = p * z * x + x
    far = F(1.0) - F(2.0) / (exp(min(size, F(20.0)) * F(2.0)) + F(1.0))
    far = -far if x < F(0.0) else far
    y = near if size < F(0.625) else far
    return y if x == x else x


@compiled
def logaddexp(a: Any, b: Any) -> Any:
    """ln(e^a + e^b): the larger, and what the smaller adds."""
    high = a if a > b else b
    low = b if a > b else a
    # Equal ones may be infinite, and have no difference then.
    y = a + _LN2 if a == b else high + log1p(exp(low - high))
    return y if a == a and b == b else a + b


@compiled
def floor(x: Any) -> Any:
    """The largest whole number that is not above x."""
    return np.floor(x)


@compiled
def sinh(x: Any) -> Any:
    """sinh x, like those that follow by the C library in float64: exact to rounding, and scalar."""
    return F(math.sinh(np.float64(x)))


@compiled
def cosh(x: Any) -> Any:
    """cosh x."""
    return F(math.cosh(np.float64(x)))


@compiled
def sin(x: Any) -> Any:
    """sin x."""
    return F(math.sin(np.float64(x)))


@compiled
def cos(x: Any) -> Any:
    """cos x."""
    return F(math.cos(np.float64(x)))


@compiled
def tan(x: Any) -> Any:
    """tan x."""
    return F(math.tan(np.float64(x)))


@compiled
def arctan(x: Any) -> Any:
    """arctan x."""
    return F(math.atan(np.float64(x)))


@compiled
def erf(x: Any) -> Any:
    """erf x, by the C library in float64: exact to rounding, and rare enough to stay scalar."""
    return F(math.erf(float(x)))


@compiled
def power(x: Any, y: Any) -> Any:
    """x^y, by the C library in float64."""
    return F(math.pow(float(x), float(y)))


@compiled
def sign(x: Any) -> Any:
    """−1, 0 or 1; NaN of NaN."""
    y = F(1.0) if x > F(0.0) else F(-1.0)
    return y if x != F(0.0) and x == x else x
