"""Classes and answers compared: the numbers are those worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nnctl.components.metrics.average_precision import AveragePrecision
from nnctl.components.metrics.roc_auc import RocAuc
from nnctl.inference.classification import (
    ClassResult,
    Reliability,
    per_class,
    precision_recall_curve,
    roc_curve,
    thinned,
)


def test_precision_recall_and_f1_of_each_class() -> None:
    # Of three of the first class one is found; the second is answered four times, twice rightly; the third neither is
    # there nor answered; the last is there, and never found.
    confusion = np.array([[1, 2, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    confusion[3, 0] = 2
    first, second, third, last = per_class(confusion)
    assert first == ClassResult(3, 4, 1 / 4, 1 / 3, 2 / 7)
    assert second == ClassResult(3, 4, 2 / 4, 2 / 3, 4 / 7)
    assert third == ClassResult(0, 0, None, None, None)
    assert last == ClassResult(2, 0, None, 0.0, 0.0)


def test_one_class_alone() -> None:
    assert per_class(np.array([[5]])) == [ClassResult(5, 5, 1.0, 1.0, 1.0)]


def test_reliability_of_four_answers() -> None:
    # Two parts, the first up to 0.5: {0.5 wrong} and {0.6 right, 0.8 right, 1.0 wrong}.
    confidence, right = np.array([0.5, 0.6, 0.8, 1.0]), np.array([False, True, True, False])
    whole = Reliability.of(confidence, right, bins=2)
    assert whole.count.tolist() == [1, 3]
    assert whole.expected_error == pytest.approx((abs(0 - 0.5) + abs(2 - 2.4)) / 4)
    assert whole.largest_error == pytest.approx(0.5)
    parts = Reliability.of(confidence[:2], right[:2], 2) + Reliability.of(confidence[2:], right[2:], 2)
    assert parts.expected_error == pytest.approx(whole.expected_error)


def test_nothing_is_told_of_no_answers() -> None:
    none = Reliability.of(np.zeros(0), np.zeros(0, np.bool_))
    assert np.isnan(none.expected_error)
    assert np.isnan(none.largest_error)


def test_curves_with_scores_that_are_equal() -> None:
    scores, truth = np.array([0.9, 0.7, 0.7, 0.2]), np.array([True, False, True, False])
    false, true = roc_curve(scores, truth)
    assert false.tolist() == [0.0, 0.0, 0.5, 1.0]
    assert true.tolist() == [0.0, 0.5, 1.0, 1.0]
    recall, precision = precision_recall_curve(scores, truth)
    assert recall.tolist() == [0.5, 1.0, 1.0]
    assert precision.tolist() == [1.0, 2 / 3, 2 / 4]


def test_areas_are_those_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(200) < 0.3
    scores = np.round(truth * 0.3 + rng.random(200), 1)
    false, true = roc_curve(scores, truth)
    recall, precision = precision_recall_curve(scores, truth)
    assert np.trapezoid(true, false) == pytest.approx(RocAuc().score(scores, truth))
    assert np.sum(np.diff(recall, prepend=0.0) * precision) == pytest.approx(AveragePrecision().score(scores, truth))


def test_a_thinned_curve_keeps_its_ends_and_its_area() -> None:
    x = np.linspace(0, 1, 5000)
    y = x**0.2
    few, high = thinned(x, y, 100)
    assert len(few) <= 101
    assert (few[0], few[-1], high[-1]) == (0.0, 1.0, 1.0)
    assert np.trapezoid(high, few) == pytest.approx(np.trapezoid(y, x), abs=2e-3)
    assert thinned(x[:9], y[:9], 9)[0] is not None
