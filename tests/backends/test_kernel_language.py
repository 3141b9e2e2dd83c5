"""The kernel language: conditions, loops and functions do compiled what Python does with them."""

from __future__ import annotations

import ast
import ctypes
import mmap

import numpy as np
import pytest

from backends.compiled_calls import integers, reals, same
from nnctl.backends.cpu.codegen.intrinsics import prefetch, window1
from nnctl.backends.cpu.compiler.entries import module_of
from nnctl.backends.cpu.compiler.marks import apart, compiled
from nnctl.backends.cpu.compiler.types import F32
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
     ("prefetch(x, i, i)", False), ("unknown(a)", False), ("F(x[i])", False), ("t[0]", False)],
)  # fmt: skip
def test_what_may_be_evaluated_unasked(text, is_harmless):
    names = {**globals(), "window1": window1, "prefetch": prefetch}
    assert harmless(ast.parse(text).body[0].value, names) is is_harmless


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


@apart
def summed(x, first, count):
    total = F(0.0)
    for i in range(count):
        total += x[first + i]
    return total


@compiled
def twice(x, out):
    out[0] = summed(x, 0, 4)
    out[1] = summed(x, 3, out.size)


def test_functions_that_stand_apart_are_called():
    same(twice, reals(9), reals(2))
    text = module_of("def launch(p0, p1):\n    twice(p0, p1)", [(F32, 1)] * 2, "launched", {"twice": twice})
    (head,) = (line for line in text.splitlines() if line.startswith("define") and "summed" in line)
    assert head.endswith("nounwind noinline {")
