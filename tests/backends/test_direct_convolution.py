"""The direct kernels of convolutions against the reference bodies, for every width of vectors that this processor has.

The functions that generated code calls run here as Python, so that the LLVM IR below them may be of any width.
"""

from __future__ import annotations

import ctypes
import inspect
import types
from functools import cache
from typing import Any

import numpy as np
import pytest

from backends.vector_widths import WIDTHS, engine
from nnctl.backends.cpu.convolve import kernel_ir, module, positions_ir
from nnctl.backends.cpu.gemm import kernel_ir as gemm_ir
from nnctl.backends.cpu.gemm.packed_ir import PACK_SYMBOL, PACKED_SYMBOL
from nnctl.backends.cpu.kernels import convolution as kernels
from nnctl.backends.cpu.kernels import depthwise, windows
from nnctl.backends.cpu.kernels.windows import geometry_of, two
from nnctl.ops import OPS
from nnctl.ops.windows import output_lengths

pytestmark = pytest.mark.compile

GUARD = 64
"""Elements behind the scratch and around what is written that must stay as they are."""
FOLDER = "nnctl.backends.cpu.kernels"
SIGNATURES = {
    "convolve": (positions_ir.SYMBOL, "piiiipiipiiiiiiiiiiiip"),
    "convolve_kernel": (kernel_ir.SYMBOL, "iiiiiiipiiipiiiiiiipi"),
    "pack": (PACK_SYMBOL, "iiipip"),
    "pack_filters": (module.PACK_SYMBOL, "iiipipi"),
    "packed_product": (PACKED_SYMBOL, "iiipipfpi"),
}
"""Symbols and arguments of the functions that the drivers call: p for a pointer, i, f for numbers."""
widths = pytest.mark.parametrize("bits", WIDTHS)
TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int64, "f": ctypes.c_float}
CHANNELS = (1, 3, 15, 16, 17, 20, 31, 33, 48)


@cache
def drivers(bits: int) -> types.SimpleNamespace:
    """The functions of `kernels` as Python, over a module for vectors of so many bits."""
    loaded = [engine(bits, text) for text in (module.module_text(bits), gemm_ir.module_text(bits))]
    space = dict(vars(kernels))
    for name, (symbol, kinds) in SIGNATURES.items():
        arguments = [TYPES[kind] for kind in kinds]
        address = next(filter(None, (made.get_function_address(symbol) for made in loaded)))
        space[name] = _called(ctypes.CFUNCTYPE(None, *arguments)(address))
    space["engines"] = loaded
    space["window1"] = lambda flat, start, size: flat[start : start + size]
    for name, value in [item for one in (windows, depthwise, kernels) for item in vars(one).items()]:
        function = inspect.unwrap(value) if callable(value) else None
        if isinstance(function, types.FunctionType) and function.__module__.startswith(FOLDER):
            space[name] = types.FunctionType(function.__code__, space, name, function.__defaults__)
    return types.SimpleNamespace(**space)


def _called(function: Any) -> Any:
    def call(*arguments: Any) -> None:
        function(*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments))

    return call


