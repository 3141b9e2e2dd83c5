"""Ends of sequences in arrays that are filled up by a number, or by none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.formats.precision import as_float32
from nnctl.errors import DataError


def ended(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an example (time, …) with its ends: (time, numbers of a step + 1)."""
    return (shape[0], math.prod(shape[1:]) + 1)


def with_ends(inputs: NDArray[Any], padding: float, what: str, length: int | None = None) -> NDArray[np.float32]:
    """Inputs (n, time, …) as (n, length, k + 1): behind the k numbers of each step a 1, where it is filled up zeros.

    A step is filled up where all of its numbers are `padding`, which may be NaN, and so are those behind `time`.
    length: `time` if None. Raises DataError where numbers are missing from a step, or a step from a sequence.
    """
    if inputs.ndim < 2:
        raise DataError(f"{what}: padding is of sequences (n, time, …), and these have shape {inputs.shape}")
    if inputs.dtype.kind not in "biuf":
        raise DataError(f"{what}: numbers are expected, not {inputs.dtype}")
    steps = inputs.reshape(*inputs.shape[:2], -1)
    alike = np.isnan(steps) if math.isnan(padding) else steps == padding
    there = ~alike.all(axis=2)
    torn = there[:, 1:] & ~there[:, :-1]
    if torn.any():
        example, step = np.argwhere(torn)[0].tolist()
        raise DataError(
            f"{what}: example {example} (counted from 0) is filled up at step {step}, and goes on behind it\n"
            "  sequences are filled up behind their end alone"
        )
    time = steps.shape[1] if length is None else length
    found = np.zeros((len(steps), time, steps.shape[2] + 1), dtype=np.float32)
    found[:, : steps.shape[1], :-1] = as_float32(np.where(there[:, :, None], steps, 0.0), what)
    found[:, : steps.shape[1], -1] = there
    return found
