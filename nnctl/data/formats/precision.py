"""Numbers in the precision that nets compute with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.errors import DataError


def as_float32(array: NDArray[Any], what: str) -> NDArray[np.float32]:
    """The array in single precision. Raises DataError where a finite number does not fit."""
    with np.errstate(over="ignore"):
        single = np.asarray(array, dtype=np.float32, order="C")
    overflow = np.isinf(single) & np.isfinite(array)
    if overflow.any():
        raise DataError(f"{what}: {array[overflow].flat[0]:g} is too large for single precision; rescale the data")
    return single
