"""Windows that slide over the spatial axes of (batch, *spatial, channels): their positions and their inputs.

For each spatial axis there is a size (places inside the window), a stride
(how far it moves), a dilation (the distance of its places) and a padding
(before, after). Output position p reads the padded input at
p·stride + place·dilation (Dumoulin & Visin 2016).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from nnctl.ops.shapes import Dim, Shape, show

Sizes: TypeAlias = tuple[int, ...]
Padding: TypeAlias = tuple[tuple[int, int], ...]


def known(dims: Sequence[Dim]) -> Sizes:
    """The dims as numbers. Raises ValueError where one is symbolic."""
    for dim in dims:
        if not isinstance(dim, int):
            raise ValueError(f"windows slide over axes of known length, not over {dim}")
    return tuple(dim for dim in dims if isinstance(dim, int))


def output_lengths(lengths: Sequence[Dim], size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> Sizes:
    """The number of positions of the window along each axis.

    Raises ValueError where the ranks differ or the window does not fit.
    """
    if not len(lengths) == len(size) == len(stride) == len(padding) == len(dilation):
        raise ValueError(f"a window of {len(size)} axes does not slide over {len(lengths)} spatial axes")
    positions = []
    for length, count, step, (before, after), distance in zip(known(lengths), size, stride, padding, dilation):
        last_start = before + length + after - (distance * (count - 1) + 1)
        if last_start < 0:
            raise ValueError(f"a window of size {show(size)} does not fit into {show(tuple(lengths))} padded {padding}")
        positions.append(last_start // step + 1)
    return tuple(positions)


def without_an_element(lengths: Sizes, size: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> bool:
    """True where a window at some position has all of its places in the padding."""
    positions = output_lengths(lengths, size, stride, padding, dilation)
    for length, count, step, pair, distance, last in zip(lengths, size, stride, padding, dilation, positions):
        for start in range(-pair[0], last * step - pair[0], step) if any(pair) else ():
            first = max(0, -(start // distance))
            if first >= count or start + first * distance >= length:
                return True
    return False


def places(size: Sizes, outputs: Sizes, stride: Sizes, dilation: Sizes) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Places inside the window, in C order: each one's number, and the padded input that it reads at all positions."""
    for number, offset in enumerate(itertools.product(*(range(n) for n in size))):
        starts = [place * distance for place, distance in zip(offset, dilation)]
        slices = (
            slice(start, start + (count - 1) * step + 1, step) for start, count, step in zip(starts, outputs, stride)
        )
        yield number, (slice(None), *slices)


def padded(xp: Any, x: Any, padding: Padding, value: float = 0.0) -> Any:
    """x (batch, *spatial, channels) with `value` around it; x itself where there is no padding."""
    if not any(map(any, padding)):
        return x
    result = xp.full(padded_shape(x.shape, padding), value, dtype=x.dtype)
    cropped(result, padding)[...] = x
    return result


def padded_shape(shape: Sequence[Any], padding: Padding) -> Shape:
    """The shape of (batch, *spatial, channels) with its padding."""
    batch, *lengths, channels = shape
    return (batch, *(before + n + after for n, (before, after) in zip(lengths, padding)), channels)


def cropped(x: Any, padding: Padding) -> Any:
    """The part of x inside its padding, as a view."""
    lengths = x.shape[1:-1]
    return x[(slice(None), *(slice(before, n - after) for n, (before, after) in zip(lengths, padding)))]


def random_window(rng: Any, *, inside: bool = False) -> tuple[Sizes, dict[str, Any]]:
    """Spatial lengths and a window that fits, for the samples of the tests: 1 or 2 axes, all kinds of padding.

    inside: whether each window has an element that is not padding, as pooling needs it.
    """
    rank = int(rng.integers(1, 3))
    size = tuple(int(n) for n in rng.integers(1, 4, size=rank))
    dilation = tuple(int(n) for n in rng.integers(1, 3, size=rank))
    lengths = tuple(d * (n - 1) + 1 + int(rng.integers(0, 4)) for n, d in zip(size, dilation))
    window: dict[str, Any] = {
        "size": size,
        "stride": tuple(int(n) for n in rng.integers(1, 4, size=rank)),
        "padding": tuple((int(rng.integers(0, 3)), int(rng.integers(0, 3))) for _ in size),
        "dilation": dilation,
    }
    if inside and without_an_element(lengths, **window):
        window["padding"] = ((0, 0),) * rank
    return lengths, window
