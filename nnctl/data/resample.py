"""Images under maps of their plane, by bilinear interpolation, a whole batch at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nnctl.late import dataclass

Images = NDArray[np.float32]
Places = NDArray[np.float64]

_BLOCK_PIXELS = 1 << 16
"""Pixels moved at a time: enough that calls count for little, few enough that a block's arrays stay in the cache."""


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
    result = np.empty_like(images)
    sampler = _sampler_of(images, fill)
    for part, places, room in sampler.blocks(len(images)):
        np.add(of_rows[part].swapaxes(0, 1)[..., None], of_columns[part].swapaxes(0, 1)[:, :, None], out=places[:2])
        sampler.sample(images[part], places[:2], room, result[part])
    return result


@dataclass(frozen=True)
class Field:
    """Smooth random displacements of the pixels of n images: alpha·(G * u)(p) of pixel p.

    numbers: (n, 2, height, width), of which k stands for u = (2k + 1)/2¹⁶ − 1, on (−1, 1); the first moves down, the
    second to the right. G: a Gaussian of deviation `sigma` pixels, cut off at four of them, with zeros around a field.
    spared: (n,), true for the images whose pixels stay where they are.
    """

    numbers: NDArray[np.uint16]
    alpha: float
    sigma: float
    spared: NDArray[np.bool_]


def displaced(images: Images, field: Field, maps: NDArray[np.float64] | None, fill: float) -> Images:
    """Images under displacements, behind affine maps: pixel p of the new one is the old one's at maps·(p + field(p)).

    maps, fill: as of `affine`; None for maps that change nothing.
    """
    height, width = images.shape[1:3]
    down, along, start = _smoothing(height, width, field.alpha, field.sigma)
    middle = (np.array([height, width]) - 1) / 2
    result = np.empty_like(images)
    sampler = _sampler_of(images, fill)
    for part, numbered, room in sampler.blocks(len(images)):
        places = numbered[:2]
        np.copyto(places, field.numbers[part].swapaxes(0, 1))
        np.matmul(down, places, out=room)
        np.matmul(room, along, out=places)
        np.add(places, start[:, None], out=places)
        if field.spared[part].any():
            places[:, field.spared[part]] = np.indices((height, width))[:, None]
        if maps is not None:
            linear = maps[part, :2, :2]
            # What maps add where places are counted from the first pixel, not from the middle.
            added = maps[part, :2, 2] + middle - linear @ middle
            flat, mapped = (of.reshape(len(of), -1, height * width).swapaxes(0, 1) for of in (numbered, room))
            np.matmul(np.concatenate([linear, added[..., None]], axis=2), flat, out=mapped)
            sampler.sample(images[part], room, places, result[part])
        else:
            sampler.sample(images[part], places, room, result[part])
    return result


@lru_cache(8)
def _smoothing(height: int, width: int, alpha: float, sigma: float) -> tuple[NDArray[np.float64], ...]:
    """(down, along, start): places (2, height, width), from 0, are down · numbers · along + start.

    Smoothing along an axis is a product with a banded matrix, which BLAS makes faster than so many shifted sums. It is
    linear: scaling and shifting the numbers are left to the matrices. All in float64, of which an image keeps
    float32, so that a BLAS that adds in another order gives the same images.
    """
    down, along = alpha * _gaussian(height, sigma), _gaussian(width, sigma)
    middle = 1.0 - 2.0**-16
    start = np.indices((height, width), np.float64) - middle * np.outer(down.sum(axis=1), along.sum(axis=1))
    return 2.0**-15 * down, along, start


