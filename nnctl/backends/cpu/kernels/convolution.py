"""Convolution and pooling, compiled; convolution by the product kernel, without unfolding the image.

An output row of an NHWC image is a matrix product: as the kernel moves by one
pixel its window moves by the channels of one, and the window's pixels of one
kernel row lie next to each other. So A's rows overlap, and the sum runs over
the kernel's rows as stretches of the product. Forward, kernel gradient and
input gradient are all written in terms of that one routine.

Images x (images, height, width, channels); a thread gets its own. w (kh, kw, channels,
filters). geometry: the tuple (kh, kw, stride down, stride across, padding above, padding
to the left, height with padding, width with padding).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnctl.backends.cpu.codegen.intrinsics import gemm, window1, window3
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.kernels.library import compiled


@compiled
def placed(x: Any, top: Any, left: Any, down: Any, across: Any, out: Any) -> None:
    """x (height, width, channels) into zeros: pixel (i, j) to (top + i·down, left + j·across), if that is inside."""
    rows, columns, channels = out.shape
    for i in range(rows):
        for j in range(columns):
            for c in range(channels):
                out[i, j, c] = F(0.0)
    height, width, _ = x.shape
    for i in range(height):
        row = top + i * down
        if row < 0 or row >= rows:
            continue
        for j in range(width):
            column = left + j * across
            if column >= 0 and column < columns:
                for c in range(channels):
                    out[row, column, c] = x[i, j, c]


@compiled
def _convolved(x: Any, w: Any, kh: Any, kw: Any, down: Any, across: Any, out: Any, room: Any) -> None:
    """out (rows, columns, filters) ← x (height, width, channels) * w, w flat with kh·kw·channels rows."""
    _, width, channels = x.shape
    rows, columns, filters = out.shape
    flat_x, flat_out = x.reshape(x.size), out.reshape(out.size)
    for i in range(rows):
        start = i * down * width * channels
        gemm(
            0, 0, columns, filters, kw * channels, F(1.0), window1(flat_x, start, flat_x.size - start),
            across * channels, w, filters, F(0.0), window1(flat_out, i * columns * filters, columns * filters),
            filters, room, kh, width * channels,
        )  # fmt: skip


@compiled
def convolution(x: Any, w: Any, out: Any, geometry: Any, room: Any) -> None:
    """out ← x * w for each image."""
    kh, kw, down, across, top, left, height, width = geometry
    channels = x.shape[3]
    size = height * width * channels
    rest = window1(room, size, room.size - size)
    for n in range(x.shape[0]):
        if height == x.shape[1] and width == x.shape[2]:
            _convolved(x[n], w, kh, kw, down, across, out[n], rest)
        else:
            around = window3(room, 0, height, width, channels)
            placed(x[n], top, left, 1, 1, around)
            _convolved(around, w, kh, kw, down, across, out[n], rest)


@compiled
def convolution_transpose(y: Any, w: Any, out: Any, geometry: Any, room: Any) -> None:
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
                    room[base + o * channels + c] = w[i, j, c, o]
    height, width = out.shape[1] + kh - 1, out.shape[2] + kw - 1
    size = height * width * filters
    around = window3(room, turned, height, width, filters)
    rest = window1(room, turned + size, room.size - turned - size)
    for n in range(y.shape[0]):
        placed(y[n], kh - 1 - top, kw - 1 - left, down, across, around)
        _convolved(around, window1(room, 0, turned), kh, kw, 1, 1, out[n], rest)


@compiled
def convolution_kernel(
    x: Any, y: Any, first: Any, last: Any, step: Any, kw: Any, out: Any, geometry: Any, room: Any
) -> None:
    """Parts first … last − 1 of ∂C/∂w from all images; y: ∂C/∂(x * w). out: those parts, flat.

    A part is kw pixels of the kernel, and parts meet the image `step` numbers apart.
    """
    _, _, down, across, top, left, height, width = geometry
    channels = x.shape[3]
    images, rows, columns, filters = y.shape
    size = height * width * channels
    rest = window1(room, size, room.size - size)
    part = kw * channels * filters
    flat_y = y.reshape(y.size)
    flat_x = x.reshape(x.size)
    plain = height == x.shape[1] and width == x.shape[2]
    for n in range(images):
        if not plain:
            placed(x[n], top, left, 1, 1, window3(room, 0, height, width, channels))
        image = window1(flat_x, n * size, size) if plain else window1(room, 0, size)
        gradient = window1(flat_y, n * rows * columns * filters, rows * columns * filters)
        for i in range(first, last):
            start = i * step
            gemm(
                1, 0, kw * channels, filters, columns, F(1.0), window1(image, start, size - start),
                across * channels, gradient, filters, F(0.0) if n == 0 else F(1.0),
                window1(out, (i - first) * part, part), filters, rest, rows, down * width * channels,
            )  # fmt: skip


@compiled
def max_pool(x: Any, out: Any, geometry: Any, room: Any) -> None:
    """The largest element of each window."""
    kh, kw, down, across, top, left, _, _ = geometry
    images, rows, columns, channels = out.shape
    for n in range(images):
        for i in range(rows):
            for j in range(columns):
                for c in range(channels):
                    out[n, i, j, c] = F(-np.inf)
                for a in range(max(0, top - i * down), min(kh, x.shape[1] + top - i * down)):
                    for b in range(max(0, left - j * across), min(kw, x.shape[2] + left - j * across)):
                        row, column = i * down + a - top, j * across + b - left
                        for c in range(channels):
                            value = x[n, row, column, c]
                            largest = out[n, i, j, c]
                            out[n, i, j, c] = largest if largest >= value else value


@compiled
def maximum_place(x: Any, out: Any, geometry: Any, room: Any) -> None:
    """The number of the first largest element's place in each window."""
    kh, kw, down, across, top, left, _, _ = geometry
    images, rows, columns, channels = out.shape
    for n in range(images):
        for i in range(rows):
            for j in range(columns):
                for c in range(channels):
                    out[n, i, j, c] = 0
                    room[c] = F(-np.inf)
                for a in range(max(0, top - i * down), min(kh, x.shape[1] + top - i * down)):
                    for b in range(max(0, left - j * across), min(kw, x.shape[2] + left - j * across)):
                        row, column, place = i * down + a - top, j * across + b - left, a * kw + b
                        for c in range(channels):
                            value = x[n, row, column, c]
                            ahead = value > room[c]
                            out[n, i, j, c] = place if ahead else out[n, i, j, c]
                            room[c] = value if ahead else room[c]


