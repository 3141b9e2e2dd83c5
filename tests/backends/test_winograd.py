"""Convolutions with fewer multiplications against the reference bodies, and their bits on any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.compiled_calls import call
from backends.spec_steps import spec_steps
from backends.test_steps import after, bits_after
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.backends.cpu.codegen.entries import Call
from nnctl.backends.cpu.codegen.source import generate
from nnctl.backends.cpu.convolve.choice import by_winograd
from nnctl.backends.cpu.gemm.product import panel_width
from nnctl.backends.cpu.kernels.winograd import winograd_kernel_scratch, winograd_scratch
from nnctl.backends.registry import reference_backend
from nnctl.graph.builder import GraphBuilder
from nnctl.ops import OPS
from nnctl.ops.shapes import BATCH

pytestmark = pytest.mark.compile

GUARD = 64
"""Elements around what is written that must stay as they are."""
SHAPES = [
    # Images, their lengths, channels and filters, padding above and below, to the left and right.
    ((2, 8, 8), 32, 32, ((1, 1), (1, 1))),
    ((3, 7, 9), 33, 50, ((1, 1), (1, 1))),
    ((1, 6, 13), 47, 32, ((0, 0), (0, 0))),
    ((2, 5, 4), 34, 129, ((2, 0), (1, 2))),
    ((70, 4, 5), 40, 36, ((0, 2), (2, 1))),
    ((1, 21, 24), 32, 49, ((5, 4), (0, 3))),
]
each = pytest.mark.parametrize(("images", "channels", "filters", "padding"), SHAPES)


class Arrays:
    """Those of a convolution, whose results have guards around them and scratch of NaN."""

    def __init__(self, images: Any, channels: int, filters: int, padding: Any) -> None:
        rng = np.random.default_rng(channels)
        count, *lengths = images
        positions = [n + sum(pads) - 2 for n, pads in zip(lengths, padding, strict=True)]
        shapes = ((*images, channels), (3, 3, channels, filters), (count, *positions, filters))
        self.x, self.w, self.y = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
        self.window = {"stride": (1, 1), "padding": padding, "dilation": (1, 1), "groups": 1}
        self.first = (padding[0][0], padding[1][0])
        self.channels, self.filters = channels, filters

    def forward(self, x: Any) -> Any:
        return _within(
            (len(x), *self.y.shape[1:]),
            lambda out: call("winograd", x, self.w.reshape(-1), out, self.first, 0, panel_width(),
                             _scratch(winograd_scratch(self.channels, self.filters))),
        )  # fmt: skip

    def transposed(self, y: Any) -> Any:
        return _within(
            (len(y), *self.x.shape[1:]),
            lambda out: call("winograd", y, self.w.reshape(-1), out, self.first, 1, panel_width(),
                             _scratch(winograd_scratch(self.filters, self.channels))),
        )  # fmt: skip

    def of_kernel(self, threads: int) -> Any:
        rows = 9 * self.channels

        def part(out: Any) -> None:
            for thread in range(threads):
                first, last = rows * thread // threads, rows * (thread + 1) // threads
                call("winograd_kernel", self.x, self.y, first, last, out.reshape(-1), self.first,
                     _scratch(winograd_kernel_scratch(self.channels, self.filters)))  # fmt: skip

        return _within(self.w.shape, part)


def _scratch(floats: int) -> Any:
    return np.full(floats, np.nan, np.float32)


def _within(shape: Any, make: Any) -> Any:
    size = int(np.prod(shape))
    memory = np.full(size + 2 * GUARD, -3.0, np.float32)
    memory[GUARD : GUARD + size] = np.nan
    result = memory[GUARD : GUARD + size].reshape(shape)
    make(result)
    assert np.all(memory[:GUARD] == -3.0)
    assert np.all(memory[-GUARD:] == -3.0)
    return result


def _agree(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-6 * float(np.max(np.abs(expected))))


@each
def test_results_are_those_of_the_reference_bodies(images, channels, filters, padding):
    arrays = Arrays(images, channels, filters, padding)
    x, w, y = (a.astype(float) for a in (arrays.x, arrays.w, arrays.y))
    body = {name: OPS[name].body for name in ("convolution", "convolution_transpose", "convolution_kernel")}
    _agree(arrays.forward(arrays.x), body["convolution"](np, x, w, **arrays.window))
    _agree(arrays.transposed(arrays.y), body["convolution_transpose"](np, y, w, lengths=x.shape[1:-1], **arrays.window))
    _agree(arrays.of_kernel(1), body["convolution_kernel"](np, x, y, kernel=(3, 3), **arrays.window))


@each
def test_no_bit_depends_on_the_threads_or_on_the_other_images(images, channels, filters, padding):
    arrays = Arrays(images, channels, filters, padding)
    for make, given in ((arrays.forward, arrays.x), (arrays.transposed, arrays.y)):
        alone = np.concatenate([make(np.ascontiguousarray(given[i : i + 1])) for i in range(len(given))])
        assert alone.tobytes() == make(given).tobytes()
    whole = arrays.of_kernel(1).tobytes()
    for threads in (2, 3, 7, 40):
        assert arrays.of_kernel(threads).tobytes() == whole


def test_whole_numbers_are_exact():
    """The numbers that are multiplied are quarters of whole ones."""
    arrays = Arrays((2, 8, 6), 32, 40, ((1, 1), (1, 1)))
    arrays.x, arrays.w, arrays.y = (np.round(4 * a) for a in (arrays.x, arrays.w, arrays.y))
    exact = OPS["convolution"].body(np, arrays.x.astype(float), arrays.w.astype(float), **arrays.window)
    np.testing.assert_array_equal(arrays.forward(arrays.x), exact)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"w": (3, 3, 31, 64)}, False),
        ({"w": (3, 3, 64, 31)}, False),
        ({"w": (5, 5, 64, 64)}, False),
        ({"w": (3, 64, 64), "stride": (1,), "dilation": (1,), "positions": (9,)}, False),
        ({"stride": (1, 2)}, False),
        ({"dilation": (2, 1)}, False),
        ({"groups": 2}, False),
        ({"positions": (4, 3)}, False),
    ],
)
def test_the_choice_hangs_on_the_shapes_of_a_layer_alone(changed, expected):
    given = {"w": (3, 3, 32, 32), "stride": (1, 1), "dilation": (1, 1), "groups": 1, "positions": (4, 4)} | changed
    window = {name: given[name] for name in ("stride", "dilation", "groups")}
    assert by_winograd(given["w"], window, given["positions"]) is expected


def test_both_directions_share_a_function():
    builder = GraphBuilder("wide")
    w = builder.input("w", (3, 3, 32, 32))
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    y = builder.apply("convolution", builder.input("x", (BATCH, 8, 8, 32)), w, **window)
    x = builder.apply("convolution_transpose", y, w, lengths=(8, 8), **window)
    plan = CpuBackend(1).plan(builder.graph({"back": x}), {"batch": 4})
    calls = [entry for entry in generate(plan).entries if isinstance(entry, Call) and entry.launch is not None]
    assert len(calls) == 2
    assert calls[0].kind == calls[1].kind


def test_steps_are_those_of_the_reference_and_equal_on_all_threads(tmp_path):
    path = tmp_path / "wide.yaml"
    path.write_text(
        "data: digits\n"
        "layers:\n"
        "  - {type: conv2d, filters: 32, kernel: 3, padding: same, activation: relu}\n"
        "  - {type: conv2d, filters: 40, kernel: 3, padding: same, bias: false}\n"
        "  - batch_norm\n"
        "  - {type: max_pool, size: 2}\n"
        "  - {type: conv2d, filters: 33, kernel: 3, padding: same_lower, activation: relu}\n"
        "  - flatten\n"
        "  - {type: dense, units: 10, activation: softmax}\n"
        "cost: log_likelihood\noptimizer: sgd\n"
    )
    steps = spec_steps(path, 7, 20)
    expected, measured = after(reference_backend(), steps, 3)
    found, outputs = after(CpuBackend(2), steps, 3)
    np.testing.assert_allclose(outputs["cost"], measured["cost"], rtol=1e-5)
    for name, array in expected.items():
        size = float(np.max(np.abs(array), initial=0.0))
        np.testing.assert_allclose(found[name], array, rtol=0.0, atol=1e-5 * size, err_msg=name)
    alone = bits_after(steps, 1, 2)
    for threads in (2, 3):
        assert bits_after(steps, threads, 2) == alone, threads
