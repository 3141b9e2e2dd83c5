"""Images under maps of their plane, by bilinear interpolation, a whole batch at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]

_BLOCK_PIXELS = 1 << 15
"""Pixels moved at a time: coordinates, weights and corners of a block stay in the cache."""


def affine(images: Images, maps: NDArray[np.float64], fill: float) -> Images:
    """Images under affine maps: pixel p of the new one is the old one's at maps·p, both from the middle.

    images: (n, height, width, channels). maps: (n, 3, 3) on (row, column, 1). What lies
    outside is `fill`. Whole-pixel shifts are exact.
    """
    shifts = maps[:, :2, 2]
    if (maps[:, :2, :2] == np.eye(2)).all() and (shifts == np.rint(shifts)).all():
        return _moved(images, shifts, fill)
    height, width = images.shape[1:3]
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    # What hangs on the row alone and on the column alone; a pixel's place is their sum.
    of_rows = maps[:, :2, 0, None] * (np.arange(height) - middle[0]) + (shifts + middle)[:, :, None]
    of_columns = maps[:, :2, 1, None] * (np.arange(width) - middle[1])
    sampler = _Sampler(images, fill)
    for part, places in sampler.blocks():
        np.add(of_rows[part].swapaxes(0, 1)[..., None], of_columns[part].swapaxes(0, 1)[:, :, None], out=places)
        sampler.sample(part, places)
    return sampler.result


def displaced(images: Images, numbers: NDArray[np.float64], alpha: float, sigma: float, fill: float) -> Images:
    """Images displaced by smooth fields: pixel p is the old one's at p + alpha·(G * (2·numbers − 1))(p).

    numbers: on (0, 1), (n, 2, height, width); the first moves down, the second to the right. G: a Gaussian of
    deviation `sigma` pixels, cut off at four of them, with zeros around the field.
    """
    height, width = images.shape[1:3]
    # Smoothing along an axis is a product with a banded matrix, which BLAS makes faster than so many shifted sums. It
    # is linear: doubling and shifting the numbers are left to the matrices. All in float64, of which an image keeps
    # float32, so that a BLAS that adds in another order gives the same images.
    down, along = alpha * _gaussian(height, sigma), _gaussian(width, sigma)
    start = np.indices((height, width)) - np.outer(down.sum(axis=1), along.sum(axis=1))
    down *= 2.0
    sampler = _Sampler(images, fill)
    for part, places in sampler.blocks():
        np.matmul(down, (numbers[part] @ along).swapaxes(0, 1), out=places)
        np.add(places, start[:, None], out=places)
        sampler.sample(part, places)
    return sampler.result


class _Sampler:
    """Images between their pixels, a block at a time, in memory that all blocks share.

    images: (n, height, width, channels). fill: around them. result: like the images.
    """

    def __init__(self, images: Images, fill: float) -> None:
        _, height, width, channels = images.shape
        self._images = images
        self.result = np.empty_like(images)
        self._count = _images_of_a_block(images)
        shape = (self._count, height, width)
        self._places, self._floors = np.empty((2, 2, *shape))
        self._corner = np.empty(shape, np.intp)
        self._parts = np.empty((2, *shape, 1), images.dtype)
        self._values = np.empty((4, *shape, channels), images.dtype)
        # A border of `fill`, two wide below and to the right, lets every corner be read without a test.
        self._bordered = np.full((self._count, height + 3, width + 3, channels), fill, images.dtype)
        self._first = np.arange(self._count)[:, None, None] * ((height + 3.0) * (width + 3.0)) + (width + 4.0)

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Parts of the images, each with room for its pixels' places (2, images, height, width): rows, columns."""
        for start in range(0, len(self._images), self._count):
            stop = min(start + self._count, len(self._images))
            yield slice(start, stop), self._places[:, : stop - start]

    def sample(self, part: slice, places: NDArray[np.float64]) -> None:
        """Let results be the images at these places, from 0; what is in `places` is lost."""
        n = places.shape[1]
        _, height, width, channels = self._images.shape
        wide = width + 3
        self._bordered[:n, 1:-2, 1:-2] = self._images[part]
        flat = self._bordered.reshape(-1, channels)
        np.clip(places[0], -1.0, height, out=places[0])
        np.clip(places[1], -1.0, width, out=places[1])
        floors = np.floor(places, out=self._floors[:, :n])
        places -= floors
        self._parts[:, :n, ..., 0] = places
        down, right = self._parts[:, :n]
        # Numbers of pixels are exact in float64, and a cast costs more than a sum.
        top, left = floors
        top *= wide
        top += left
        top += self._first[:n]
        corner = self._corner[:n]
        np.copyto(corner, top, casting="unsafe")
        upper, upper_right, lower, lower_right = values = self._values[:, :n]
        for offset, value in zip((0, 1, wide, wide + 1), values):
            np.take(flat[offset:], corner, axis=0, out=value, mode="clip")
        upper_right -= upper
        upper_right *= right
        upper += upper_right
        lower_right -= lower
        lower_right *= right
        lower += lower_right
        lower -= upper
        lower *= down
        np.add(upper, lower, out=self.result[part])


def _moved(images: Images, shifts: NDArray[np.float64], fill: float) -> Images:
    """Images moved by whole pixels: pixel p of the new one is the old one's at p + shifts, (n, 2)."""
    n, height, width, channels = images.shape
    # Farther than its length, nothing is left of an image.
    far = np.array([height, width])
    steps = np.clip(shifts, -far, far).astype(np.intp)
    above, before = np.abs(steps).max(axis=0, initial=0)
    result = np.empty_like(images)
    count = _images_of_a_block(images)
    bordered = np.full((count, height + 2 * above, width + 2 * before, channels), fill, images.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(bordered, (height, width), (1, 2))
    for first in range(0, n, count):
        part = slice(first, first + count)
        block = images[part]
        bordered[: len(block), above : above + height, before : before + width] = block
        down, right = (steps[part] + (above, before)).T
        result[part] = np.moveaxis(windows[np.arange(len(block)), down, right], 1, 3)
    return result


def _images_of_a_block(images: Images) -> int:
    _, height, width, _ = images.shape
    pixels: int = max(1, height * width)
    return max(1, min(len(images), _BLOCK_PIXELS // pixels))


def _gaussian(length: int, sigma: float) -> NDArray[np.float64]:
    """The symmetric matrix (length, length) that smooths along an axis; rows of the middle sum to 1."""
    radius = int(4.0 * sigma + 0.5)
    far = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * np.square(far / sigma))
    places = np.arange(length)
    apart = np.abs(places[:, None] - places)
    # A radius may be larger than the field: what is farther apart than it reaches has no weight.
    reached = np.append(weights[radius:] / weights.sum(), 0.0)
    matrix: NDArray[np.float64] = reached[np.minimum(apart, radius + 1)]
    return matrix
