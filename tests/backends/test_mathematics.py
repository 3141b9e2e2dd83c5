"""The vectorized functions over the whole range of float32, against float64."""

from __future__ import annotations

import os

import numpy as np
import pytest
import scipy.special

from backends.compiled_calls import elementwise
from nnctl.backends.codegen.dialect import COMPARISONS
from nnctl.backends.cpu.codegen.dialect import KERNEL
from nnctl.backends.cpu.codegen.mathematics import BOUNDS_ULP
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.primitives import PRIMITIVES

pytestmark = pytest.mark.compile

EXACT = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "erf": scipy.special.erf,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arctan": np.arctan,
    "floor": np.floor,
}
DENSE = 1009
"""Every so many float32 values are looked at; a prime, so that no pattern of bits is left out."""
SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1.1754942e-38, 1.1754944e-38, 3.4028235e38,
     -3.4028235e38, 88.72283, 88.72284, 88.8, -87.33654, -103.97, -104.0, 5.9604645e-08, -5.9604645e-08, -0.99999994],
    np.float32,
)  # fmt: skip


def compiled(name):
    return lambda x: elementwise(f"{name}(x)", np.ascontiguousarray(x))


FUNCTIONS = {name: compiled(name) for name in BOUNDS_ULP}


def floats(first: int, last: int, stride: int) -> np.ndarray:
    """The float32 numbers whose bits are first, first + stride, …"""
    return np.arange(first, last, stride, dtype=np.uint32).view(np.float32)


def worst(name: str, x: np.ndarray) -> float:
    """The largest error in ULP of the exact result, over results that are normal numbers."""
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.float64))
        found = FUNCTIONS[name](x)
        rounded = exact.astype(np.float32)
        normal = np.isfinite(rounded) & (np.abs(rounded) >= np.finfo(np.float32).tiny)
        errors = np.abs(found.astype(np.float64) - exact)[normal] / np.spacing(np.abs(rounded[normal]))
        # Elsewhere: the same infinities and NaNs, and what is below the normal numbers stays there.
        np.testing.assert_array_equal(np.isnan(found), np.isnan(rounded))
        np.testing.assert_array_equal(np.isinf(found)[~normal], np.isinf(rounded)[~normal])
        tiny = ~normal & np.isfinite(rounded)
        assert np.all(np.abs(found[tiny] - rounded[tiny]) <= 2.0 * np.finfo(np.float32).smallest_subnormal)
    return float(np.max(errors, initial=0.0))


@pytest.mark.parametrize("name", BOUNDS_ULP)
def test_errors_are_within_their_bounds(name):
    assert worst(name, floats(0, 1 << 32, DENSE)) <= BOUNDS_ULP[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDS_ULP)
def test_errors_of_every_float_are_within_their_bounds(name):
    """NNCTL_EVERY_FLOAT=1 for all 2³², minutes a function; without it every 251st."""
    stride = 1 if os.environ.get("NNCTL_EVERY_FLOAT") else 251
    chunk = stride << 22
    for first in range(0, 1 << 32, chunk):
        assert worst(name, floats(first, min(first + chunk, 1 << 32), stride)) <= BOUNDS_ULP[name]


@pytest.mark.parametrize("name", BOUNDS_ULP)
def test_special_values(name):
    with np.errstate(all="ignore"):
        found = FUNCTIONS[name](SPECIAL)
        exact = EXACT[name](SPECIAL.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(found, exact, rtol=BOUNDS_ULP[name] * 2.0**-23, atol=3e-45)


def test_every_function_has_a_bound_and_a_reference():
    assert set(BOUNDS_ULP) == set(EXACT)


@pytest.mark.parametrize("y", [0.0, 0.5, 1.0, 2.0, -1.0, -0.5, 3.0])
def test_powers(y):
    """Of what is not negative, where C and NumPy agree."""
    x = np.concatenate([floats(0, 0x7F800000, 65537), [np.float32(np.inf)]])

    out = elementwise("power(x, y)", x, np.full_like(x, y))
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), y).astype(np.float32)
    np.testing.assert_allclose(out, exact, rtol=2.0**-23, atol=3e-45)


def test_signs():
    found = compiled("sign")(SPECIAL)
    np.testing.assert_array_equal(found, np.sign(SPECIAL))


# -- every primitive, as generated code has it ------------------------------------------


def primitive(name: str, arity: int) -> str:
    """The text of a primitive in this backend's dialect, over x, y and z; conditions as numbers."""
    terms = list("xyz"[:arity])
    if name == "where":
        terms[0] = KERNEL.to_condition.format(terms[0])
    text = KERNEL.primitives[name].format(*terms)
    return KERNEL.from_condition.format(f"({text})") if name in COMPARISONS else text


def operands(arity: int) -> list[np.ndarray]:
    """Odd values of every operand with odd values of every other, and random ones of every size."""
    odd = [
        -np.inf,
        -3.4e38,
        -88.8,
        -2.0,
        -1.0,
        -0.5,
        -1e-45,
        -0.0,
        0.0,
        1e-45,
        0.5,
        1.0,
        2.0,
        20.0,
        88.8,
        3.4e38,
        np.inf,
    ]
    grid = np.meshgrid(*[np.array([*odd, np.nan], np.float32)] * arity)
    rng = np.random.default_rng(arity)
    size = rng.choice([1e-3, 1.0, 30.0], size=20000)
    drawn = (rng.standard_normal((arity, 20000)) * size).astype(np.float32)
    return [np.concatenate([g.ravel(), d]) for g, d in zip(grid, drawn, strict=True)]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_is_that_of_the_reference(name):
    """In float32 against float64, over odd values and random ones."""
    arity = PRIMITIVES[name].arity
    xs = operands(arity)
    if name == "power":
        # Of what is not negative, where C and NumPy agree.
        xs[0] = np.abs(xs[0])
    found = elementwise(primitive(name, arity), *xs)
    wide = [x.astype(np.float64) for x in xs]
    if name == "where":
        wide[0] = wide[0] != 0.0
    with np.errstate(all="ignore"):
        exact = np.asarray(getattr(numpy_namespace(), name)(*wide), dtype=np.float64)
        rounded = exact.astype(np.float32)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(rounded))
    close = np.isfinite(rounded)
    size, units = np.abs(rounded), BOUNDS_ULP.get(name, 1.0)
    if name == "logaddexp":
        # It cancels near 0: what is lost is of the operands.
        size, units = np.maximum.reduce([size, *(np.where(np.isfinite(x), np.abs(x), 0.0) for x in xs)]), 3.0
    bound = units * np.spacing(size[close]).astype(np.float64) + 3e-45
    assert np.all(np.abs(found[close] - exact[close]) <= bound)
    infinite = np.isinf(rounded)
    np.testing.assert_array_equal(found[infinite], rounded[infinite])
