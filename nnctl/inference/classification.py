"""Classes and answers compared: precision and recall of each class, calibration, and curves over all thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnctl.late import dataclass

Numbers = NDArray[np.float64]

BINS = 15
"""Parts that 0 to 1 is cut into, as `calibration_error` has them."""


@dataclass(frozen=True)
class ClassResult:
    """The answers to one class: its examples, how often it was answered, and how well; None where nothing tells.

    precision: the share of the answers that are right. recall: the share of the examples that are found.
    f1: the harmonic mean of both, 2·TP/(2·TP + FP + FN).
    """

    examples: int
    answers: int
    precision: float | None
    recall: float | None
    f1: float | None


def per_class(confusion: NDArray[np.int64]) -> list[ClassResult]:
    """The result of each class. confusion: examples by (class, answer), (classes, classes)."""
    right, examples, answers = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        ClassResult(e, a, _share(r, a), _share(r, e), _share(2 * r, e + a))
        for r, e, a in zip(right.tolist(), examples.tolist(), answers.tolist())
    ]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence against accuracy, over parts of equal width of 0 to 1; a part holds its upper edge.

    count: answers in each, (bins,). confidence: the sum of how sure they are; right: how many are right.
    """

    count: Numbers
    confidence: Numbers
    right: Numbers

    @classmethod
    def of(cls, confidence: Numbers, right: NDArray[np.bool_], bins: int = BINS) -> Reliability:
        """That of answers: how sure each is, (n,) from 0 to 1, and whether it is right, (n,)."""
        inside = np.searchsorted(np.arange(1, bins) / bins, confidence)
        sums = (np.bincount(inside, weights, bins) for weights in (None, confidence, right))
        return cls(*(np.asarray(each, np.float64) for each in sums))

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(self.count + other.count, self.confidence + other.confidence, self.right + other.right)

    @property
    def expected_error(self) -> float:
        """The expected calibration error Σ_b n_b/n·|accuracy_b − confidence_b| (Guo et al. 2017); NaN of no answers."""
        total = self.count.sum()
        return float(np.abs(self.right - self.confidence).sum() / total) if total else float("nan")

    @property
    def largest_error(self) -> float:
        """The largest |accuracy_b − confidence_b| of a part with answers; NaN where there are none."""
        some = self.count > 0
        gaps = np.abs(self.right - self.confidence)[some] / self.count[some]
        return float(gaps.max()) if gaps.size else float("nan")


def roc_curve(scores: Numbers, truth: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """(false positive rate, true positive rate) at every threshold, from above all scores to below them.

    scores, truth: (n,), some of truth true and some false. Equal scores are let in together.
    """
    hits, misses = _let_in(scores, truth)
    return np.append(0.0, misses / misses[-1]), np.append(0.0, hits / hits[-1])


def precision_recall_curve(scores: Numbers, truth: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """(recall, precision) at every threshold that lets an example in, from the highest. See `roc_curve`."""
    hits, misses = _let_in(scores, truth)
    return hits / hits[-1], hits / (hits + misses)


def _let_in(scores: Numbers, truth: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """Counts of the class, and of others, with at least each of the different scores, the largest score first."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(truth[order])[last].astype(np.float64)
    return hits, last + 1 - hits


def thinned(x: Numbers, y: Numbers, most: int) -> tuple[Numbers, Numbers]:
    """About so many points of a curve, evenly spaced along it, both ends among them."""
    if len(x) <= most:
        return x, y
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.searchsorted(way, np.linspace(0.0, way[-1], most)).clip(0, len(x) - 1))
    kept = np.unique(np.concatenate([[0], kept, [len(x) - 1]]))
    return x[kept], y[kept]
