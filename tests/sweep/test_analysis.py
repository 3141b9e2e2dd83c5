"""Importance, slices and contours, from results that a formula makes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from nnctl.sweep.analysis import LEAST, contours, importance, slices
from nnctl.sweep.objectives import Objective
from nnctl.sweep.ranking import Standing, rank
from nnctl.sweep.study import Study, read_study
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_result import TrialResult

SPEC = """\
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers:
  - {type: dense, units: 8, activation: relu}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
sweep:
  space:
    depth: {type: integer, low: 1, high: 2}
    layers.0.units: {type: integer, low: 4, high: 64}
    optimizer.learning_rate: {type: log_uniform, low: 1e-4, high: 1}
    layers.0.activation: {type: choice, values: [relu, {type: elu, alpha: 0.5}, tanh]}
  only: {layers.0: depth == 2}
  trials: 150
"""
COST, SIZE = Objective("validation_cost", False), Objective("validation_accuracy", True)
RATE, UNITS, ACTIVATION = "optimizer.learning_rate", "layers.0.units", "layers.0.activation"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    return lambda *overrides: read_study(Path("net.yaml"), overrides, Path("found"))


def by_rate(trial: Trial) -> float:
    rate = trial.settings[RATE]
    assert isinstance(rate, int | float)
    return abs(math.log10(rate) + 2)


def by_units(trial: Trial) -> float:
    units = trial.settings.get(UNITS, 100)
    assert isinstance(units, int)
    return units / 64


def ranked(found: Study, cost: Callable[[Trial], float], *objectives: Objective) -> tuple[Standing, ...]:
    results = [
        TrialResult(
            trial, "", "finished", metrics={"validation_cost": cost(trial), "validation_accuracy": by_rate(trial)}
        )
        for trial in found.samples()
    ]
    return rank(results, objectives or [COST])


def test_what_decides_the_result_is_important(study: Callable[..., Study]) -> None:
    found = study()
    shares = importance(found, [COST], ranked(found, by_rate))["validation_cost"]
    assert set(shares) == {"depth", UNITS, RATE, ACTIVATION}
    assert next(iter(shares)) == RATE
    assert shares[RATE] > 0.8
    assert math.fsum(shares.values()) == pytest.approx(1.0)


def test_equally_important_settings_come_in_the_order_of_the_search(study: Callable[..., Study]) -> None:
    paths = ["schedule.epochs", "seed", "data.examples", UNITS, "schedule.batch_size", "data.validation"]
    standings = [
        Standing({RATE: 10.0 ** -(n % 4), **dict.fromkeys(paths, 50)}, (n,), 0, {"validation_cost": n % 4}, None)
        for n in range(40)
    ]
    found = study(f"sweep.grid={{{', '.join(f'{path}: [50, 60]' for path in paths)}, {RATE}: [1, 0.1, 0.01, 0.001]}}",
                  "sweep.space={}", "sweep.only={}", "sweep.trials=null")  # fmt: skip
    assert list(importance(found, [COST], standings)["validation_cost"]) == [RATE, *paths]


def test_a_setting_that_only_some_have_can_be_the_important_one(study: Callable[..., Study]) -> None:
    found = study()
    shares = importance(found, [COST], ranked(found, by_units))["validation_cost"]
    assert next(iter(shares)) == UNITS
    assert shares[RATE] < 0.1


def test_the_better_end_of_an_objective_counts(study: Callable[..., Study]) -> None:
    """Of by_rate the greatest values are at both ends of the range, the least in its middle."""
    found = study()
    ranking = ranked(found, by_units, COST, SIZE)
    shares = importance(found, [COST, SIZE], ranking)
    assert next(iter(shares["validation_cost"])) == UNITS
    assert next(iter(shares["validation_accuracy"])) == RATE


def test_of_few_it_is_not_told(study: Callable[..., Study]) -> None:
    few = study(f"sweep.trials={LEAST - 1}")
    assert importance(few, [COST], ranked(few, by_rate)) == {}


def test_a_lone_setting_has_all_of_it(study: Callable[..., Study]) -> None:
    lone = study(f"sweep={{space: {{{RATE}: {{type: log_uniform, low: 0.01, high: 1}}}}, trials: 40}}")
    assert importance(lone, [COST], ranked(lone, by_rate)) == {"validation_cost": {RATE: 1.0}}


def test_values_of_a_grid_are_categories(study: Callable[..., Study]) -> None:
    grid = study("sweep={grid: {seed: [1, 2, 3, 4], optimizer.learning_rate: [0.01, 0.1, 1]}}")
    shares = importance(grid, [COST], ranked(grid, lambda trial: float(trial.settings[RATE] == 0.1)))  # type: ignore[arg-type]
    assert set(shares["validation_cost"]) == {"seed", RATE}


def test_slices_and_contours_are_means_of_combinations(study: Callable[..., Study]) -> None:
    found = study("sweep.seeds=2")
    ranking = ranked(found, lambda trial: by_rate(trial) + (trial.seed or 0))
    shares = importance(found, [COST], ranking)
    along = {part.axis.path: part for part in slices(found, [COST], ranking)}
    assert set(along) == {"depth", UNITS, RATE, ACTIVATION}
    assert along[RATE].axis.scale == "log"
    assert along[ACTIVATION].axis.scale == "category"
    assert len(along[RATE].points) == 150
    assert len(along[UNITS].points) == sum(standing.settings["depth"] == 2 for standing in ranking) < 150
    for rate, mean in along[RATE].points:
        assert mean == pytest.approx(abs(math.log10(rate) + 2) + 0.5)
    every = {(part.x.path, part.y.path): part for part in contours(found, [COST], ranking, shares)}
    assert len(every) == 6
    pair = next(part for paths, part in every.items() if set(paths) == {RATE, UNITS})
    assert sum(map(sum, pair.counts)) == len(along[UNITS].points)
    with_units = [mean for s in ranking if UNITS in s.settings and s.means for mean in s.means.values()]
    total = math.fsum(
        mean * count
        for row, counts in zip(pair.means, pair.counts, strict=True)
        for mean, count in zip(row, counts, strict=True)
        if mean is not None
    )
    assert total == pytest.approx(math.fsum(with_units))
    for axis in (pair.x, pair.y):
        assert axis.edges is not None
        assert all(axis.cell(edge) == min(place, 9) for place, edge in enumerate(axis.edges))
