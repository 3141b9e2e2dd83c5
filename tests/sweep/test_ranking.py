"""Means, standard errors and what they allow to say."""

from __future__ import annotations

import math

from nnctl.sweep.ranking import rank, within_noise
from nnctl.sweep.runner import TrialResult, higher_is_better, in_order
from nnctl.sweep.space import Trial


def result(number: int, combination: int, value: float | None) -> TrialResult:
    trial = Trial(number, combination, {"a": combination}, number)
    if value is None:
        return TrialResult(trial, "", "diverged", error="no", exit_code=4)
    row = {"validation_cost": value, "validation_accuracy": 1 - value}
    return TrialResult(trial, "", "finished", "validation_accuracy", row)


def test_mean_and_standard_error() -> None:
    best, *_ = rank([result(0, 0, 0.1), result(1, 0, 0.2), result(2, 0, 0.3)], "validation_cost", False)
    assert best.mean is not None
    assert best.standard_error is not None
    assert math.isclose(best.mean, 0.2)
    assert math.isclose(best.standard_error, 0.1 / math.sqrt(3))


def test_order_follows_the_direction_and_failures_come_last() -> None:
    results = [result(0, 0, None), result(1, 1, 0.5), result(2, 2, 0.1)]
    assert [s.settings["a"] for s in rank(results, "validation_cost", False)] == [2, 1, 0]
    assert [s.settings["a"] for s in rank(results, "validation_cost", True)] == [1, 2, 0]


def test_a_failed_seed_is_counted_and_left_out_of_the_mean() -> None:
    (standing,) = rank([result(0, 0, 0.1), result(1, 0, None), result(2, 0, math.nan)], "validation_cost", False)
    assert (standing.mean, standing.failed, standing.standard_error) == (0.1, 2, None)


def test_within_noise() -> None:
    far = [result(0, 0, 0.1), result(1, 0, 0.11), result(2, 1, 0.9), result(3, 1, 0.91)]
    near = [result(0, 0, 0.1), result(1, 0, 0.5), result(2, 1, 0.2), result(3, 1, 0.6)]
    alone = [result(0, 0, 0.1), result(1, 1, 0.1)]
    assert within_noise(rank(far, "validation_cost", False)) == ()
    assert len(within_noise(rank(near, "validation_cost", False))) == 1
    assert within_noise(rank(alone, "validation_cost", False)) == ()


def test_the_runs_own_monitor_ranks_where_none_is_asked_for() -> None:
    assert result(0, 0, 0.25).column(None) == "validation_accuracy"
    assert result(0, 0, 0.25).value(None) == 0.75
    assert result(0, 0, 0.25).value("validation_cost") == 0.25
    assert result(0, 0, None).value(None) is None


def test_results_come_by_number_as_soon_as_they_can() -> None:
    given = iter([result(1, 1, 0.1), result(0, 0, 0.1), result(3, 3, 0.1)])
    ordered = in_order(given)
    assert next(ordered).trial.number == 0
    assert next(ordered).trial.number == 1
    assert [r.trial.number for r in ordered] == [3]


def test_direction_of_columns() -> None:
    from nnctl.spec.load import load_text

    spec = load_text("data: sine\nlayers: [{type: dense, units: 1}]\ncost: mse\nmetrics: [mae]", name="sine.yaml").spec
    assert not higher_is_better(spec, "train_cost")
    assert not higher_is_better(spec, "train_mae")
    assert higher_is_better(spec, "validation_accuracy")
