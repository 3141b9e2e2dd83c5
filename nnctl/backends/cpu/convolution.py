"""Convolution by the product kernel, without unfolding the image.

An output row of an NHWC image is a matrix product: as the kernel moves by one
pixel its window moves by the channels of one, and the window's pixels of one
kernel row lie next to each other. So A's rows overlap, and the sum runs over the
kernel's rows as stretches of the product. What is written here is forward,
kernel gradient and input gradient in terms of that one routine.

x: (images, height, width, channels), padded already. w: (kh, kw, channels, filters).
"""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.intrinsics import gemm, window1
from nnctl.backends.cpu.library import compiled, fill
from nnctl.backends.cpu.mathematics import F


@compiled
def pad_image(x: Any, top: Any, left: Any, spread: Any, out: Any) -> None:
    """x (height, width, channels) into the middle of zeros, its pixels `spread` apart."""
    fill(window1(out.reshape(out.size), 0, out.size), F(0.0))
    height, width, channels = x.shape
    for i in range(height):
        for j in range(width):
            for c in range(channels):
                out[top + i * spread, left + j * spread, c] = x[i, j, c]


@compiled
def convolve_image(x: Any, w: Any, kh: Any, kw: Any, stride: Any, out: Any, room: Any) -> None:
    """out (height, width, filters) ← x (…, …, channels) * w, flat w of kh·kw·channels rows."""
    _, width, channels = x.shape
    rows, columns, filters = out.shape
    flat_x, flat_out = x.reshape(x.size), out.reshape(out.size)
    for i in range(rows):
        start = i * stride * width * channels
        gemm(
            0, 0, columns, filters, kw * channels, F(1.0), window1(flat_x, start, flat_x.size - start),
            stride * channels, w, filters, F(0.0), window1(flat_out, i * columns * filters, columns * filters),
            filters, room, kh, width * channels,
        )  # fmt: skip


@compiled
def add_kernel_gradient(
    x: Any, d: Any, first: Any, last: Any, kw: Any, stride: Any, beta: Any, out: Any, room: Any
) -> None:
    """Rows first … last − 1 of ∂C/∂w, β times themselves plus what one image adds; d: ∂C/∂out (rows, columns, filters)."""
    _, width, channels = x.shape
    rows, columns, filters = d.shape
    flat_x, flat_d = x.reshape(x.size), d.reshape(d.size)
    size = kw * channels * filters
    for i in range(first, last):
        start = i * width * channels
        gemm(
            1, 0, kw * channels, filters, columns, F(1.0), window1(flat_x, start, flat_x.size - start),
            stride * channels, flat_d, filters, beta, window1(out, (i - first) * size, size), filters, room,
            rows, stride * width * channels,
        )  # fmt: skip


@compiled
def flip_kernel(w: Any, out: Any) -> None:
    """w (kh, kw, channels, filters) turned by half a circle, channels and filters exchanged."""
    kh, kw, channels, filters = w.shape
    for i in range(kh):
        for j in range(kw):
            for c in range(channels):
                for o in range(filters):
                    out[kh - 1 - i, kw - 1 - j, o, c] = w[i, j, c, o]
