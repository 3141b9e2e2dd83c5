"""The sum of an array in vectors: its order on registers of every width, at lengths around those of the lanes."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
import pytest

from backends.compiled_calls import result
from backends.vector_widths import WIDTHS, engine
from nnctl.backends.cpu.vectors.sums import SYMBOL, module_text

pytestmark = pytest.mark.compile

COUNTS = (0, 1, 2, 15, 16, 17, 31, 48, 63, 64, 65, 127, 128, 1000)


@cache
def compiled(bits):
    made = engine(bits, module_text())
    return made, ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_void_p)(made.get_function_address(SYMBOL))


def in_order(x):
    """The sum in the order that the text says."""
    lanes = np.zeros(-(-len(x) // 64) * 64, np.float32)
    lanes[: len(x)] = x
    sums = np.zeros(64, np.float32)
    for block in lanes.reshape(-1, 64):
        sums += block
    while len(sums) > 1:
        half = len(sums) // 2
        sums = sums[:half] + sums[half:]
    return sums[0]


@pytest.mark.parametrize("bits", WIDTHS)
def test_sums_have_one_order(bits):
    _, function = compiled(bits)
    for count in COUNTS:
        x = (np.random.default_rng(count).standard_normal(count + 1) * 3).astype(np.float32)
        x[count] = np.nan
        assert np.float32(function(count, x.ctypes.data)) == in_order(x[:count])


def test_kernels_call_it():
    x = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    assert result("total", x) == in_order(x.ravel())
    x[1, 7] = np.nan
    assert np.isnan(result("total", x))
