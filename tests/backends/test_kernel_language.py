"""The kernel language: what a kernel computes when compiled is what Python computes with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backends.compiled_calls import run
from nnctl.backends.cpu.codegen.intrinsics import bits_of_float, float_of_bits, window1, window2, window3, window4
from nnctl.backends.cpu.compiler.marks import compiled, independent

pytestmark = pytest.mark.compile

F = np.float32
I = np.int32  # noqa: E741
U = np.uint64
ODD = (-np.inf, -2.5, -1.0, -0.0, 0.0, 1e-45, 0.5, 1.0, 3.0, np.inf, np.nan)
WHOLE = (-9, -8, -7, -3, -2, -1, 0, 1, 2, 3, 7, 8, 9)


def same(function, *values) -> None:
    """Assert that a kernel leaves the same bytes in its arrays, compiled and as Python runs it."""
    given = [[v.copy() if isinstance(v, np.ndarray) else v for v in values] for _ in range(2)]
    run(function, *given[0])
    with np.errstate(all="ignore"):
        function(*[F(v) if isinstance(v, float) else v for v in given[1]])
    for found, wanted in zip(*given, strict=True):
        if isinstance(found, np.ndarray):
            np.testing.assert_array_equal(found, wanted)
            assert np.array_equal(np.signbit(found), np.signbit(wanted)) or np.isnan(wanted).any()


def reals(*shape) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(F)


def integers(*shape) -> np.ndarray:
    return np.zeros(shape, np.int64)


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
        out[i, 1] = (a[i] > b[i]) + (b[i] >= a[i]) + 1
        out[i, 2] = -(a[i] == b[i])
        out[i, 3] = np.int64((a[i] < b[i]) < (a[i] <= b[i]))


def test_conditions_count_as_numbers():
    a, b = pairs(ODD)
    run(counted_conditions, a, b, found := integers(len(a), 4))
    np.testing.assert_array_equal(found[:, 0], (a > b).astype(int) + ((a > 0) & (b > 0)))
    np.testing.assert_array_equal(found[:, 1], (a > b).astype(int) + (b >= a) + 1)
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
    import mmap

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
    import ctypes

    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), 0):
        pytest.skip("pages cannot be protected here")


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


@pytest.mark.parametrize("c", [0, 1])
def test_one_of_two_has_the_type_of_both(c):
    same(of_two, c, 2**40 + 1, reals(1), np.array([7, 8]), np.arange(7))


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
    elif x < F(0.0):
        return -1
    else:
        return 0


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
