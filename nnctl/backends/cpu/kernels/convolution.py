"""Convolution by the product kernel, without unfolding the image.

An output row of an NHWC image is a matrix product: as the kernel moves by one
pixel its window moves by the channels of one, and the window's pixels of one
kernel row lie next to each other. So A's rows overlap, and the sum runs over
the kernel's rows as blocks of the product. Forward, kernel gradient and
input gradient are all written in terms of that one routine.

Images and geometry as in `windows`. w (kh, kw, channels, filters).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nnctl.backends.cpu.codegen.decorators import compiled
from nnctl.backends.cpu.codegen.intrinsics import gemm, window1, window3
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.gemm.product import product_scratch
from nnctl.backends.cpu.kernels.grouped_convolution import (
    grouped_convolution,
    grouped_convolution_kernel,
    grouped_convolution_transpose,
)
from nnctl.backends.cpu.kernels.windows import as_images, as_tuple, geometry_of, place, two
from nnctl.plan.plan import Launch


@compiled
def _convolved(x: Any, w: Any, kh: Any, kw: Any, down: Any, across: Any, out: Any, scratch: Any) -> None:
    """out (rows, columns, filters) ← x (height, width, channels) * w, w flat with kh·kw·channels rows."""
    _, width, channels = x.shape
    rows, columns, filters = out.shape
    flat_x, flat_out = x.reshape(x.size), out.reshape(out.size)
    for i in range(rows):
        start = i * down * width * channels
        gemm(
            0, 0, columns, filters, kw * channels, F(1.0), window1(flat_x, start, flat_x.size - start),
            across * channels, w, filters, F(0.0), window1(flat_out, i * columns * filters, columns * filters),
            filters, scratch, kh, width * channels,
        )  # fmt: skip


@compiled
def convolution(x: Any, w: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """out ← x * w for each image."""
    kh, kw, down, across, top, left, height, width = geometry
    channels = x.shape[3]
    size = height * width * channels
    rest = window1(scratch, size, scratch.size - size)
    for n in range(x.shape[0]):
        if height == x.shape[1] and width == x.shape[2]:
            _convolved(x[n], w, kh, kw, down, across, out[n], rest)
        else:
            around = window3(scratch, 0, height, width, channels)
            place(x[n], top, left, 1, 1, around)
            _convolved(around, w, kh, kw, down, across, out[n], rest)


@compiled
def convolution_transpose(y: Any, w: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """out (…, channels): what `convolution` does to y's cotangent; w (kh, kw, channels, filters).

    y with its pixels a stride apart, convolved with the kernel turned by half a circle.
    """
    kh, kw, down, across, top, left, _, _ = geometry
    channels, filters = w.shape[2], w.shape[3]
    turned = w.size
    for i in range(kh):
        for j in range(kw):
            base = ((kh - 1 - i) * kw + kw - 1 - j) * filters * channels
            for c in range(channels):
                for o in range(filters):
                    scratch[base + o * channels + c] = w[i, j, c, o]
    height, width = out.shape[1] + kh - 1, out.shape[2] + kw - 1
    size = height * width * filters
    around = window3(scratch, turned, height, width, filters)
    rest = window1(scratch, turned + size, scratch.size - turned - size)
    for n in range(y.shape[0]):
        place(y[n], kh - 1 - top, kw - 1 - left, down, across, around)
        _convolved(around, window1(scratch, 0, turned), kh, kw, 1, 1, out[n], rest)


@compiled
def convolution_kernel(
    x: Any, y: Any, first: Any, last: Any, step: Any, kw: Any, out: Any, geometry: Any, scratch: Any
) -> None:
    """Parts first … last − 1 of ∂C/∂w from all images; y: ∂C/∂(x * w). out: those parts, flat.

    A part is kw pixels of the kernel, and parts read the image `step` numbers apart.
    """
    _, _, down, across, top, left, height, width = geometry
    channels = x.shape[3]
    images, rows, columns, filters = y.shape
    size = height * width * channels
    rest = window1(scratch, size, scratch.size - size)
    part = kw * channels * filters
    flat_y = y.reshape(y.size)
    flat_x = x.reshape(x.size)
    plain = height == x.shape[1] and width == x.shape[2]
    for n in range(images):
        if not plain:
            place(x[n], top, left, 1, 1, window3(scratch, 0, height, width, channels))
        image = window1(flat_x, n * size, size) if plain else window1(scratch, 0, size)
        gradient = window1(flat_y, n * rows * columns * filters, rows * columns * filters)
        for i in range(first, last):
            start = i * step
            gemm(
                1, 0, kw * channels, filters, columns, F(1.0), window1(image, start, size - start),
                across * channels, gradient, filters, F(0.0) if n == 0 else F(1.0),
                window1(out, (i - first) * part, part), filters, rest, rows, down * width * channels,
            )  # fmt: skip


def _spacing(launch: Launch) -> tuple[int, int, int]:
    """(dilation down, dilation across, groups)."""
    return (*two(launch.attributes["dilation"], 1), launch.attributes["groups"])


def _call(launch: Launch, arguments: str, geometry: Sequence[int]) -> str:
    """The call of the op's function; of the one for dilation and groups where there are some."""
    spacing = _spacing(launch)
    if spacing == (1, 1, 1):
        return f"{launch.op.name}({arguments}, {as_tuple(geometry)}, scratch)"
    return f"grouped_{launch.op.name}({arguments}, {as_tuple(geometry)}, {as_tuple(spacing)}, scratch)"


