"""Rows of classes in vectors, at numbers of classes around those of the lanes, for registers of every width."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
import pytest

from backends.vector_widths import WIDTHS, engine
from nnctl.backends.cpu.vectors.rows_ir import BEST, EXPONENTIALS, SOFTMAX, SOFTMAX_SUMS, module_text

pytestmark = pytest.mark.compile

COLUMNS = (1, 2, 10, 15, 16, 17, 32, 33, 65)
widths = pytest.mark.parametrize("bits", WIDTHS)


@cache
def compiled(bits):
    return engine(bits, module_text(bits))


def called(bits, symbol, z, *arrays):
    """Call a function of rows on arrays that end where no page is to be written."""
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 2, *[ctypes.c_void_p] * (1 + len(arrays)))
    guarded = [np.full(a.size + 40, 7, a.dtype) for a in arrays]
    function = kind(compiled(bits).get_function_address(symbol))
    function(*z.shape, z.ctypes.data, *(g.ctypes.data for g in guarded))
    for array, memory in zip(arrays, guarded, strict=True):
        assert np.all(memory[array.size :] == 7), "more than the rows was written"
        array[...] = memory[: array.size].reshape(array.shape)


def exact(z):
    e = np.exp((z - z.max(axis=1, keepdims=True)).astype(float))
    return e, e.sum(axis=1)


@widths
@pytest.mark.parametrize("columns", COLUMNS)
def test_softmax_and_the_sums_of_exponentials(bits, columns):
    z = (np.random.default_rng(columns).standard_normal((5, columns)) * 10).astype(np.float32)
    z[1] = -1e30
    z[2, -1] = 500.0
    a, largest, sums = np.empty_like(z), np.empty(5, np.float32), np.empty(5, np.float32)
    called(bits, SOFTMAX, z, a)
    called(bits, EXPONENTIALS, z, largest, sums)
    e, total = exact(z)
    np.testing.assert_allclose(a, e / total[:, None], rtol=1e-6, atol=1e-37)
    np.testing.assert_array_equal(largest, z.max(axis=1))
    np.testing.assert_allclose(sums, total, rtol=1e-6)
    assert columns == 1 or np.all(a[2, :-1] == 0.0)
    together = [np.empty_like(each) for each in (a, largest, sums)]
    called(bits, SOFTMAX_SUMS, z, *together)
    for found, alone in zip(together, (a, largest, sums), strict=True):
        np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("columns", COLUMNS)
def test_sums_are_in_one_order_on_every_processor(columns):
    """What registers of 256 and 512 bits give differs by no more than their multiply-adds, which are the same."""
    z = (np.random.default_rng(columns).standard_normal((50, columns)) * 3).astype(np.float32)
    found = [np.empty_like(z) for _ in range(2)]
    for bits, a in zip((256, 512), found, strict=True):
        called(bits, SOFTMAX, z, a)
    np.testing.assert_array_equal(*found)


@widths
def test_what_is_not_a_number_spoils_its_row_alone(bits):
    for columns in COLUMNS:
        for at in {0, columns // 2, columns - 1}:
            z = np.ones((3, columns), np.float32)
            z[1, at] = np.nan
            a = np.empty_like(z)
            called(bits, SOFTMAX, z, a)
            assert np.all(np.isnan(a[1]))
            np.testing.assert_allclose(a[[0, 2]], 1 / columns, rtol=1e-6)


@widths
@pytest.mark.parametrize("columns", COLUMNS)
def test_the_best_class_is_the_first_of_the_largest(bits, columns):
    """Of equal ones, of infinite ones, of those that are not numbers."""
    rng = np.random.default_rng(columns)
    z = rng.integers(-3, 3, size=(200, columns)).astype(np.float32)
    z[:40] = -np.inf
    z[20:60][rng.random((40, columns)) < 0.1] = np.nan
    z[60:80][rng.random((20, columns)) < 0.2] = np.inf
    z[80:90] = np.nan
    found = np.empty(200, np.int64)
    called(bits, BEST, z, found)
    np.testing.assert_array_equal(found, z.argmax(axis=1))
