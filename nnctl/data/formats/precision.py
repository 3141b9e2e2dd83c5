"""Numbers in the precision that nets compute with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.errors import DataError

_SMALL = 1e-4
"""Rounding errors below this share of the standard deviation are below what is measured."""


def loses_differences(values: NDArray[np.float64]) -> bool:
    """True where in single precision numbers (n,) that differ by more than little become equal.

    Whole numbers beyond 2^24 that are neighbours, or numbers far from 0 whose spread is small against that.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if not 0.0 < largest < float(np.finfo(np.float32).max):
        return False
    single = values.astype(np.float32)
    if np.abs(single - values).max() > _SMALL * float((values / largest).std()) * largest:
        return bool(values.min() != values.max())
    whole = largest > 1 << 24 and np.array_equal(values, np.floor(values))
    return whole and len(np.unique(single)) < len(np.unique(values))


def as_float32(array: NDArray[Any], what: str) -> NDArray[np.float32]:
    """The array in single precision. Raises DataError where a finite number does not fit."""
    with np.errstate(over="ignore"):
        single = np.asarray(array, dtype=np.float32, order="C")
    # Only wider numbers can be too large, and few sets have infinite ones: images are many.
    infinite = None if np.can_cast(array.dtype, np.float32) else np.isinf(single)
    if infinite is not None and infinite.any() and (overflow := infinite & np.isfinite(array)).any():
        raise DataError(f"{what}: {array[overflow].flat[0]:g} is too large for single precision; rescale the data")
    return single
