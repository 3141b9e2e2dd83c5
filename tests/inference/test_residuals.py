"""Values and predictions compared: the numbers are those worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nnctl.inference.residuals import Residuals, ValueResult, histogram


def test_errors_of_each_unit_and_of_all() -> None:
    targets = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])
    answers = np.array([[1.0, 8.0], [4.0, 6.0], [3.0, 9.0]])
    residuals = Residuals(targets.mean(axis=0))
    residuals.add(answers[:1], targets[:1])
    residuals.add(answers[1:], targets[1:])
    first, second = residuals.of_each()
    # Errors 0, 2, 0; the targets' squared distances from their mean 2 are 1, 0, 1.
    assert first == ValueResult(pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx((4 / 3) ** 0.5), -1.0)
    # Errors 1, −1, 2 about targets that are all the same.
    assert second == ValueResult(pytest.approx(2 / 3), pytest.approx(4 / 3), pytest.approx(2**0.5), None)
    assert residuals.of_all() == ValueResult(
        pytest.approx(4 / 6), pytest.approx(6 / 6), pytest.approx((10 / 6) ** 0.5), pytest.approx(1 - 10 / 2)
    )


def test_a_histogram_of_few_values_and_of_one() -> None:
    middles, counts = histogram(np.array([0.0, 0.1, 0.9, 1.0, np.nan]))
    assert middles.tolist() == [0.25, 0.75]
    assert counts.tolist() == [2, 2]
    assert histogram(np.array([3.0]))[1].tolist() == [1]
