"""Arrays as pictures: examples that are images, in whatever range, and the numbers of channels and filters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.palette import shades

MOST_PIXELS = 128
"""Of a side of a picture; larger ones are drawn by the means of blocks."""
_LEAST_SIDE = 15
"""Pixels of a side of a grid beside others."""
_LEAST_HEIGHT = 4
"""Of a picture whose shape does not say that it is one."""
Pixels = NDArray[np.float64]
"""Grey (height, width) or red, green and blue (height, width, 3), from 0 to 1."""


def is_picture(shape: tuple[int, ...]) -> bool:
    """True of the shape of one example that is an image: (height, width, channels), of one channel or three.

    (height, width) is one, too, where neither is so small that it is rather the columns of a series.
    """
    if len(shape) == 2:
        return min(shape) >= _LEAST_HEIGHT
    return len(shape) == 3 and min(shape[:2]) > 1 and shape[2] in (1, 3)


def photographs(inputs: NDArray[Any], unit: float = 1.0) -> list[Pixels]:
    """Images (n, height, width[, channels]) as they are: bytes, numbers from 0 to 1, or in any other range.

    unit: brings bytes to the range from 0 to 1. Numbers beyond that range are brought into it, all by the same map.
    """
    values = inputs.astype(np.float64)
    if inputs.dtype == np.uint8:
        values *= unit if unit != 1.0 else 1.0 / max(int(inputs.max(initial=0)), 1)
    else:
        values = _into_unit_range(values)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    return [smaller(each) for each in values]


def tones(values: NDArray[np.float64], *, signed: bool | None = None) -> list[Pixels]:
    """Grids of numbers (n, height, width) in colours on one scale, on both sides of 0 where a number is below it.

    signed: whether colours lie on both sides of 0, whatever the numbers.
    """
    diverging = has_signs(values) if signed is None else signed
    return list(shades(np.stack([smaller(each) for each in values]), diverging=diverging))


def has_signs(values: NDArray[np.float64]) -> bool:
    """True where a finite number is below 0."""
    return bool((values[np.isfinite(values)] < 0).any())


def mosaic(grids: NDArray[np.float64]) -> NDArray[np.float64]:
    """Grids (n, height, width) as one that is about square, a thin line of what is no number between them."""
    if len(grids) == 1:
        return np.asarray(grids[0])
    # Small numbers are drawn large, so that the line is thin beside them.
    scale = max(1, _LEAST_SIDE // max(grids.shape[1:]))
    grids = grids.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width = grids.shape
    columns = math.ceil(math.sqrt(count * height / width))
    rows = -(-count // columns)
    whole = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for index, grid in enumerate(grids):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        whole[top : top + height, left : left + width] = grid
    return whole


def smaller(pixels: NDArray[np.float64], most: int = MOST_PIXELS) -> NDArray[np.float64]:
    """A picture (height, width, …) of no more than `most` pixels a side: means of blocks where it has more."""
    factor = -(-max(pixels.shape[:2]) // most)
    if factor == 1:
        return pixels
    down, across = (range(0, length, factor) for length in pixels.shape[:2])
    blocks = np.add.reduceat(np.add.reduceat(pixels, down, axis=0), across, axis=1)
    heights, widths = (np.diff([*starts, n]) for starts, n in zip((down, across), pixels.shape[:2]))
    area = np.outer(heights, widths)
    return np.asarray(blocks / (area if pixels.ndim == 2 else area[..., None]))


def _into_unit_range(values: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = values[np.isfinite(values)]
    low, high = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 1.0)
    if low >= 0.0 and high <= 1.0:
        return values
    return (values - low) / ((high - low) or 1.0)
