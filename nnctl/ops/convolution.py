"""Convolution as nets use it (no flip), over one or two spatial axes, and its two transposes.

x (batch, *spatial, channels), w (*kernel, channels/groups, filters), y (batch, *positions, filters):

    y[n, p, f] = Σ over places k and channels c of x[n, p·stride + k·dilation, c]·w[k, c, f]

⟨y, convolution(x, w)⟩ is linear in each of x, w and y. So its derivatives by
x and by w, `convolution_transpose(y, w)` and `convolution_kernel(x, y)`, have
derivatives among these same three ops, to any order.

The bodies gather the inputs of each position into the rows of a matrix and leave
the sum to one matrix product a group (Chellapilla, Puri & Simard 2006), a few
examples at a time so that the matrix stays in cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from nnctl.ops.shapes import TensorType, product, show
from nnctl.ops.table import Sample, op
from nnctl.ops.windows import (
    Padding,
    Sizes,
    cropped,
    known,
    output_lengths,
    padded,
    padded_shape,
    places,
    random_window,
)

_GATHERED = 1 << 20
"""Numbers gathered at once: 4 MB of float32, what a core has for itself."""


def _examples(count: int, numbers_each: int) -> Iterator[slice]:
    """Slices of the batch axis, each worth about `_GATHERED` numbers."""
    size = max(1, _GATHERED // max(1, numbers_each))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _gathered(xp: Any, x: Any, kernel: Sizes, positions: Sizes, stride: Sizes, dilation: Sizes, groups: int) -> Any:
    """Inputs of each position: (groups, batch·positions, places·channels/groups), from the padded x."""
    rank = len(kernel)
    axes = tuple(range(1, rank + 1))
    reach = tuple(d * (n - 1) + 1 for n, d in zip(kernel, dilation))
    windows = xp.lib.stride_tricks.sliding_window_view(x, reach, axis=axes)
    moves = (slice(0, (n - 1) * s + 1, s) for n, s in zip(positions, stride))
    windows = windows[(slice(None), *moves, slice(None), *(slice(None, None, d) for d in dilation))]
    batch, channels = x.shape[0], x.shape[-1]
    windows = xp.reshape(windows, (batch, *positions, groups, channels // groups, *kernel))
    # (batch, *positions, group, channel, *places) → (group, batch, *positions, *places, channel)
    order = (rank + 1, 0, *axes, *range(rank + 3, 2 * rank + 3), rank + 2)
    rows = batch * math.prod(positions)
    return xp.reshape(xp.transpose(windows, order), (groups, rows, math.prod(kernel) * channels // groups))


def _matrices(xp: Any, w: Any, groups: int) -> Any:
    """w as one matrix a group: (groups, places·channels/groups, filters/groups)."""
    return _by_group(xp, xp.reshape(w, (-1, w.shape[-1])), groups)


def _by_group(xp: Any, y: Any, groups: int) -> Any:
    """(…, filters) as (groups, rows, filters/groups)."""
    filters = y.shape[-1]
    return xp.transpose(xp.reshape(y, (-1, groups, filters // groups)), (1, 0, 2))


def _side_by_side(xp: Any, parts: Any, shape: tuple[int, ...]) -> Any:
    """The inverse of `_by_group`, under a shape."""
    return xp.reshape(xp.transpose(parts, (1, 0, 2)), shape)


# -- y from x and w ------------------------------------------------------------------


def _type(x: TensorType, w: TensorType, *, stride: Sizes, padding: Padding, dilation: Sizes, groups: int) -> TensorType:
    batch, *lengths, channels = x.shape
    *kernel, each, filters = known(w.shape)
    if channels != each * groups or filters % groups:
        raise ValueError(f"input {show(x.shape)} and weights {show(w.shape)} do not fit with {groups} groups")
    positions = output_lengths(lengths, tuple(kernel), stride, padding, dilation)
    return TensorType((batch, *positions, filters))


def _products(positions: TensorType, w: TensorType) -> Any:
    """Two operations for each weight of a filter at each position."""
    return product(positions.shape) * 2 * math.prod(known(w.shape[:-1]))


def _derivative(builder: Any, g: Any, y: Any, x: Any, w: Any, **window: Any) -> list[Any]:
    dx = dw = None
    if builder.differentiable(x):
        dx = builder.apply("convolution_transpose", g, w, lengths=x.shape[1:-1], **window)
    if builder.differentiable(w):
        dw = builder.apply("convolution_kernel", x, g, kernel=w.shape[:-2], **window)
    return [dx, dw]


def _arrays(rng: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    """x, w and y that fit, and the window's attributes."""
    lengths, window = random_window(rng)
    kernel = window.pop("size")
    groups, each, filters, batch = (int(n) for n in rng.integers(1, 3, size=4))
    x = rng.standard_normal((batch, *lengths, each * groups))
    w = rng.standard_normal((*kernel, each, filters * groups))
    positions = output_lengths(lengths, kernel, window["stride"], window["padding"], window["dilation"])
    y = rng.standard_normal((batch, *positions, filters * groups))
    return x, w, y, {**window, "groups": groups}


def _sample(rng: Any) -> Sample:
    x, w, _, window = _arrays(rng)
    return [x, w], window


