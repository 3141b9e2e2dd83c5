"""Pooling: sums and maxima over windows of (batch, *spatial, channels), each channel by itself.

`sum_pool` and `spread_pool` are each other's transposes, and so are `take_from_windows` and
`put_into_windows`, which move numbers from and to one place of each window: where the maximum was.
"""

from __future__ import annotations

import math
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
    without_an_element,
)


def _pooled_type(x: TensorType, *, size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> TensorType:
    batch, *lengths, channels = x.shape
    return TensorType((batch, *output_lengths(lengths, size, stride, padding, dilation), channels))


def _maximum_type(x: TensorType, **window: Any) -> TensorType:
    pooled = _pooled_type(x, **window)
    if without_an_element(known(x.shape[1:-1]), **window):
        raise ValueError(
            f"padding {window['padding']} leaves windows of size {show(window['size'])} without an element"
        )
    return pooled


def _unpooled_type(g: TensorType, *_: TensorType, lengths: Sizes, **window: Any) -> TensorType:
    batch, *positions, channels = g.shape
    size = window["size"]
    if output_lengths(lengths, **window) != tuple(positions):
        raise ValueError(f"windows of size {show(size)} over {show(lengths)} do not give the positions of {g}")
    return TensorType((batch, *lengths, channels))


def _pooled_sample(rng: Any) -> Sample:
    lengths, window = random_window(rng, inside=True)
    batch, channels = (int(n) for n in rng.integers(1, 3, size=2))
    return [rng.standard_normal((batch, *lengths, channels))], window


def _unpooled_sample(rng: Any) -> Sample:
    (x,), window = _pooled_sample(rng)
    positions = output_lengths(x.shape[1:-1], **window)
    return [rng.standard_normal((x.shape[0], *positions, x.shape[-1]))], {**window, "lengths": x.shape[1:-1]}


def _each_place(x: TensorType, *, size: Sizes, **_: Any) -> Any:
    """An operation for each place of the window at each position."""
    return product(x.shape) * math.prod(size)


# -- sums ----------------------------------------------------------------------------


@op(
    "sum_pool",
    type_rule=_pooled_type,
    derivative=lambda builder, g, y, x, **window: [builder.apply("spread_pool", g, lengths=x.shape[1:-1], **window)],
    cost=lambda x, **window: _each_place(_pooled_type(x, **window), **window),
    sample=_pooled_sample,
)
def sum_pool(xp: Any, x: Any, *, size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> Any:
    """The sum over each window; padding counts as 0."""
    positions = output_lengths(x.shape[1:-1], size, stride, padding, dilation)
    around = padded(xp, x, padding)
    y = xp.zeros((x.shape[0], *positions, x.shape[-1]), dtype=x.dtype)
    for _, met in places(size, positions, stride, dilation):
        y += around[met]
    return y


@op(
    "spread_pool",
    type_rule=_unpooled_type,
    derivative=lambda builder, g, y, x, *, lengths, **window: [builder.apply("sum_pool", g, **window)],
    cost=_each_place,
    sample=_unpooled_sample,
)
def spread_pool(
    xp: Any, g: Any, *, lengths: Sizes, size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes
) -> Any:
    """Each number of g added at every place of its window. With stride = size: every pixel repeated."""
    around = xp.zeros(padded_shape((g.shape[0], *lengths, g.shape[-1]), padding), dtype=g.dtype)
    for _, met in places(size, g.shape[1:-1], stride, dilation):
        around[met] += g
    return cropped(around, padding)


@op(
    "window_counts",
    type_rule=lambda *, lengths, **window: TensorType((*output_lengths(lengths, **window), 1)),
    cost=lambda **_: 0,
    sample=lambda rng: ([], _unpooled_sample(rng)[1]),
)
def window_counts(xp: Any, *, lengths: Sizes, size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> Any:
    """The number of places of each window that lie inside the input, not in its padding; (*positions, 1)."""
    return sum_pool(xp, xp.ones((1, *lengths, 1)), size=size, stride=stride, padding=padding, dilation=dilation)[0]


# -- maxima --------------------------------------------------------------------------


def _maximum_derivative(builder: Any, g: Any, y: Any, x: Any, **window: Any) -> list[Any]:
    place = builder.apply("maximum_place", x, **window)
    return [builder.apply("put_into_windows", g, place, lengths=x.shape[1:-1], **window)]


@op(
    "max_pool",
    type_rule=_maximum_type,
    derivative=_maximum_derivative,
    cost=lambda x, **window: _each_place(_pooled_type(x, **window), **window),
    sample=_pooled_sample,
)
def max_pool(xp: Any, x: Any, *, size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> Any:
    """The largest element of each window; padding never is."""
    positions = output_lengths(x.shape[1:-1], size, stride, padding, dilation)
    around = padded(xp, x, padding, -math.inf)
    y: Any = None
    for _, met in places(size, positions, stride, dilation):
        y = around[met] if y is None else xp.maximum(y, around[met])
    return y


@op(
    "maximum_place",
    type_rule=lambda x, **window: TensorType(_maximum_type(x, **window).shape, "index"),
    cost=lambda x, **window: _each_place(_pooled_type(x, **window), **window),
    sample=_pooled_sample,
)
def maximum_place(xp: Any, x: Any, *, size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> Any:
    """The number of the place inside each window where its largest element is, the first of several."""
    positions = output_lengths(x.shape[1:-1], size, stride, padding, dilation)
    around = padded(xp, x, padding, -math.inf)
    result = xp.zeros((x.shape[0], *positions, x.shape[-1]), dtype=int)
    largest: Any = None
    for place, met in places(size, positions, stride, dilation):
        if largest is None:
            largest = around[met]
            continue
        result = xp.where(xp.greater(around[met], largest), place, result)
        largest = xp.maximum(largest, around[met])
    return result


def _places_sample(rng: Any) -> Sample:
    (g,), window = _unpooled_sample(rng)
    # Places that lie inside the input, as those of maxima do.
    x = rng.standard_normal((g.shape[0], *window["lengths"], g.shape[-1]))
    of_x = {name: value for name, value in window.items() if name != "lengths"}
    return [g, _numpy_places(x, of_x)], window


def _numpy_places(x: Any, window: dict[str, Any]) -> Any:
    from nnctl.ops.namespaces import numpy_namespace

    return maximum_place(numpy_namespace(), x, **window)


@op(
    "put_into_windows",
    type_rule=_unpooled_type,
    derivative=lambda builder, g, y, x, place, *, lengths, **window: [
        builder.apply("take_from_windows", g, place, **window),
        None,
    ],
    cost=lambda g, place, **window: _each_place(g, **window),
    sample=_places_sample,
)
def put_into_windows(
    xp: Any, g: Any, place: Any, *, lengths: Sizes, size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes
) -> Any:
    """Each number of g added at one place of its window, 0 elsewhere; (batch, *lengths, channels)."""
    around = xp.zeros(padded_shape((g.shape[0], *lengths, g.shape[-1]), padding), dtype=g.dtype)
    for number, met in places(size, g.shape[1:-1], stride, dilation):
        around[met] += xp.where(place == number, g, 0.0)
    return cropped(around, padding)


def _taken_sample(rng: Any) -> Sample:
    (_, place), window = _places_sample(rng)
    x = rng.standard_normal((place.shape[0], *window["lengths"], place.shape[-1]))
    return [x, place], {name: value for name, value in window.items() if name != "lengths"}


@op(
    "take_from_windows",
    type_rule=lambda x, place, **window: _pooled_type(x, **window),
    derivative=lambda builder, g, y, x, place, **window: [
        builder.apply("put_into_windows", g, place, lengths=x.shape[1:-1], **window),
        None,
    ],
    cost=lambda x, place, **window: _each_place(place, **window),
    sample=_taken_sample,
)
def take_from_windows(
    xp: Any, x: Any, place: Any, *, size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes
) -> Any:
    """Elements of x at one place of each window; (batch, *positions, channels)."""
    around = padded(xp, x, padding)
    y = xp.zeros(place.shape, dtype=x.dtype)
    for number, met in places(size, place.shape[1:-1], stride, dilation):
        y = xp.where(place == number, around[met], y)
    return y
