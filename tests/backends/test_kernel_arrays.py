"""The kernel language: arrays, tuples, what is not given, and names of the module, as Python has them."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest

from backends.compiled_calls import reals, run, same
from nnctl.backends.cpu.codegen.intrinsics import window1, window2, window3, window4
from nnctl.backends.cpu.compiler.marks import compiled, independent

pytestmark = pytest.mark.compile

ROOT = Path(__file__).parents[2]
F = np.float32


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


def test_the_example_of_the_page(tmp_path):
    (text,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "kernels.md").read_text("utf-8"), re.M | re.S)
    (tmp_path / "example.py").write_text(text)
    spec = importlib.util.spec_from_file_location("example", tmp_path / "example.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    same(example.centred, reals(5, 7), reals(7), reals(5, 7) * 0)
    same(example.centred, reals(5, 7), None, reals(5, 7) * 0)