@compiled
def put_into_windows(g: Any, place: Any, out: Any, geometry: Any, room: Any) -> None:
    """Each number of g added at one place of its window."""
    kh, kw, down, across, top, left, _, _ = geometry
    images, rows, columns, channels = g.shape
    for n in range(images):
        _cleared(out[n])
        for i in range(rows):
            for j in range(columns):
                for a in range(max(0, top - i * down), min(kh, out.shape[1] + top - i * down)):
                    for b in range(max(0, left - j * across), min(kw, out.shape[2] + left - j * across)):
                        row, column, number = i * down + a - top, j * across + b - left, a * kw + b
                        for c in range(channels):
                            out[n, row, column, c] += g[n, i, j, c] if place[n, i, j, c] == number else F(0.0)


@compiled
def sum_pool(x: Any, out: Any, geometry: Any, room: Any) -> None:
    """The sum over each window."""
    kh, kw, down, across, top, left, _, _ = geometry
    images, rows, columns, channels = out.shape
    for n in range(images):
        _cleared(out[n])
        for i in range(rows):
            for j in range(columns):
                for a in range(max(0, top - i * down), min(kh, x.shape[1] + top - i * down)):
                    for b in range(max(0, left - j * across), min(kw, x.shape[2] + left - j * across)):
                        for c in range(channels):
                            out[n, i, j, c] += x[n, i * down + a - top, j * across + b - left, c]


@compiled
def spread_pool(g: Any, out: Any, geometry: Any, room: Any) -> None:
    """Each number of g added at every place of its window."""
    kh, kw, down, across, top, left, _, _ = geometry
    images, rows, columns, channels = g.shape
    for n in range(images):
        _cleared(out[n])
        for i in range(rows):
            for j in range(columns):
                for a in range(max(0, top - i * down), min(kh, out.shape[1] + top - i * down)):
                    for b in range(max(0, left - j * across), min(kw, out.shape[2] + left - j * across)):
                        for c in range(channels):
                            out[n, i * down + a - top, j * across + b - left, c] += g[n, i, j, c]


@compiled
def _cleared(image: Any) -> None:
    """image ← 0."""
    rows, columns, channels = image.shape
    for i in range(rows):
        for j in range(columns):
            for c in range(channels):
                image[i, j, c] = F(0.0)