class Case:
    """Arrays of a convolution, and its results by the reference bodies and by the drivers."""

    def __init__(self, bits: int, x_shape: Any, w_shape: Any, seed: int = 0, groups: int = 1, **window: Any) -> None:
        rng = np.random.default_rng(seed)
        rank = len(w_shape) - 2
        defaults = {"stride": (1,) * rank, "padding": ((0, 0),) * rank, "dilation": (1,) * rank}
        self.window = defaults | window | {"groups": groups}
        self.lengths, self.kernel = x_shape[1:-1], w_shape[:-2]
        sizes = (self.window["stride"], self.window["padding"], self.window["dilation"])
        positions = output_lengths(self.lengths, self.kernel, *sizes)
        self.x, self.w, self.y = (
            rng.standard_normal(shape).astype(np.float32)
            for shape in (x_shape, w_shape, (x_shape[0], *positions, w_shape[-1]))
        )
        self.geometry = geometry_of(self.kernel, self.window, self.lengths)
        self.spacing = (*two(self.window["dilation"], 1), groups)
        self.largest = (*module.TILE[bits], bits // 32)
        self.wide = gemm_ir.TILE[bits][1] * bits // 32
        self.blocks = (2, 2)
        self.made = drivers(bits)

    def check(self) -> None:
        wide = [a.astype(float) for a in (self.x, self.w, self.y)]
        x, w, y = wide
        body = {name: OPS[name].body for name in ("convolution", "convolution_transpose", "convolution_kernel")}
        _agree(self.forward(), body["convolution"](np, x, w, **self.window))
        _agree(self.transposed(), body["convolution_transpose"](np, y, w, lengths=self.lengths, **self.window))
        _agree(self.of_kernel(1), body["convolution_kernel"](np, x, y, kernel=self.kernel, **self.window))

    def forward(self) -> Any:
        result, place = _surrounded(self.y.shape)
        inner = self.w.shape[-2]
        self.made.convolution(_images(self.x), self.w.reshape(-1), _images(result), self.geometry, self.spacing,
                              self.largest, self._scratch(inner))  # fmt: skip
        return _untouched(result, place)

    def transposed(self) -> Any:
        result, place = _surrounded(self.x.shape)
        inner = self.w.shape[-1] // self.window["groups"]
        self.made.convolution_transpose(_images(self.y), self.w.reshape(-1), _images(result), self.geometry,
                                        self.spacing, self.largest, self.wide, self._scratch(inner))  # fmt: skip
        return _untouched(result, place)

    def of_kernel(self, threads: int) -> Any:
        result, place = _surrounded(self.w.shape)
        filters = self.w.shape[-1]
        rows, flat = self.w.size // filters, result.reshape(-1)
        for thread in range(threads):
            first, last = rows * thread // threads, rows * (thread + 1) // threads
            self.made.convolution_kernel(_images(self.x), _images(self.y), first, last,
                                         flat[first * filters : last * filters], self.geometry, self.spacing,
                                         self.largest, *self.blocks, np.empty(filters, np.float32))  # fmt: skip
        return _untouched(result, place)

    def _scratch(self, inner: int) -> Any:
        kh, kw = two(self.kernel, 1)
        *_, vectors, lanes = self.largest
        width = vectors * lanes
        row = -(-kw * self.w.shape[-2] // self.wide) * self.wide
        needed = max(kw * inner + kh * kw * inner * width, kh * row * self.w.shape[-1])
        scratch = np.full(needed + GUARD, np.nan, np.float32)
        # Behind it lies what no driver may reach.
        return scratch[:needed]


def _images(array: Any) -> Any:
    return array if array.ndim == 4 else array[:, None]


def _surrounded(shape: Any) -> Any:
    """An array of NaN inside another one, whose ends are known."""
    size = int(np.prod(shape))
    memory = np.full(size + 2 * GUARD, -3.0, np.float32)
    memory[GUARD : GUARD + size] = np.nan
    return memory[GUARD : GUARD + size].reshape(shape), memory


def _untouched(result: Any, memory: Any) -> Any:
    assert np.all(memory[:GUARD] == -3.0)
    assert np.all(memory[-GUARD:] == -3.0)
    return result


def _agree(found: Any, expected: Any) -> None:
    size = float(np.max(np.abs(expected), initial=1e-6))
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-5 * size)


@widths
@pytest.mark.parametrize("channels", CHANNELS)
def test_channels_and_filters_that_no_vector_divides(bits, channels):
    first = CHANNELS.index(channels)
    for filters in (CHANNELS * 2)[first : first + 5]:
        Case(bits, (2, 3, 5, channels), (2, 3, channels, filters), padding=((1, 0), (1, 1))).check()


@widths
def test_widths_that_no_tile_divides(bits):
    for width in range(1, 34):
        Case(bits, (1, 2, width, 3), (1, min(width, 3), 3, 5)).check()
        Case(bits, (1, 2, width, 3), (2, 3, 3, 5), padding=((1, 0), (1, 1))).check()


@widths
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("padding", [(0, 0), (2, 2), (3, 0), (6, 4)])
def test_kernels_strides_dilations_and_paddings(bits, size, padding):
    for stride in (1, 2, 3):
        for dilation in (1, 2):
            if dilation * (size - 1) + 1 > 6 + sum(padding):
                continue
            window = {"stride": (stride, 1 + stride % 2), "padding": (padding, padding[::-1])}
            Case(bits, (1, 6, 7, 4), (size, size, 4, 5), dilation=(dilation, 1), **window).check()


@widths
def test_kernels_larger_than_the_image_and_one_axis(bits):
    Case(bits, (2, 2, 3, 3), (5, 7, 3, 17), padding=((2, 2), (3, 3))).check()
    Case(bits, (2, 1, 1, 2), (3, 3, 2, 4), padding=((1, 1), (1, 1))).check()
    Case(bits, (3, 19, 4), (4, 4, 21), stride=(3,), padding=((2, 1),), dilation=(2,)).check()


@widths
@pytest.mark.parametrize(("channels", "filters"), [(1, 1), (5, 3), (17, 16), (20, 40)])
def test_input_gradients_without_padding(bits, channels, filters):
    for size, stride in ((1, 1), (3, 1), (2, 3), (5, 2)):
        Case(bits, (2, 13, 9, channels), (size, size, channels, filters), stride=(stride, 1)).check()
        Case(bits, (1, 14, 15, channels), (size, 3, channels, filters), stride=(stride, stride)).check()


@widths
@pytest.mark.parametrize(("channels", "filters", "groups"), [(1, 1, 5), (1, 1, 37), (2, 3, 4), (17, 9, 2), (1, 2, 33)])
def test_groups(bits, channels, filters, groups):
    for stride in (1, 2):
        window = {"stride": (stride, stride), "padding": ((1, 1), (0, 1))}
        shape = (3, 3, channels, filters * groups)
        Case(bits, (2, 5, 6, channels * groups), shape, groups=groups, **window).check()


@widths
@pytest.mark.parametrize("padding", [(0, 0), (1, 1)])
def test_no_bit_of_a_kernel_depends_on_the_threads(bits, padding):
    case = Case(bits, (3, 7, 6, 5), (3, 2, 5, 18), padding=(padding, padding))
    alone = case.of_kernel(1)
    for threads in (2, 3, 40):
        assert case.of_kernel(threads).tobytes() == alone.tobytes()


def test_no_bit_depends_on_the_width_of_the_vectors():
    found = set()
    for bits in (512, 256):
        case = Case(bits, (2, 9, 10, 7), (3, 3, 7, 37), padding=((1, 1), (2, 0)))
        found.add((case.forward().tobytes(), case.transposed().tobytes(), case.of_kernel(1).tobytes()))
    assert len(found) == 1
