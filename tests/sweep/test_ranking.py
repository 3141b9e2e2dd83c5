"""Means, standard errors and what they allow to say."""

from __future__ import annotations

import math

from nnctl.sweep.formula import read
from nnctl.sweep.objectives import Objective, higher_is_better
from nnctl.sweep.ranking import rank, within_noise
from nnctl.sweep.runner import in_order
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_result import TrialResult

COST = Objective("validation_cost", False)


def result(number: int, combination: int, value: float | None) -> TrialResult:
    trial = Trial(number, combination, {"a": combination}, number)
    if value is None:
        return TrialResult(trial, "", "diverged", error="no", exit_code=4)
    row = {"validation_cost": value, "validation_accuracy": 1 - value}
    return TrialResult(trial, "", "finished", "validation_accuracy", row)


def test_mean_and_standard_error() -> None:
    best, *_ = rank([result(0, 0, 0.1), result(1, 0, 0.2), result(2, 0, 0.3)], (COST,))
    assert best.means is not None
    assert best.standard_errors is not None
    assert math.isclose(best.means["validation_cost"], 0.2)
    assert math.isclose(best.standard_errors["validation_cost"], 0.1 / math.sqrt(3))


def test_order_follows_the_direction_and_failures_come_last() -> None:
    results = [result(0, 0, None), result(1, 1, 0.5), result(2, 2, 0.1)]
    assert [s.settings["a"] for s in rank(results, (COST,))] == [2, 1, 0]
    assert [s.settings["a"] for s in rank(results, (Objective("validation_cost", True),))] == [1, 2, 0]


def test_a_failed_seed_is_counted_and_left_out_of_the_mean() -> None:
    (standing,) = rank([result(0, 0, 0.1), result(1, 0, None), result(2, 0, math.nan)], (COST,))
    assert (standing.means, standing.failed, standing.standard_errors) == ({"validation_cost": 0.1}, 2, None)


def test_within_noise() -> None:
    far = [result(0, 0, 0.1), result(1, 0, 0.11), result(2, 1, 0.9), result(3, 1, 0.91)]
    near = [result(0, 0, 0.1), result(1, 0, 0.5), result(2, 1, 0.2), result(3, 1, 0.6)]
    alone = [result(0, 0, 0.1), result(1, 1, 0.1)]
    assert within_noise(rank(far, (COST,)), COST) == ()
    assert len(within_noise(rank(near, (COST,)), COST)) == 1
    assert within_noise(rank(alone, (COST,)), COST) == ()


def test_a_front_is_worse_than_no_other_in_every_objective() -> None:
    both = (COST, Objective("parameters", False))

    def sized(number: int, cost: float, size: int) -> TrialResult:
        row = {"validation_cost": cost, "parameters": size}
        return TrialResult(Trial(number, number, {}, 0), "", "finished", "validation_cost", row)

    results = [sized(0, 0.1, 9), sized(1, 0.2, 5), sized(2, 0.2, 6), sized(3, 0.9, 1), sized(4, 0.9, 7)]
    assert [(s.trials[0], s.front) for s in rank(results, both)] == [(0, 0), (1, 0), (3, 0), (2, 1), (4, 2)]


def test_what_breaks_a_constraint_comes_behind_what_meets_it() -> None:
    results = [result(0, 0, 0.1), result(1, 1, 0.4), result(2, 2, 0.3), result(3, 3, None)]
    standings = rank(results, (COST,), [read("a >= 1"), read("validation_accuracy < 0.65")])
    assert [(s.trials[0], s.feasible) for s in standings] == [(1, True), (2, False), (0, False), (3, True)]


def test_what_has_no_number_meets_no_constraint() -> None:
    (standing,) = rank([result(0, 0, 0.1)], (COST,), [read("test_cost < 1")])
    assert not standing.feasible


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