@op(
    "convolution",
    type_rule=_type,
    derivative=_derivative,
    cost=lambda x, w, **window: _products(_type(x, w, **window), w),
    sample=_sample,
)
def convolution(xp: Any, x: Any, w: Any, *, stride: Sizes, padding: Padding, dilation: Sizes, groups: int) -> Any:
    """y[p, f] = Σ x[p·stride + k·dilation, c]·w[k, c, f]; (batch, *positions, filters)."""
    kernel = w.shape[:-2]
    positions = output_lengths(x.shape[1:-1], kernel, stride, padding, dilation)
    around = padded(xp, x, padding)
    matrices = _matrices(xp, w, groups)
    y = xp.empty((x.shape[0], *positions, w.shape[-1]), dtype=xp.result_type(x, w))
    for part in _examples(x.shape[0], math.prod(positions) * math.prod(kernel) * x.shape[-1]):
        rows = _gathered(xp, around[part], kernel, positions, stride, dilation, groups)
        y[part] = _side_by_side(xp, xp.matmul(rows, matrices), y[part].shape)
    return y


# -- x from y and w ------------------------------------------------------------------


def _transpose_type(
    y: TensorType,
    w: TensorType,
    *,
    lengths: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> TensorType:
    batch, *positions, filters = y.shape
    *kernel, each, expected = known(w.shape)
    if filters != expected or filters % groups:
        raise ValueError(f"input {show(y.shape)} and weights {show(w.shape)} do not fit with {groups} groups")
    if output_lengths(lengths, tuple(kernel), stride, padding, dilation) != tuple(positions):
        raise ValueError(f"a convolution of {show(lengths)} does not give the positions of {show(y.shape)}")
    return TensorType((batch, *lengths, each * groups))


def _transpose_derivative(builder: Any, g: Any, x: Any, y: Any, w: Any, *, lengths: Sizes, **window: Any) -> list[Any]:
    dy = dw = None
    if builder.differentiable(y):
        dy = builder.apply("convolution", g, w, **window)
    if builder.differentiable(w):
        dw = builder.apply("convolution_kernel", g, y, kernel=w.shape[:-2], **window)
    return [dy, dw]


def _transpose_sample(rng: Any) -> Sample:
    x, w, y, window = _arrays(rng)
    return [y, w], {**window, "lengths": x.shape[1:-1]}


@op(
    "convolution_transpose",
    type_rule=_transpose_type,
    derivative=_transpose_derivative,
    cost=lambda y, w, **_: _products(y, w),
    sample=_transpose_sample,
)
def convolution_transpose(
    xp: Any,
    y: Any,
    w: Any,
    *,
    lengths: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> Any:
    """x[p·stride + k·dilation, c] = Σ y[p, f]·w[k, c, f]; (batch, *lengths, channels)."""
    *kernel, each, _ = w.shape
    positions = y.shape[1:-1]
    channels = each * groups
    matrices = xp.transpose(_matrices(xp, w, groups), (0, 2, 1))
    shape = padded_shape((y.shape[0], *lengths, channels), padding)
    around = xp.zeros(shape, dtype=xp.result_type(y, w))
    for part in _examples(y.shape[0], math.prod(positions) * math.prod(kernel) * channels):
        target = around[part]
        rows = xp.matmul(_by_group(xp, y[part], groups), matrices)
        # (group, batch·positions, places·channel) → (batch, *positions, place, group·channel)
        split = xp.reshape(rows, (groups, -1, math.prod(kernel), each))
        spread = xp.reshape(xp.transpose(split, (1, 2, 0, 3)), (len(target), *positions, -1, channels))
        for place, met in places(tuple(kernel), positions, stride, dilation):
            target[met] += spread[..., place, :]
    return cropped(around, padding)


# -- w from x and y ------------------------------------------------------------------


def _kernel_type(
    x: TensorType,
    y: TensorType,
    *,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> TensorType:
    *lengths, channels = known(x.shape[1:])
    *positions, filters = known(y.shape[1:])
    if channels % groups or filters % groups:
        raise ValueError(f"{show(x.shape)} and {show(y.shape)} do not divide into {groups} groups")
    if output_lengths(lengths, kernel, stride, padding, dilation) != tuple(positions) or x.shape[0] != y.shape[0]:
        raise ValueError(f"a convolution of {show(x.shape)} does not give the positions of {show(y.shape)}")
    return TensorType((*kernel, channels // groups, filters))


def _kernel_derivative(builder: Any, g: Any, w: Any, x: Any, y: Any, *, kernel: Sizes, **window: Any) -> list[Any]:
    dx = dy = None
    if builder.differentiable(x):
        dx = builder.apply("convolution_transpose", y, g, lengths=x.shape[1:-1], **window)
    if builder.differentiable(y):
        dy = builder.apply("convolution", x, g, **window)
    return [dx, dy]


def _kernel_sample(rng: Any) -> Sample:
    x, w, y, window = _arrays(rng)
    return [x, y], {**window, "kernel": w.shape[:-2]}


@op(
    "convolution_kernel",
    type_rule=_kernel_type,
    derivative=_kernel_derivative,
    cost=lambda x, y, **window: _products(y, _kernel_type(x, y, **window)),
    sample=_kernel_sample,
)
def convolution_kernel(
    xp: Any,
    x: Any,
    y: Any,
    *,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> Any:
    """w[k, c, f] = Σ x[n, p·stride + k·dilation, c]·y[n, p, f]; (*kernel, channels/groups, filters)."""
    positions, filters, each = y.shape[1:-1], y.shape[-1], x.shape[-1] // groups
    around = padded(xp, x, padding)
    shape = (groups, math.prod(kernel) * each, filters // groups)
    total = xp.zeros(shape, dtype=xp.result_type(x, y))
    for part in _examples(x.shape[0], math.prod(positions) * math.prod(kernel) * x.shape[-1]):
        rows = _gathered(xp, around[part], kernel, positions, stride, dilation, groups)
        total += xp.matmul(xp.transpose(rows, (0, 2, 1)), _by_group(xp, y[part], groups))
    return _side_by_side(xp, total, (*kernel, each, filters))
