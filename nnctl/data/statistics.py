"""Statistics of the training inputs, and the one affine map that the transforms become."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Transform
from nnctl.data.stored.arrays import Rows, pieces_of
from nnctl.late import dataclass

_CHUNK_ELEMENTS = 1 << 20
"""Elements converted to float64 at a time: 8 MiB, so that uint8 images never exist as floats."""


@dataclass(frozen=True)
class Statistics:
    """Per feature mean, standard deviation (of the population), least and greatest; float64, one shape."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    def pooled(self) -> Statistics:
        """The same over all features together, of shape ().

        The total variance is the mean of the variances plus the variance of the means.
        """
        variance = np.mean(self.std**2) + np.var(self.mean)
        return Statistics(
            np.asarray(self.mean.mean()),
            np.asarray(np.sqrt(variance)),
            np.asarray(self.minimum.min()),
            np.asarray(self.maximum.max()),
        )

    def after(self, shift: NDArray[np.float64], scale: NDArray[np.float64]) -> Statistics:
        """Statistics of the data mapped by x ← (x − shift)·scale, scale positive."""
        return Statistics(
            (self.mean - shift) * scale,
            self.std * scale,
            (self.minimum - shift) * scale,
            (self.maximum - shift) * scale,
        )


def measure(inputs: Rows) -> Statistics:
    """Statistics of inputs (n, …), n at least 1, each of shape (…).

    Two passes, the second about the mean: the one-pass formula loses all digits
    where the mean is large against the spread.
    """
    n = len(inputs)
    mean = np.zeros(inputs.shape[1:], dtype=np.float64)
    for chunk in _chunks(inputs):
        mean += chunk.sum(axis=0)
    mean /= n
    squares = np.zeros_like(mean)
    for chunk in _chunks(inputs):
        squares += np.square(chunk - mean).sum(axis=0)
    minimum = np.min([piece.min(axis=0) for piece in pieces_of(inputs)], axis=0).astype(np.float64)
    maximum = np.max([piece.max(axis=0) for piece in pieces_of(inputs)], axis=0).astype(np.float64)
    constant = minimum == maximum
    # The rounded mean of equal numbers may differ from them in the last bit.
    return Statistics(
        np.where(constant, minimum, mean), np.where(constant, 0.0, np.sqrt(squares / n)), minimum, maximum
    )


def normalization(
    inputs: Rows, scale: float | None, transforms: Sequence[Transform], shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(shift, scale) in x ← (x − shift)·scale: first the source's scale, then each transform.

    inputs: the training set (n, …) as stored; shape: of the results, () or that of one input.
    """
    total_shift = np.zeros(())
    total_scale = np.asarray(1.0 if scale is None else scale)
    if transforms:
        statistics = measure(inputs).after(total_shift, total_scale)
        for transform in transforms:
            shift, factor = transform.affine(statistics)
            statistics = statistics.after(shift, factor)
            # ((x − s)·c − s')·c' = (x − (s + s'/c))·c·c'
            total_shift = total_shift + shift / total_scale
            total_scale = total_scale * factor
    return (
        np.array(np.broadcast_to(total_shift, shape), dtype=np.float32),
        np.array(np.broadcast_to(total_scale, shape), dtype=np.float32),
    )


def _chunks(inputs: Rows) -> Iterator[NDArray[np.float64]]:
    rows = max(1, _CHUNK_ELEMENTS // max(1, math.prod(inputs.shape[1:])))
    for start in range(0, len(inputs), rows):
        yield inputs[start : start + rows].astype(np.float64)