def _forward_geometry(launch: Launch) -> tuple[int, ...]:
    x, w = launch.inputs
    return geometry_of(w.shape[:-2], launch.attributes, x.shape[1:-1])


def _scratch(launch: Launch) -> int:
    """Of an image with its padding, and of one product."""
    x, w = launch.inputs
    geometry = _forward_geometry(launch)
    padded = geometry[6] * geometry[7] * x.shape[-1]
    return padded + product_scratch(1, math.prod(w.shape[:-1]), transposed=False)


@emits("convolution", calls=(convolution, grouped_convolution), scratch=_scratch, rows=True, full=(1,))
def _convolution(writer: Writer, launch: Launch) -> None:
    x, w = launch.inputs
    part = part_of(launch)
    images, result = as_images(writer, x, part), as_images(writer, launch.outputs[0], part)
    writer.line(_call(launch, f"{images}, {writer.view(w, 'full')}, {result}", _forward_geometry(launch)))


def _transpose_geometry(launch: Launch) -> tuple[int, ...]:
    w, out = launch.inputs[1], launch.outputs[0]
    return geometry_of(w.shape[:-2], launch.attributes, out.shape[1:-1])


def _transpose_scratch(launch: Launch) -> int:
    """Of the turned kernel, of y with its pixels a stride apart, and of one product."""
    w, out = launch.inputs[1], launch.outputs[0]
    kh, kw = _transpose_geometry(launch)[:2]
    down, across, _ = _spacing(launch)
    height, width = two(out.shape[1:-1], 1)
    spread: int = (height + (kh - 1) * down) * (width + (kw - 1) * across) * w.shape[-1]
    return math.prod(w.shape) + spread + product_scratch(1, kh * kw * w.shape[-1], transposed=False)


@emits(
    "convolution_transpose",
    calls=(convolution_transpose, grouped_convolution_transpose),
    scratch=_transpose_scratch,
    rows=True,
    full=(1,),
)
def _convolution_transpose(writer: Writer, launch: Launch) -> None:
    y, w = launch.inputs
    geometry = _transpose_geometry(launch)
    kw = geometry[1]
    kernel = writer.view(w, "full", ["-", kw, *w.shape[-2:]] if len(w.shape) == 4 else None)
    if len(w.shape) == 3:
        kernel = f"window4({kernel}, 0, 1, {kw}, {w.shape[-2]}, {w.shape[-1]})"
    part = part_of(launch)
    images, result = as_images(writer, y, part), as_images(writer, launch.outputs[0], part)
    writer.line(_call(launch, f"{images}, {kernel}, {result}", geometry))


def _kernel_geometry(launch: Launch) -> tuple[int, ...]:
    return geometry_of(launch.attributes["kernel"], launch.attributes, launch.inputs[0].shape[1:-1])


def _kernel_scratch(launch: Launch) -> int:
    """Of an image with its padding, and of one product."""
    x, y = launch.inputs
    geometry = _kernel_geometry(launch)
    padded = geometry[6] * geometry[7] * x.shape[-1]
    return padded + product_scratch(1, math.prod(y.shape[1:-1]), transposed=False)


@emits(
    "convolution_kernel", calls=(convolution_kernel, grouped_convolution_kernel), scratch=_kernel_scratch, blocks=True
)
def _convolution_kernel(writer: Writer, launch: Launch) -> None:
    x, y = launch.inputs
    out = launch.outputs[0]
    geometry = _kernel_geometry(launch)
    dilation_down, dilation_across, _ = _spacing(launch)
    images, gradients = as_images(writer, x, "full"), as_images(writer, y, "full")
    # A thread makes some rows of the kernel; of a kernel of one row some columns.
    channels = x.shape[-1]
    step, across = channels * dilation_across, 1
    if len(out.shape) == 4:
        step, across = geometry[7] * channels * dilation_down, geometry[1]
    part = part_of(launch)
    first, last = writer.bounds(out) if part == "partition" else ("0", str(out.shape[0]))
    arguments = f"{images}, {gradients}, {first}, {last}, {step}, {across}, {writer.view(out, part)}"
    writer.line(_call(launch, arguments, geometry))
