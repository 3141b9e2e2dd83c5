"""The kernel language: conditions, loops, functions and arrays do compiled what Python does with them."""

from __future__ import annotations

import ast
import ctypes
import math
import mmap

import numpy as np
import pytest

from backends.compiled_calls import integers, reals, run, same
from nnctl.backends.cpu.codegen.intrinsics import (
    window1,
    window2,
    window3,
    window4,
)
from nnctl.backends.cpu.compiler.marks import compiled, independent
from nnctl.backends.cpu.compiler.unasked import harmless

pytestmark = pytest.mark.compile

F = np.float32
I = np.int32  # noqa: E741
WHOLE = (-9, -8, -7, -3, -2, -1, 0, 1, 2, 3, 7, 8, 9)


# -- conditions that go around --------------------------------------------------------------


@compiled
def guarded(x, out):
    for i in range(out.size):
        inside = i < x.size and x[i] > F(0.0)
        outside = i >= x.size or x[i] <= F(0.0)
        chained = 0 < i < x.size and F(-9.0) < x[i]
        value = x[i] if i < x.size else F(-5.0)
        other = F(-6.0) if i >= x.size else at(x, i)
        out[i] = F(inside) + F(2.0) * F(outside) + F(4.0) * F(chained) + value + other
        if i < x.size and at(x, i) > F(0.0):
            out[i] += F(100.0)


@compiled
def at(x, i):
    return x[i]


@compiled
def quotient(a, out):
    for i in range(a.size):
        out[i, 0] = 100 // a[i] if a[i] != 0 else -1
        if a[i] != 0 and 50 % a[i] == over(50, a[i]):
            out[i, 1] = 1
        out[i, 2] = over(9, a[i]) if a[i] else 0


@compiled
def over(a, b):
    return a % b


