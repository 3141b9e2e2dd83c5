"""Images under maps of their plane, by bilinear interpolation, a whole batch at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]

_BLOCK_PIXELS = 1 << 17
"""Pixels moved at a time: coordinates, weights and corners of a block stay in the cache."""


def affine(images: Images, maps: NDArray[np.float64], fill: float) -> Images:
    """Images under affine maps: pixel p of the new one is the old one's at maps·p, both from the middle.

    images: (n, height, width, channels). maps: (n, 3, 3) on (row, column, 1). What lies
    outside is `fill`. Whole-pixel shifts are exact.
    """
    height, width = images.shape[1:3]
    middle = ((height - 1) / 2, (width - 1) / 2)
    rows = (np.arange(height) - middle[0])[None, :, None]
    columns = (np.arange(width) - middle[1])[None, None, :]
    result = np.empty_like(images)
    for part in _blocks(images):
        m = maps[part, :, :, None, None]
        old_rows = m[:, 0, 0] * rows + m[:, 0, 1] * columns + m[:, 0, 2] + middle[0]
        old_columns = m[:, 1, 0] * rows + m[:, 1, 1] * columns + m[:, 1, 2] + middle[1]
        result[part] = sample(images[part], old_rows, old_columns, fill)
    return result


def displaced(images: Images, down: NDArray[np.floating], right: NDArray[np.floating], fill: float) -> Images:
    """Images displaced: pixel (r, c) is the old one's at (r + down, c + right), each (n, height, width)."""
    height, width = images.shape[1:3]
    result = np.empty_like(images)
    for part in _blocks(images):
        rows = np.arange(height)[None, :, None] + down[part]
        columns = np.arange(width)[None, None, :] + right[part]
        result[part] = sample(images[part], rows, columns, fill)
    return result


def sample(images: Images, rows: NDArray[np.floating], columns: NDArray[np.floating], fill: float) -> Images:
    """The images between their pixels: at (rows, columns), each (n, h, w), from 0; `fill` around them.

    images: (n, height, width, channels). Returns (n, h, w, channels).
    """
    n, height, width, channels = images.shape
    # A border of `fill`, two wide below and to the right, lets every corner be read without a test.
    bordered = np.full((n, height + 3, width + 3, channels), fill, images.dtype)
    bordered[:, 1:-2, 1:-2] = images
    rows, columns = np.clip(rows, -1.0, height) + 1.0, np.clip(columns, -1.0, width) + 1.0
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    down, right = (rows - top).astype(images.dtype)[..., None], (columns - left).astype(images.dtype)[..., None]
    flat = bordered.reshape(-1, channels)
    corner = (np.arange(n)[:, None, None] * (height + 3) + top) * (width + 3) + left
    below = corner + (width + 3)
    upper = (1 - right) * flat[corner] + right * flat[corner + 1]
    lower = (1 - right) * flat[below] + right * flat[below + 1]
    mixed: Images = (1 - down) * upper + down * lower
    return mixed


def _blocks(images: Images) -> list[slice]:
    rows = max(1, _BLOCK_PIXELS // max(1, images.shape[1] * images.shape[2]))
    return [slice(start, start + rows) for start in range(0, len(images), rows)]
