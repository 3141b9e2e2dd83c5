"""Answers that are no finite numbers: which one, and in what words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def not_finite(outputs: NDArray[Any]) -> int | None:
    """The first row of outputs (n, …) with a number that is not finite; None where there is none."""
    finite = np.isfinite(outputs).all(axis=tuple(range(1, outputs.ndim)))
    return None if finite.all() else int(np.argmin(finite))


def words_on(output: NDArray[Any]) -> str:
    """A sentence on an output that is not finite."""
    numbers = np.ravel(output)
    return f"the net's answer is {numbers[~np.isfinite(numbers)][0]}, no finite number"