class _Sampler:
    """Images between their pixels, a block at a time, in memory that all blocks share.

    shape: (height, width, channels) of an image. fill: around it.
    """

    def __init__(self, shape: tuple[int, ...], fill: float) -> None:
        height, width, channels = shape
        self._count = count = images_of_a_block(height * width)
        # A third number, 1, lets a product apply a map with what it adds.
        self._places, self._room = np.ones((3, count, height, width)), np.empty((2, count, height, width))
        self._pixels = np.empty((2, count, height, width), np.int32)
        self._corner = np.empty((count, height, width), np.intp)
        self._parts = np.empty((2, count, height, width, 1), np.float32)
        self._values = np.empty((4, count, *shape), np.float32)
        # A border of `fill`, two wide below and to the right, lets every corner be read without a test.
        self._bordered = np.full((count, height + 3, width + 3, channels), fill, np.float32)
        first = np.arange(count)[:, None, None] * ((height + 3) * (width + 3)) + (width + 4)
        self._first = first.astype(np.int32)

    def blocks(self, n: int) -> Iterator[tuple[slice, Places, Places]]:
        """Parts of n images, each with memory for its pixels' places: (row, column, 1) and (row, column).

        Both with their axes (images, height, width) behind these; of the first the ones are to stay.
        """
        for start in range(0, n, self._count):
            stop = min(start + self._count, n)
            yield slice(start, stop), self._places[:, : stop - start], self._room[:, : stop - start]

    def sample(self, images: Images, places: Places, room: Places, result: Images) -> None:
        """Let results be the images of a block at these places, from 0; what is in `places` and `room` is lost."""
        n, height, width, channels = images.shape
        wide = width + 3
        self._bordered[:n, 1:-2, 1:-2] = images
        flat = self._bordered.reshape(-1, channels)
        np.clip(places[0], -1.0, height, out=places[0])
        np.clip(places[1], -1.0, width, out=places[1])
        floors = np.floor(places, out=room)
        places -= floors
        self._parts[:, :n, ..., 0] = places
        down, right = self._parts[:, :n]
        # Casts to the type of indices are fast from integers alone.
        top, left = pixels = self._pixels[:, :n]
        np.copyto(pixels, floors, casting="unsafe")
        top *= wide
        top += left
        top += self._first[:n]
        corner = self._corner[:n]
        np.copyto(corner, top)
        upper, upper_right, lower, lower_right = values = self._values[:, :n]
        for offset, value in zip((0, 1, wide, wide + 1), values):
            np.take(flat[offset:], corner, axis=0, out=value, mode="wrap")
        upper_right -= upper
        upper_right *= right
        upper += upper_right
        lower_right -= lower
        lower_right *= right
        lower += lower_right
        lower -= upper
        lower *= down
        np.add(upper, lower, out=result)


def _moved(images: Images, shifts: NDArray[np.float64], fill: float) -> Images:
    """Images moved by whole pixels: pixel p of the new one is the old one's at p + shifts, (n, 2)."""
    n, height, width, channels = images.shape
    # Farther than its length, nothing is left of an image.
    far = np.array([height, width])
    steps = np.clip(shifts, -far, far).astype(np.intp)
    above, before = np.abs(steps).max(axis=0, initial=0)
    result = np.empty_like(images)
    count = min(n, images_of_a_block(height * width))
    bordered = np.full((count, height + 2 * above, width + 2 * before, channels), fill, images.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(bordered, (height, width), (1, 2))
    for first in range(0, n, count):
        part = slice(first, first + count)
        block = images[part]
        bordered[: len(block), above : above + height, before : before + width] = block
        down, right = (steps[part] + (above, before)).T
        result[part] = np.moveaxis(windows[np.arange(len(block)), down, right], 1, 3)
    return result


class _Kept(threading.local):
    """The sampler that a thread used last: memory that is new to the process costs more than what is computed in it."""

    key: tuple[object, ...] = ()
    sampler: _Sampler


_kept = _Kept()


def _sampler_of(images: Images, fill: float) -> _Sampler:
    key = (images.shape[1:], fill, _BLOCK_PIXELS)
    if _kept.key != key:
        _kept.sampler, _kept.key = _Sampler(images.shape[1:], fill), key
    return _kept.sampler


def images_of_a_block(pixels: int) -> int:
    """Images of so many pixels that are changed at a time."""
    return max(1, _BLOCK_PIXELS // max(1, pixels))


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
