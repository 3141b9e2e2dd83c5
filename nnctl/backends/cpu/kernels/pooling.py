"""Pooling: the largest element or the sum of each window, and their gradients. Images and geometry as in `windows`."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnctl.backends.cpu.codegen.decorators import compiled
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.kernels.windows import as_images, as_tuple, geometry_of
from nnctl.plan.plan import Launch


@compiled
def max_pool(x: Any, out: Any, geometry: Any, scratch: Any) -> None:
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
def maximum_place(x: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """The number of the first largest element's place in each window."""
    kh, kw, down, across, top, left, _, _ = geometry
    images, rows, columns, channels = out.shape
    for n in range(images):
        for i in range(rows):
            for j in range(columns):
                for c in range(channels):
                    out[n, i, j, c] = 0
                    scratch[c] = F(-np.inf)
                for a in range(max(0, top - i * down), min(kh, x.shape[1] + top - i * down)):
                    for b in range(max(0, left - j * across), min(kw, x.shape[2] + left - j * across)):
                        row, column, place = i * down + a - top, j * across + b - left, a * kw + b
                        for c in range(channels):
                            value = x[n, row, column, c]
                            ahead = value > scratch[c]
                            out[n, i, j, c] = place if ahead else out[n, i, j, c]
                            scratch[c] = value if ahead else scratch[c]


@compiled
def put_into_windows(g: Any, place: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """Each number of g added at one place of its window."""
    kh, kw, down, across, top, left, _, _ = geometry
    images, rows, columns, channels = g.shape
    for n in range(images):
        _clear(out[n])
        for i in range(rows):
            for j in range(columns):
                for a in range(max(0, top - i * down), min(kh, out.shape[1] + top - i * down)):
                    for b in range(max(0, left - j * across), min(kw, out.shape[2] + left - j * across)):
                        row, column, number = i * down + a - top, j * across + b - left, a * kw + b
                        for c in range(channels):
                            out[n, row, column, c] += g[n, i, j, c] if place[n, i, j, c] == number else F(0.0)


@compiled
def sum_pool(x: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """The sum over each window."""
    kh, kw, down, across, top, left, _, _ = geometry
    images, rows, columns, channels = out.shape
    for n in range(images):
        _clear(out[n])
        for i in range(rows):
            for j in range(columns):
                for a in range(max(0, top - i * down), min(kh, x.shape[1] + top - i * down)):
                    for b in range(max(0, left - j * across), min(kw, x.shape[2] + left - j * across)):
                        for c in range(channels):
                            out[n, i, j, c] += x[n, i * down + a - top, j * across + b - left, c]


@compiled
def spread_pool(g: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """Each number of g added at every place of its window."""
    kh, kw, down, across, top, left, _, _ = geometry
    images, rows, columns, channels = g.shape
    for n in range(images):
        _clear(out[n])
        for i in range(rows):
            for j in range(columns):
                for a in range(max(0, top - i * down), min(kh, out.shape[1] + top - i * down)):
                    for b in range(max(0, left - j * across), min(kw, out.shape[2] + left - j * across)):
                        for c in range(channels):
                            out[n, i * down + a - top, j * across + b - left, c] += g[n, i, j, c]


@compiled
def _clear(image: Any) -> None:
    """image ← 0."""
    rows, columns, channels = image.shape
    for i in range(rows):
        for j in range(columns):
            for c in range(channels):
                image[i, j, c] = F(0.0)


def _channels(launch: Launch) -> int:
    """Scratch for a number a channel."""
    return launch.inputs[0].shape[-1]


@emits(
    "max_pool",
    "maximum_place",
    "sum_pool",
    calls=(max_pool, maximum_place, sum_pool),
    scratch=_channels,
    rows=True,
)
def _pool(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    geometry = geometry_of(launch.attributes["size"], launch.attributes, x.shape[1:-1])
    images, result = as_images(writer, x, part_of(launch)), as_images(writer, out, part_of(launch))
    writer.line(f"{launch.op.name}({images}, {result}, {as_tuple(geometry)}, scratch)")


@emits("put_into_windows", "spread_pool", calls=(put_into_windows, spread_pool), rows=True)
def _unpool(writer: Writer, launch: Launch) -> None:
    out = launch.outputs[0]
    geometry = geometry_of(launch.attributes["size"], launch.attributes, out.shape[1:-1])
    read = ", ".join(as_images(writer, s, part_of(launch)) for s in launch.inputs)
    writer.line(f"{launch.op.name}({read}, {as_images(writer, out, part_of(launch))}, {as_tuple(geometry)}, scratch)")
