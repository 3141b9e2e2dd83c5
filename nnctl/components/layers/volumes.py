"""Windows over volumes, made of windows over images: the kernels, derivatives and fusions of these serve for both.

x (batch, depth, height, width, channels). A sum or a maximum over a box is that over its depth of those
over its slices, which are images; the first of several largest stays the first. A convolution is one over
images whose channels are those of all the slices that a kernel meets, side by side: one product with a
longer sum, at the price of a copy of x for each slice of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnctl.components.builder import Builder

_ACROSS = ("size", "stride", "padding", "dilation")
"""The attributes of a window that have a value for each axis."""


def pooled(builder: Builder, op: str, x: Any, window: Mapping[str, Any]) -> Any:
    """`max_pool` or `sum_pool` over one to three spatial axes."""
    if len(window["size"]) < 3:
        return builder.apply(op, x, **window)
    batch, depth, height, width, channels = x.shape
    slices = builder.apply("reshape", x, shape=(batch * depth, height, width, channels))
    images = builder.apply(op, slices, **_of_axes(window, slice(1, 3)))
    _, rows, columns, _ = images.shape
    # Along the depth a slice is one long row of channels.
    lines = builder.apply("reshape", images, shape=(batch, depth, rows * columns * channels))
    made = builder.apply(op, lines, **_of_axes(window, slice(0, 1)))
    return builder.apply("reshape", made, shape=(batch, made.shape[1], rows, columns, channels))


def spread(builder: Builder, x: Any, factors: tuple[int, ...]) -> Any:
    """Every element of x repeated `factors` times along one to three spatial axes."""
    batch, *lengths, channels = x.shape
    if len(lengths) < 3:
        longer = tuple(n * f for n, f in zip(lengths, factors))
        return builder.apply("spread_pool", x, lengths=longer, **side_by_side(factors))
    depth, height, width = lengths
    slices = builder.apply("reshape", x, shape=(batch * depth, height, width, channels))
    images = spread(builder, slices, factors[1:])
    _, rows, columns, _ = images.shape
    lines = builder.apply("reshape", images, shape=(batch, depth, rows * columns * channels))
    made = spread(builder, lines, factors[:1])
    return builder.apply("reshape", made, shape=(batch, made.shape[1], rows, columns, channels))


def side_by_side(size: tuple[int, ...]) -> dict[str, Any]:
    """The window of a size whose positions share nothing and leave nothing out."""
    return {"size": size, "stride": size, "padding": ((0, 0),) * len(size), "dilation": (1,) * len(size)}


def window_counts(builder: Builder, lengths: tuple[int, ...], window: Mapping[str, Any]) -> Any:
    """The number of places of each window inside the input, in a shape that broadcasts over what was pooled."""
    if len(lengths) < 3:
        return builder.apply("window_counts", lengths=lengths, **window)
    within = builder.apply("window_counts", lengths=lengths[1:], **_of_axes(window, slice(1, 3)))
    along = builder.apply("window_counts", lengths=lengths[:1], **_of_axes(window, slice(0, 1)))
    return builder.apply("reshape", along, shape=(along.shape[0], 1, 1, 1)) * within


def convolution(builder: Builder, x: Any, weight: Any, window: Mapping[str, Any]) -> Any:
    """The convolution of x with weight (*kernel, channels/groups, filters), over one to three spatial axes."""
    if len(x.shape) < 5:
        return builder.apply("convolution", x, weight, **window)
    slices, positions = _met(builder, x, weight.shape[0], window)
    kernels = _joined_kernels(builder, weight)
    images = builder.apply("convolution", slices, kernels, **_of_axes(window, slice(1, 3)), groups=window["groups"])
    return builder.apply("reshape", images, shape=(x.shape[0], positions, *images.shape[1:]))


def _of_axes(window: Mapping[str, Any], axes: slice) -> dict[str, Any]:
    """The window along some of its axes."""
    return {name: window[name][axes] for name in _ACROSS if name in window}


def _met(builder: Builder, x: Any, count: int, window: Mapping[str, Any]) -> tuple[Any, int]:
    """The slices that a kernel of `count` meets at each position along the depth, and the number of positions.

    They are (batch·positions, height, width, channels·count), each group's channels side by side.
    """
    batch, depth, height, width, channels = x.shape
    (before, after), step, distance = (window[name][0] for name in ("padding", "stride", "dilation"))
    positions = (before + depth + after - distance * (count - 1) - 1) // step + 1
    # Every step-th slice is the first of a group of `step`, and the last group is filled up.
    behind = max(0, distance * (count - 1) + positions * step - before - depth)
    if before or behind:
        x = builder.apply("pad", x, axis=1, before=before, after=behind)
    groups = window["groups"]
    shape = (batch * positions, height, width, groups, channels // groups)
    met = []
    for place in range(count):
        start = place * distance
        part = builder.apply("slice", x, axis=1, start=start, stop=start + positions * step)
        if step > 1:
            grouped = builder.apply("reshape", part, shape=(batch, positions, step, height, width, channels))
            part = builder.apply("slice", grouped, axis=2, start=0, stop=1)
        met.append(builder.apply("reshape", part, shape=shape))
    joined = builder.apply("concatenate", *met, axis=4) if count > 1 else met[0]
    return builder.apply("reshape", joined, shape=(batch * positions, height, width, channels * count)), positions


def _joined_kernels(builder: Builder, weight: Any) -> Any:
    """(depth, height, width, channels, filters) → (height, width, depth·channels, filters)."""
    count, height, width, channels, filters = weight.shape
    kernels = []
    for place in range(count):
        part = builder.apply("slice", weight, axis=0, start=place, stop=place + 1)
        kernels.append(builder.apply("reshape", part, shape=(height, width, channels, filters)))
    return builder.apply("concatenate", *kernels, axis=2) if count > 1 else kernels[0]
