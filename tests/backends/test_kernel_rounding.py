"""The kernel language: where a product and a sum are rounded once, and that nothing else decides about bits."""

from __future__ import annotations

import platform

import llvmlite.binding as llvm
import numpy as np
import pytest

from backends.compiled_calls import Arguments, launch, run
from nnctl.backends.cpu.compiler.marks import compiled, independent

F = np.float32
# a·a + c is 2⁻²⁴ where it is rounded once, and 0 where the product is rounded before.
A, C = F(1.0 + 2.0**-12), F(-(1.0 + 2.0**-11))
FUSED = F(2.0**-24)


def fuses() -> bool:
    return platform.machine() != "x86_64" or llvm.get_host_cpu_features().get("fma", False)


pytestmark = [pytest.mark.compile, pytest.mark.skipif(not fuses(), reason="no instruction multiplies and adds")]


@compiled
def once(a, c, out):
    out[0] = a * a + c
    out[1] = c + a * a
    out[2] = c - (-a) * a
    out[3] = a * a - (-c)
    t = a * a
    out[4] = t + c
    out[5] = c
    out[5] += a * a
    s = c
    s += a * a
    out[6] = s
    for i in range(7, 8):
        out[i] = a * a + c
    # The second of two products.
    out[8] = c * F(1.0) + a * a


@compiled
def twice(a, c, flag, out):
    out[0] = a * a
    out[0] += c
    out[1] = product(a, a) + c
    t = a * a
    if flag:
        out[5] = F(0.0)
    out[2] = t + c
    t = a * a
    for i in range(3, 4):
        out[i] = t + c
    out[4] = (a * a if flag else c) + c
    out[5] = -(a * a) - c
    out[6] = (a * a + F(0.0)) + c
    p = a * a
    out[7] = (out[7] if flag else c) + F(0.0)
    out[7] = p + c
    # The first of two products.
    out[8] = a * a + c * F(1.0)
    x = (np.float64(a) * np.float64(a)) + np.float64(c)
    out[9] = F(x) - F(2.0**-24)


@compiled
def product(a, b):
    return a * b


def test_a_product_that_is_added_is_rounded_with_the_sum():
    run(once, A, C, found := np.zeros(9, F))
    np.testing.assert_array_equal(found, FUSED)


@pytest.mark.parametrize("flag", [0, 1])
def test_elsewhere_a_product_is_rounded_by_itself(flag):
    """Behind a store, a call, a loop, a branch, a choice, a sign."""
    run(twice, A, C, flag, found := np.zeros(10, F))
    wanted = np.zeros(10, F)
    if not flag:
        wanted[4] = F(2.0) * C
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("known", ["0", "1", "p1"])
@pytest.mark.parametrize("value", [0, 1])
def test_bits_do_not_depend_on_what_is_known(known, value):
    """Conditions on numbers that are written out leave the same places for products to be added."""
    if known != "p1" and known != str(value):
        return
    lines = [
        "t = p0[0] * p0[0]",
        f"if {known} > 0:",
        "    p2[1] = F(0.0)",
        "p2[0] = t + p0[1]",
        f"p2[1] = (p0[0] * p0[0] if {known} > 0 else p0[1]) + p0[1]",
        "t = p0[0] * p0[0]",
        f"u = p0[0] if {known} > 0 else p0[1]",
        "p2[2] = t + p0[1]",
        "t = p0[0] * p0[0]",
        f"u = F({known} > 0 and p0[0] > p0[1])",
        "p2[3] = t + p0[1]",
        f"p2[4] = F({known}) * u + F({known} + 1)",
    ]
    arguments = Arguments()
    given, out = np.array([A, C], F), np.zeros(5, F)
    for each in (given, value, out):
        arguments.text(each)
    launch(lines, arguments.types, arguments.words)
    second = F(0.0) if value else F(2.0) * C
    np.testing.assert_array_equal(out, [0.0, second, 0.0, 0.0, F(3.0) if value else F(1.0)])


@compiled
def summed(x, y, out):
    total = F(0.0)
    for i in range(x.size):
        total += x[i] * y[i]
    out[0] = total
    total = F(0.0)
    for i in range(x.size):
        total += x[i]
    out[1] = total


@compiled
def scaled(x, y, out):
    for i in independent(x.size):
        out[i] = x[i] * y[i] + x[i] / (F(1.5) + abs(y[i]))


def once_rounded(a, b, c) -> np.float32:
    """a·b + c: the product is exact in float64, and long double holds the sum."""
    return F(np.longdouble(np.float64(a) * np.float64(b)) + np.longdouble(c))


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than float64")
def test_sums_are_in_their_order_whatever_the_length():
    x, y = np.random.default_rng(1).standard_normal((2, 70)).astype(F)
    for size in (0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 70):
        run(summed, x[:size].copy(), y[:size].copy(), found := np.zeros(2, F))
        fused, plain = F(0.0), F(0.0)
        for a, b in zip(x[:size], y[:size], strict=True):
            fused, plain = once_rounded(a, b, fused), plain + a
        np.testing.assert_array_equal(found, [fused, plain])


def test_an_element_does_not_depend_on_its_place_in_a_vector():
    x, y = np.random.default_rng(2).standard_normal((2, 70)).astype(F)
    whole = np.zeros(70, F)
    run(scaled, x, y, whole)
    lines = ["for i in independent(p0.size):", "    p2[i] = p0[i] * p1[i] + p0[i] / (F(1.5) + abs(p1[i]))"]
    for first in range(0, 70, 9):
        for size in range(70 - first):
            arguments = Arguments()
            out = np.zeros(size, F)
            for each in (x[first : first + size].copy(), y[first : first + size].copy(), out):
                arguments.text(each)
            launch(lines, arguments.types, arguments.words)
            np.testing.assert_array_equal(out, whole[first : first + size])
