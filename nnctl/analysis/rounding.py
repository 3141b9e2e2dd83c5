"""Rounding: whether two backends are as far apart in a tensor as float32 makes them, judged by float64.

The reference gives a tensor in float32, in float64, and in float64 from numbers that are moved by half a unit in
float32's last place; the distances between these are what rounding does to it. Where two backends are further apart
than a few times that, one of them has left rounding.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.late import dataclass

Verdict: TypeAlias = Literal["SAME", "ROUNDING", "KINK", "LEFT"]

FACTOR = 16.0
"""Two backends may be so many times further apart than the reference's float32 is from its float64."""
_EPS = float(np.finfo(np.float32).eps)
_LEAST = 32.0
"""Relative difference, in units of float32's last place, that is rounding in any case: a few operations, each rounded
another way. What n additions in a chain round grows with √n, and counts where that is more."""


@dataclass(frozen=True)
class TensorParity:
    """One tensor over all steps: a parameter, a state, or a number that the step gives.

    difference: the largest between the two backends after one step from equal storage, at `step`. relative:
    the same over the tensor's largest element. rounding: the largest relative distance that rounding
    makes in the reference. apart: the relative distance of the two after all steps, where each has gone its
    own way. left: the first step at which the difference is no rounding, None without one.
    """

    layer: str
    tensor: str
    shape: tuple[int, ...]
    difference: float
    relative: float
    rounding: float
    apart: float
    step: int
    left: int | None
    verdict: Verdict


def least_difference(longest: float) -> float:
    """The relative difference that is rounding in any case, where the longest sum has so many additions."""
    return _EPS * max(_LEAST, math.sqrt(longest))


class Comparison:
    """One tensor after one step. least: relative difference that is rounding in any case."""

    def __init__(
        self,
        least: float,
        judged: NDArray[Any],
        other: NDArray[Any],
        single: NDArray[Any],
        exact: NDArray[Any],
        near: NDArray[Any],
    ) -> None:
        self._least = least
        self.other = other
        self.scale = largest(exact)
        self.difference = largest(_wide(judged) - _wide(other))
        self.rounding = max(largest(_wide(array) - _wide(exact)) for array in (single, near))

    @property
    def relative(self) -> float:
        """The difference over the largest element."""
        return self.difference / (self.scale or 1.0)

    @property
    def left(self) -> bool:
        """True where the difference is more than rounding, or no number."""
        return not self.difference <= self._least * self.scale + FACTOR * self.rounding


@dataclass
class Worst:
    """The worst of one tensor so far."""

    worst: Comparison | None = None
    last: Comparison | None = None
    rounding: float = 0.0
    step: int = 0
    left: int | None = None
    kinks: int = 0

    def add(self, step: int, found: Comparison, kink: bool) -> None:
        """A step's comparison. kink: whether what left in it was one."""
        self.last = found
        self.rounding = max(self.rounding, found.rounding / (found.scale or 1.0))
        if found.left and kink:
            self.kinks += 1
            return
        if self.worst is None or not found.difference <= self.worst.difference:
            self.worst, self.step = found, step
        if found.left and self.left is None:
            self.left = step

    def row(self, name: str, layer: str, alone: NDArray[Any]) -> TensorParity:
        """The tensor's row. alone: its value where the judged backend has gone its own way."""
        last = self.last
        worst = self.worst or last
        if last is None or worst is None:
            raise ValueError(f"{name} was never compared")
        verdict: Verdict = "SAME" if worst.difference == 0.0 else "ROUNDING"
        verdict = "LEFT" if self.left is not None else "KINK" if self.kinks else verdict
        apart = largest(_wide(alone) - _wide(last.other)) / (last.scale or 1.0)
        return TensorParity(
            layer, name, last.other.shape, worst.difference, worst.relative, self.rounding, apart, self.step,
            self.left, verdict,
        )  # fmt: skip


def largest(array: NDArray[Any]) -> float:
    """The largest magnitude of an array's elements; 0 where it has none, NaN where one is NaN."""
    return float(np.max(np.abs(array), initial=0.0))


def _wide(array: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(array, np.float64)
