"""The kernel language: numbers are those of Python and NumPy, with their signs, bits, NaN and infinities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backends.compiled_calls import integers, reals, run, same
from nnctl.backends.cpu.codegen.intrinsics import bits_of_float, float_of_bits
from nnctl.backends.cpu.compiler.marks import compiled

pytestmark = pytest.mark.compile

F = np.float32
I = np.int32  # noqa: E741
U = np.uint64
ODD = (-np.inf, -2.5, -1.0, -0.0, 0.0, 1e-45, 0.5, 1.0, 3.0, np.inf, np.nan)
WHOLE = (-9, -8, -7, -3, -2, -1, 0, 1, 2, 3, 7, 8, 9)


def pairs(of) -> tuple[np.ndarray, np.ndarray]:
    """Every value beside every other, in two arrays."""
    kind = np.int64 if isinstance(of[0], int) else F
    a, b = np.meshgrid(np.array(of, kind), np.array(of, kind))
    return a.ravel().copy(), b.ravel().copy()


# -- whole numbers -----------------------------------------------------------------------


@compiled
def divided(a, b, out):
    for i in range(a.size):
        if b[i] != 0:
            out[0, i] = a[i] // b[i]
            out[1, i] = a[i] % b[i]
            out[2, i] = a[i] // 3
            out[3, i] = a[i] % -4
            out[4, i] = -7 // b[i]
    out[0, 0] = -7 // 2
    out[1, 0] = -7 % 3


def test_quotients_are_rounded_down_and_remainders_have_the_sign_of_the_divisor():
    a, b = pairs(WHOLE)
    same(divided, a, b, integers(5, len(a)))


@compiled
def bits(a, out):
    for i in range(a.size):
        x = I(a[i])
        out[0, i] = x >> I(1)
        out[1, i] = (x << I(29)) ^ x
        out[2, i] = (x & I(5)) | I(64)
        out[3, i] = np.int64(x * I(715827883))
        out[4, i] = -x
        out[5, i] = abs(x) + 1
        out[6, i] = a[i] >> 1
        out[7, i] = a[i] & 6


def test_bits_of_int32_wrap():
    same(bits, np.array([*WHOLE, 2**31 - 1, -(2**31)], np.int64), integers(8, len(WHOLE) + 2))


@compiled
def hashed(a, out):
    for i in range(a.size):
        x = U(a[i]) * U(0x9E3779B97F4A7C15) + U(1)
        x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
        out[i, 0] = np.int64(x >> U(33))
        out[i, 1] = np.int64(x % U(1000))
        out[i, 2] = np.int64(x // U(1 << 40))
        if x > U(1 << 63):
            out[i, 3] = 1


def test_uint64_wraps_and_has_no_sign():
    same(hashed, np.arange(64), integers(64, 4))


@compiled
def counted_conditions(a, b, out):
    for i in range(a.size):
        both = (a[i] > F(0.0)) & (b[i] > F(0.0))
        out[i, 0] = np.int64(a[i] > b[i]) + np.int64(both)
        out[i, 1] = (a[i] >= b[i]) + (b[i] >= a[i]) + 1
        out[i, 2] = -(a[i] == b[i])
        out[i, 3] = np.int64((a[i] < b[i]) < (a[i] <= b[i]))


def test_conditions_count_as_numbers():
    a, b = pairs(ODD)
    run(counted_conditions, a, b, found := integers(len(a), 4))
    np.testing.assert_array_equal(found[:, 0], (a > b).astype(int) + ((a > 0) & (b > 0)))
    np.testing.assert_array_equal(found[:, 1], (a >= b).astype(int) + (b >= a) + 1)
    np.testing.assert_array_equal(found[:, 2], -(a == b).astype(int))
    np.testing.assert_array_equal(found[:, 3], (a < b) < (a <= b))


@compiled
def converted(a, x, out, reals_out):
    for i in range(a.size):
        out[i, 0] = np.int64(x[i])
        out[i, 1] = np.int64(I(x[i]))
        out[i, 2] = np.int64(I(a[i]))
        out[i, 3] = bits_of_float(x[i])
        reals_out[i, 0] = F(a[i])
        reals_out[i, 1] = F(np.float64(x[i]) / 3.0)
        reals_out[i, 2] = F(I(a[i]) + I(1))
        reals_out[i, 3] = float_of_bits(bits_of_float(x[i]) + I(1))
        reals_out[i, 4] = F(0.1) + F(1)


def test_conversions():
    a = np.array([0, 1, -1, 16777217, -(2**40) - 5, 2**53 + 1], np.int64)
    x = np.array([0.0, -0.9, 2.9, -2.9, 1e9, 5.5], F)
    same(converted, a, x, integers(6, 4), reals(6, 5))


@compiled
def of_bytes(image, out, copied):
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            out[i, j] = F(image[i, j]) / F(255.0)
            copied[i, j] = (np.int64(image[i, j]) * 3) & 255


def test_bytes():
    image = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
    same(of_bytes, image, reals(5, 7), np.zeros((5, 7), np.uint8))


# -- numbers with a fraction ----------------------------------------------------------------


@compiled
def ordered(a, b, out):
    for i in range(a.size):
        x, y = a[i], b[i]
        out[i, 0] = max(x, y)
        out[i, 1] = min(x, y)
        out[i, 2] = F(x < y) + F(2.0) * F(x <= y) + F(4.0) * F(x == y)
        out[i, 3] = F(x != y) + F(2.0) * F(x > y) + F(4.0) * F(x >= y)
        out[i, 4] = F(not x < y)
        out[i, 5] = x if x else F(7.0)
        out[i, 6] = F(x <= y <= F(1.0))
        out[i, 7] = F(x < y or y != y) + F(2.0) * F(x == x and y == y)
        out[i, 8] = F(math.isfinite(x))
        out[i, 9] = -abs(x)


def test_comparisons_and_extremes_are_those_of_python():
    """NaN and infinities among them."""
    a, b = pairs(ODD)
    same(ordered, a, b, reals(len(a), 10))


@compiled
def arithmetic(a, b, out):
    for i in range(a.size):
        out[i, 0] = a[i] + b[i]
        out[i, 1] = a[i] - b[i]
        out[i, 2] = a[i] * b[i]
        out[i, 3] = a[i] / b[i] if b[i] != F(0.0) else F(0.0)
        out[i, 4] = np.floor(a[i])
        out[i, 5] = F(math.sqrt(abs(b[i])))
        out[i, 0] += b[i]
        out[i, 1] *= F(2.0)
        out[i, 2] -= F(1.0)
        out[i, 3] /= F(3.0)


def test_arithmetic_is_that_of_float32():
    """Whatever the length: vectors have a rest."""
    a, b = pairs(ODD)
    same(arithmetic, a, b, reals(len(a), 6))
    for size in range(71):
        a, b = reals(size), reals(size, 3)[:, 1].copy()
        same(arithmetic, a, b, np.zeros((size, 6), F))
