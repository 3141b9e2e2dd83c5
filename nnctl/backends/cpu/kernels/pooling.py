"""Pooling: the largest element or the sum of each window, and their gradients.

Images as in `windows`. geometry: the tuple (kh, kw, stride down, stride across, padding above, padding to
the left, dilation down, dilation across).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import apart, compiled, independent
from nnctl.backends.cpu.kernels.windows import as_images, as_tuple, two
from nnctl.plan.plan import Launch

_CHANNELS = 8
"""Channels that are treated together, the last of them, too: by itself each waits where a processor guesses wrong."""


@compiled
def larger(a: Any, b: Any) -> Any:
    """The larger of two numbers, or what is none of them."""
    return a if a >= b or a != a else b


@compiled
def inside(start: Any, apart: Any, size: Any, length: Any) -> Any:
    """(first, end) of the places of a window from `start` on that lie inside the image, along one axis."""
    if apart == 1:
        return max(0, -start), min(size, length - start)
    return max(0, (apart - 1 - start) // apart), min(size, (length - start + apart - 1) // apart)


@compiled
def max_pool(x: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """The largest element of each window."""
    images = out.shape[0]
    for n in range(images):
        if in_fours(x, out, geometry):
            _largest_of_fours(x[n], out[n])
        else:
            _largest_of_windows(x[n], out[n], geometry)


@compiled
def in_fours(x: Any, pooled: Any, geometry: Any) -> Any:
    """True for windows of two by two that lie side by side in x."""
    kh, kw, down, across, top, left, apart, aside = geometry
    fits = 2 * pooled.shape[1] <= x.shape[1] and 2 * pooled.shape[2] <= x.shape[2]
    fours = kh == 2 and kw == 2 and down == 2 and across == 2 and apart == 1 and aside == 1
    return fits and fours and top == 0 and left == 0


@apart
def _largest_of_fours(x: Any, out: Any) -> None:
    rows, columns, channels = out.shape
    for i in range(rows):
        for j in range(columns):
            for c in independent(channels):
                upper = larger(x[2 * i, 2 * j, c], x[2 * i, 2 * j + 1, c])
                lower = larger(x[2 * i + 1, 2 * j, c], x[2 * i + 1, 2 * j + 1, c])
                out[i, j, c] = larger(upper, lower)


@apart
def _largest_of_windows(x: Any, out: Any, geometry: Any) -> None:
    kh, kw, down, across, top, left, apart, aside = geometry
    rows, columns, channels = out.shape
    for i in range(rows):
        above, below = inside(i * down - top, apart, kh, x.shape[0])
        for j in range(columns):
            before, behind = inside(j * across - left, aside, kw, x.shape[1])
            for c in independent(channels):
                out[i, j, c] = x[i * down + above * apart - top, j * across + before * aside - left, c]
            for a in range(above, below):
                for b in range(before, behind):
                    row, column = i * down + a * apart - top, j * across + b * aside - left
                    for c in independent(channels):
                        out[i, j, c] = larger(out[i, j, c], x[row, column, c])


@compiled
def max_pool_gradient(g: Any, x: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """Each number of g added where the largest element of its window of x is, the first of several."""
    images = g.shape[0]
    for n in range(images):
        if in_fours(x, g, geometry):
            _into_fours(g[n], x[n], out[n])
        else:
            _into_windows(g[n], x[n], out[n], geometry, scratch)


@apart
def _into_fours(g: Any, x: Any, out: Any) -> None:
    rows, columns, channels = g.shape
    if 2 * rows < out.shape[0] or 2 * columns < out.shape[1]:
        _clear(out)
    vectors = (channels + _CHANNELS - 1) // _CHANNELS
    for i in range(rows):
        for j in range(columns):
            if channels < _CHANNELS:
                _into_four(g, x, out, i, j, 0, channels)
            else:
                for v in range(vectors):
                    # The last ends with the last channel: what is made twice is the same.
                    _into_four(g, x, out, i, j, min(v * _CHANNELS, channels - _CHANNELS), _CHANNELS)


@compiled
def _into_four(g: Any, x: Any, out: Any, i: Any, j: Any, begin: Any, count: Any) -> None:
    """Of one window so many channels from `begin` on."""
    for k in independent(count):
        c = begin + k
        first, second = x[2 * i, 2 * j, c], x[2 * i, 2 * j + 1, c]
        third, fourth = x[2 * i + 1, 2 * j, c], x[2 * i + 1, 2 * j + 1, c]
        upper = second if second > first else first
        lower = fourth if fourth > third else third
        gradient = g[i, j, c]
        above = F(0.0) if lower > upper else gradient
        below = gradient if lower > upper else F(0.0)
        out[2 * i, 2 * j, c] = F(0.0) if second > first else above
        out[2 * i, 2 * j + 1, c] = above if second > first else F(0.0)
        out[2 * i + 1, 2 * j, c] = F(0.0) if fourth > third else below
        out[2 * i + 1, 2 * j + 1, c] = below if fourth > third else F(0.0)


@apart
def _into_windows(g: Any, x: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """The same for any windows; scratch has the largest of each channel so far, and the number of its place."""
    kh, kw, down, across, top, left, apart, aside = geometry
    rows, columns, channels = g.shape
    _clear(out)
    for i in range(rows):
        above, below = inside(i * down - top, apart, kh, x.shape[0])
        for j in range(columns):
            before, behind = inside(j * across - left, aside, kw, x.shape[1])
            for c in independent(channels):
                scratch[c] = x[i * down + above * apart - top, j * across + before * aside - left, c]
                scratch[channels + c] = F(above * kw + before)
            for a in range(above, below):
                for b in range(before, behind):
                    number = F(a * kw + b)
                    for c in independent(channels):
                        value = x[i * down + a * apart - top, j * across + b * aside - left, c]
                        ahead = value > scratch[c]
                        scratch[channels + c] = number if ahead else scratch[channels + c]
                        scratch[c] = value if ahead else scratch[c]
            for a in range(above, below):
                for b in range(before, behind):
                    number = F(a * kw + b)
                    row, column = i * down + a * apart - top, j * across + b * aside - left
                    for c in independent(channels):
                        out[row, column, c] += g[i, j, c] if scratch[channels + c] == number else F(0.0)


@compiled
def maximum_place(x: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """The number of the first largest element's place in each window."""
    kh, kw, down, across, top, left, apart, aside = geometry
    images, rows, columns, channels = out.shape
    for n in range(images):
        for i in range(rows):
            above, below = inside(i * down - top, apart, kh, x.shape[1])
            for j in range(columns):
                before, behind = inside(j * across - left, aside, kw, x.shape[2])
                for c in independent(channels):
                    out[n, i, j, c] = 0
                    scratch[c] = F(-np.inf)
                for a in range(above, below):
                    for b in range(before, behind):
                        row, column, place = i * down + a * apart - top, j * across + b * aside - left, a * kw + b
                        for c in independent(channels):
                            value = x[n, row, column, c]
                            ahead = value > scratch[c]
                            out[n, i, j, c] = place if ahead else out[n, i, j, c]
                            scratch[c] = value if ahead else scratch[c]


