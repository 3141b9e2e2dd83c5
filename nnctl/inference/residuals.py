"""Values and predictions compared: errors of each unit, and how much of the targets' variance is told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnctl.late import dataclass

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ValueResult:
    """The errors a − y of one unit.

    bias: their mean. mae: the mean of |a − y|. rmse: the root of the mean of (a − y)². r2: the share of the targets'
    variance that is told, 1 − Σ(a − y)²/Σ(y − ȳ)²; None where the targets are all the same.
    """

    bias: float
    mae: float
    rmse: float
    r2: float | None


class Residuals:
    """The sums of residuals of several units, gathered in pieces. mean: of all targets, (units,)."""

    def __init__(self, mean: Numbers) -> None:
        self._mean = mean
        self.count = 0
        self._error, self._size, self._square, self._variance = np.zeros((4, len(mean)))

    def add(self, answers: Numbers, targets: Numbers) -> None:
        """Take in answers and targets, both (n, units)."""
        error = answers - targets
        self.count += len(error)
        self._error += error.sum(axis=0)
        self._size += np.abs(error).sum(axis=0)
        self._square += np.square(error).sum(axis=0)
        self._variance += np.square(targets - self._mean).sum(axis=0)

    def of_each(self) -> list[ValueResult]:
        """The result of each unit."""
        sums = np.stack([self._error, self._size, self._square, self._variance], axis=1)
        return [_result(self.count, *each) for each in sums.tolist()]

    def of_all(self) -> ValueResult:
        """The result of all units together: means over them, and r2 of their summed squares."""
        sums = np.stack([self._error, self._size, self._square, self._variance], axis=1).sum(axis=0)
        return _result(self.count * len(self._mean), *sums.tolist())


def _result(count: int, error: float, size: float, square: float, variance: float) -> ValueResult:
    told = 1.0 - square / variance if variance > 0.0 else None
    return ValueResult(error / count, size / count, float((square / count) ** 0.5), told)


def histogram(values: Numbers, most: int = 40) -> tuple[Numbers, NDArray[np.int64]]:
    """(middles, counts) of bars of equal width over finite values, about √n of them and `most` at most."""
    kept = values[np.isfinite(values)]
    bars = int(min(most, max(1, round(len(kept) ** 0.5))))
    counts, edges = np.histogram(kept, bars)
    return (edges[:-1] + edges[1:]) / 2, counts