def test_what_python_goes_around_is_not_evaluated():
    """An index behind the end, which lies in a page that nobody may read; a division by 0."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    whole = np.frombuffer(memory, F)
    last = whole[page // 4 - 5 : page // 4]
    last[:] = [1.0, -1.0, 2.0, -2.0, 3.0]
    forbid(whole.ctypes.data + page, page)
    same(guarded, last, reals(4096))
    same(quotient, np.array(WHOLE), integers(len(WHOLE), 3))


def forbid(address: int, size: int) -> None:
    """Let any access to these pages end the process."""
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), 0):
        pytest.skip("pages cannot be protected here")


@compiled
def touch(out, i):
    out[i] += F(1.0)
    return out[i]


@compiled
def touching(n, out):
    for i in range(out.size):
        a = i < n and touch(out, i) > F(1.0)
        b = i >= n or touch(out, i) > F(2.0)
        c = i < n and F(99.0) < touch(out, i) < touch(out, i)
        out[i] += F(8.0) * F(a) + F(16.0) * F(b) + F(32.0) * F(c) + (touch(out, i) if i < n else F(0.25))


def test_what_python_goes_around_has_no_effect():
    same(touching, 3, np.arange(7, dtype=F))


@pytest.mark.parametrize(
    ("text", "is_harmless"),
    [("a + b * -c", True), ("a < b < c and not d", True), ("F(a) if a > 0 else max(b, c)", True), ("signed(a)", True),
     ("x.shape[1] - math.sqrt(a)", True), ("window1(x, a, b)", True), ("x[i]", False), ("a // b", False),
     ("a % b", False), ("at(x, i)", False), ("over(a, b)", False), ("halved(a)", False), ("touch(x, i)", False),
     ("prefetch(x, i)", False), ("unknown(a)", False), ("F(x[i])", False), ("t[0]", False)],
)  # fmt: skip
def test_what_may_be_evaluated_unasked(text, is_harmless):
    assert harmless(ast.parse(text).body[0].value, globals()) is is_harmless


@compiled
def compared_in_turn(n, x, out):
    for i in range(out.size):
        out[i] = F(0 <= i < n < x.shape[0] + 5) + F(2.0) * F(i < n and x[i] < x[0] < F(9.0))
        out[i] = out[i] + F(4.0) * F(i < n > 3) + F(8.0) * F(i != 2 != n)


def test_chained_comparisons():
    same(compared_in_turn, 4, reals(4), reals(9))
    same(compared_in_turn, 2, reals(4), reals(9))


@compiled
def of_two(c, n, x, whole, out):
    out[0] = n if c > 0 else I(x[0] * F(0.0)) + I(1)
    out[1] = whole[0] if c > 0 else n
    out[2] = 1 if c > 0 else whole[1]
    out[3] = -1 if c > 0 else -2
    a, b = (whole[0], n) if c > 0 else (n, whole[1])
    out[4], out[5] = a, b
    row = whole if c > 0 else out
    out[6] = row[1]
    out[7] = I(x[0] * F(0.0)) - I(1) if c > 0 else n
    out[8] = I(c) if c > 0 else n


@pytest.mark.parametrize("c", [0, 1])
def test_one_of_two_has_the_type_of_both(c):
    same(of_two, c, 2**40 + 1, reals(1), np.array([7, 8]), np.arange(9))


# -- loops ------------------------------------------------------------------------------------


@compiled
def looped(n, out):
    for i in range(n):
        if i % 3 == 1:
            continue
        for j in range(n, -2, -2):
            if j == i:
                break
            if j == 4:
                continue
            out[0] = out[0] * 3 % 1000003 + i * 10 + j
    for i in range(2, n, 3):
        out[1] += i
        i = i + 100  # noqa: PLW2901
        out[2] = i
    for i in range(n, 0, -1):
        out[3] = out[3] * 7 % 100003 + i
    out[4] = n
    while out[4] > 1:
        out[4] = out[4] // 2
        out[5] += 1
        if out[5] == 3:
            continue
        if out[5] > 5:
            break
    k = 0
    while True:
        k += 1
        if k * k > n:
            break
    out[6] = k
    for i in range(3, 1):
        out[7] = i
    while False:
        out[7] = 98


def test_loops():
    for n in (0, 1, 2, 5, 10, 200):
        same(looped, n, integers(8))


@compiled
def fibonacci(n, out):
    a, b = 0, 1
    for i in range(n):
        a, b = b, a + b
        out[i] = a
    (a, b), c = (b, a), a
    out[n] = a
    out[n + 1] = b - c
    out[0], out[1] = out[1], out[0]


def test_tuples_are_made_before_they_are_unpacked():
    same(fibonacci, 20, integers(22))


@compiled
def shifted(n, x):
    n = n + 1
    y = x
    for i in range(n):
        x = x * F(0.5)
        if i > 2:
            y = y + x
            late = y
        else:
            late = x
        n = n - 1
    return late, (n, y)


@compiled
def calls_shifted(n, x, out):
    a, (b, c) = shifted(n, x)
    out[0] = a
    out[1] = F(b)
    out[2] = c
    both = shifted(3, F(2.0))
    out[3] = both[1][1]
    out[4] = F(len(both) + len(out) + len(both[1]))


def test_parameters_may_be_assigned_to_and_variables_begin_in_branches():
    same(calls_shifted, 6, 3.0, reals(5))


@compiled
def found(x, wanted):
    for i in range(x.size):
        if x[i] == wanted:
            return i
    return -1


@compiled
def signed(x):
    if x > F(0.0):
        return 1
    else:
        return -1 if x < F(0.0) else 0


@compiled
def halved(n):
    while True:
        if n % 2 == 1:
            return n
        n = n // 2


@compiled
def early(x, out):
    out[0] = found(x, x[3])
    out[1] = found(x, F(99.0))
    out[2] = signed(x[0]) + 10 * signed(F(0.0)) + 100 * signed(F(-1.0))
    out[3] = halved(96)
    if x.size > 3:
        return
    out[4] = 1


def test_functions_return_early():
    same(early, reals(7), integers(5))
    same(early, reals(7)[:4].copy(), integers(5))


# -- arrays -----------------------------------------------------------------------------------


@compiled
def in_place(x, y):
    for i in independent(x.size):
        x[i] = x[i] + y[i]
    for i in range(x.size - 1):
        x[i + 1] = x[i + 1] - x[i] * F(0.5)


def test_independent_loops_in_place_and_dependent_ones_in_their_order():
    for size in range(71):
        x = np.floor(reals(size) * 4)
        run(in_place, found := x.copy(), found)
        wanted = (x + x).astype(np.float64)
        for i in range(size - 1):
            wanted[i + 1] = F(wanted[i + 1] - wanted[i] * 0.5)
        np.testing.assert_array_equal(found, wanted.astype(F))


@compiled
def of_ranks(a, b, c, d, out):
    for i in range(d.shape[0]):
        block = d[i]
        for j in range(block.shape[0]):
            for k in range(d.shape[2]):
                for m in range(d.shape[3]):
                    out[i, j] += block[j, k, m] + c[j, k, m] + b[k][m] + a[m]
        row = out[i]
        row[0] += F(row.size + d.size)
    turned = d.reshape(d.shape[3], d.size // d.shape[3])
    out[0, 1] = turned[1, 3]
    flat = out.reshape(out.size)
    flat[2] = F(turned.shape[1])


def test_arrays_of_every_rank():
    same(of_ranks, reals(5), reals(4, 5), reals(3, 4, 5), reals(2, 3, 4, 5), np.zeros((2, 3), F))


@compiled
def of_windows(x, out):
    window1(out, 3, 4)[1] = x[0]
    m = window2(out, 8, 3, 4)
    m[1, 2] = F(m.shape[1])
    c = window3(out, 20, 2, 3, 2)
    c[1, 2, 0] = x[2] + F(c.size)
    d = window4(out, 32, 2, 2, 2, 2)
    d[1, 0, 1, 0] = x[3]


def test_windows():
    same(of_windows, reals(4), np.zeros(48, F))


@compiled
def larger(x, y):
    return x if x[0] > y[0] else y


@compiled
def rows_of(x):
    return x[0], x[1]


@compiled
def returns_arrays(x, y, out):
    first, second = rows_of(x)
    z = larger(first, second)
    z = larger(z, y)
    for i in range(out.size):
        out[i] = z[i] + first[i]
    larger(out, y)[0] = F(50.0)


def test_functions_return_arrays():
    for seed in range(3):
        same(returns_arrays, reals(2, 3) * (seed - 1), reals(3), reals(3))


@compiled
def optional(x, bias, out):
    for i in range(out.size):
        out[i] = x[i] + bias[i] if bias is not None else x[i]
    if bias is None:
        bias = x
    if bias is not None and bias.size > 2:
        out[1] = bias[2]


@compiled
def calls_optional(x, out):
    optional(x, None, out)
    nothing = optional(x, x, out[:2] if False else out)
    if nothing is None:
        out[0] = F(5.0)


def test_what_is_not_given():
    same(optional, reals(4), None, reals(4))
    same(optional, reals(4), reals(4) * 2, reals(4))
    same(calls_optional, reals(4), reals(4))


@compiled
def geometric(x, geometry, out):
    a, (b, c) = geometry
    for i in range(a):
        out[i] = x[b * i + geometry[1][1]] * F(c)
    out[0] = F(geometry[-1][0])


def test_tuples_are_passed():
    same(geometric, reals(20), (4, (3, 2)), reals(4))


SIZES = (4, (3, 5))
RATE = np.float32(0.1)


@compiled
def of_module(out):
    n, (m, _) = SIZES
    out[0] = RATE * F(n + m)
    out[1] = F(math.pi)
    out[2] = F(-np.inf)
    f = math.isfinite
    if n < m:
        pass
    else:
        out[3] = F(f(out[2]))


def test_names_of_the_module():
    same(of_module, reals(4))