@compiled
def put_into_windows(g: Any, place: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """Each number of g added at one place of its window."""
    kh, kw, down, across, top, left, apart, aside = geometry
    images, rows, columns, channels = g.shape
    for n in range(images):
        _clear(out[n])
        for i in range(rows):
            above, below = inside(i * down - top, apart, kh, out.shape[1])
            for j in range(columns):
                before, behind = inside(j * across - left, aside, kw, out.shape[2])
                for a in range(above, below):
                    for b in range(before, behind):
                        row, column, number = i * down + a * apart - top, j * across + b * aside - left, a * kw + b
                        for c in independent(channels):
                            out[n, row, column, c] += g[n, i, j, c] if place[n, i, j, c] == number else F(0.0)


@compiled
def sum_pool(x: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """The sum over each window."""
    kh, kw, down, across, top, left, apart, aside = geometry
    images, rows, columns, channels = out.shape
    for n in range(images):
        _clear(out[n])
        for i in range(rows):
            above, below = inside(i * down - top, apart, kh, x.shape[1])
            for j in range(columns):
                before, behind = inside(j * across - left, aside, kw, x.shape[2])
                for a in range(above, below):
                    for b in range(before, behind):
                        for c in independent(channels):
                            out[n, i, j, c] += x[n, i * down + a * apart - top, j * across + b * aside - left, c]


@compiled
def spread_pool(g: Any, out: Any, geometry: Any, scratch: Any) -> None:
    """Each number of g added at every place of its window."""
    kh, kw, down, across, top, left, apart, aside = geometry
    images, rows, columns, channels = g.shape
    for n in range(images):
        _clear(out[n])
        for i in range(rows):
            above, below = inside(i * down - top, apart, kh, out.shape[1])
            for j in range(columns):
                before, behind = inside(j * across - left, aside, kw, out.shape[2])
                for a in range(above, below):
                    for b in range(before, behind):
                        for c in independent(channels):
                            out[n, i * down + a * apart - top, j * across + b * aside - left, c] += g[n, i, j, c]


@compiled
def _clear(image: Any) -> None:
    """image ← 0."""
    rows, columns, channels = image.shape
    for i in range(rows):
        for j in range(columns):
            for c in independent(channels):
                image[i, j, c] = F(0.0)


def _geometry(launch: Launch) -> str:
    """The geometry as the text of a tuple."""
    window, pairs = launch.attributes, two(launch.attributes["padding"], (0, 0))
    sizes = (*two(window["size"], 1), *two(window["stride"], 1), *(before for before, _ in pairs))
    return as_tuple((*sizes, *two(window["dilation"], 1)))


def _two_a_channel(launch: Launch) -> int:
    """Scratch for two numbers a channel."""
    return 2 * launch.inputs[0].shape[-1]


@emits(
    "max_pool",
    "maximum_place",
    "sum_pool",
    calls=(max_pool, maximum_place, sum_pool),
    scratch=_two_a_channel,
    rows=True,
)
def _pool(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    images, result = as_images(writer, x, part_of(launch)), as_images(writer, out, part_of(launch))
    writer.line(f"{launch.op.name}({images}, {result}, {_geometry(launch)}, scratch)")


@emits(
    "max_pool_gradient",
    "put_into_windows",
    "spread_pool",
    calls=(max_pool_gradient, put_into_windows, spread_pool),
    scratch=_two_a_channel,
    rows=True,
)
def _unpool(writer: Writer, launch: Launch) -> None:
    out = launch.outputs[0]
    read = ", ".join(as_images(writer, s, part_of(launch)) for s in launch.inputs)
    writer.line(f"{launch.op.name}({read}, {as_images(writer, out, part_of(launch))}, {_geometry(launch)}, scratch)")
