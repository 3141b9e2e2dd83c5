"""Convolution with dilation or channels in groups: as in `convolution`, but a kernel row at a time.

A row's pixels lie a dilation apart, and of each a group has some channels: they are the
blocks of a product, of which there is one for each row of the kernel and group.
spacing: the tuple (dilation down, dilation across, groups). The emitters of `convolution`
call these functions.
"""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.codegen.decorators import compiled
from nnctl.backends.cpu.codegen.intrinsics import gemm, window1, window3
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.kernels.windows import place


@compiled
def _convolved(x: Any, w: Any, kernel: Any, stride: Any, spacing: Any, out: Any, scratch: Any) -> None:
    """out (rows, columns, filters) ← x (height, width, channels) * w, w flat (kh, kw, channels/groups, filters)."""
    (kh, kw), (down, across), (dilation_down, dilation_across, groups) = kernel, stride, spacing
    _, width, channels = x.shape
    rows, columns, filters = out.shape
    read, made = channels // groups, filters // groups
    flat_x, flat_out = x.reshape(x.size), out.reshape(out.size)
    for i in range(rows):
        for a in range(kh):
            row = (i * down + a * dilation_down) * width * channels
            for g in range(groups):
                start, weights = row + g * read, a * kw * read * filters + g * made
                result = i * columns * filters + g * made
                gemm(
                    0, 0, columns, made, read, F(1.0), window1(flat_x, start, flat_x.size - start),
                    across * channels, window1(w, weights, w.size - weights), filters, F(0.0) if a == 0 else F(1.0),
                    window1(flat_out, result, flat_out.size - result), filters, scratch, kw, dilation_across * channels,
                )  # fmt: skip


@compiled
def grouped_convolution(x: Any, w: Any, out: Any, geometry: Any, spacing: Any, scratch: Any) -> None:
    """out ← x * w for each image."""
    kh, kw, down, across, top, left, height, width = geometry
    size = height * width * x.shape[3]
    around = window3(scratch, 0, height, width, x.shape[3])
    rest = window1(scratch, size, scratch.size - size)
    for n in range(x.shape[0]):
        place(x[n], top, left, 1, 1, around)
        _convolved(around, w, (kh, kw), (down, across), spacing, out[n], rest)


@compiled
def grouped_convolution_transpose(y: Any, w: Any, out: Any, geometry: Any, spacing: Any, scratch: Any) -> None:
    """out (…, channels): what `grouped_convolution` does to y's cotangent; w (kh, kw, channels/groups, filters).

    y with its pixels a stride apart, convolved with the kernel turned by half a circle.
    """
    kh, kw, down, across, top, left, _, _ = geometry
    dilation_down, dilation_across, groups = spacing
    read, filters = w.shape[2], w.shape[3]
    made, channels = filters // groups, out.shape[3]
    for a in range(kh):
        for b in range(kw):
            base = ((kh - 1 - a) * kw + kw - 1 - b) * made * channels
            for g in range(groups):
                for c in range(read):
                    for o in range(made):
                        scratch[base + o * channels + g * read + c] = w[a, b, c, g * made + o]
    turned = w.size
    above, before = (kh - 1) * dilation_down, (kw - 1) * dilation_across
    height, width = out.shape[1] + above, out.shape[2] + before
    size = height * width * filters
    around = window3(scratch, turned, height, width, filters)
    rest = window1(scratch, turned + size, scratch.size - turned - size)
    for n in range(y.shape[0]):
        place(y[n], above - top, before - left, down, across, around)
        _convolved(around, window1(scratch, 0, turned), (kh, kw), (1, 1), spacing, out[n], rest)


@compiled
def grouped_convolution_kernel(
    x: Any, y: Any, first: Any, last: Any, step: Any, kw: Any, out: Any, geometry: Any, spacing: Any, scratch: Any
) -> None:
    """Parts first … last − 1 of ∂C/∂w from all images; y: ∂C/∂(x * w). out: those parts, flat.

    A part is kw pixels of the kernel, and parts read the image `step` numbers apart.
    """
    _, _, down, across, top, left, height, width = geometry
    _, dilation_across, groups = spacing
    channels = x.shape[3]
    images, rows, columns, filters = y.shape
    read, made = channels // groups, filters // groups
    size, part = height * width * channels, kw * read * filters
    around, rest = window3(scratch, 0, height, width, channels), window1(scratch, size, scratch.size - size)
    flat_y = y.reshape(y.size)
    for n in range(images):
        place(x[n], top, left, 1, 1, around)
        for i in range(first, last):
            for b in range(kw):
                for g in range(groups):
                    start = i * step + b * dilation_across * channels + g * read
                    gradient = n * rows * columns * filters + g * made
                    result = (i - first) * part + b * read * filters + g * made
                    gemm(
                        1, 0, read, made, columns, F(1.0), window1(scratch, start, size - start), across * channels,
                        window1(flat_y, gradient, flat_y.size - gradient), filters, F(0.0) if n == 0 else F(1.0),
                        window1(out, result, out.size - result), filters, rest, rows, down * width * channels,
                    )  # fmt: skip
