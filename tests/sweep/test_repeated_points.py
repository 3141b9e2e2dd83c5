"""Spaces of finitely many points: none is tried twice, and a sweep ends when all are tried."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nnctl.spec.load import load_text
from nnctl.sweep.learning import Learner, Reached
from nnctl.sweep.space import Space
from nnctl.sweep.study import Study, combinations_of, read_study

SPEC = """\
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2}
backend: numpy
sweep:
  space: {SPACE}
  trials: 20
  REST
"""
SIX = "{schedule.shuffle: {type: choice, values: [true, false]}, schedule.epochs: {type: integer, low: 1, high: 3}}"
CONDITIONAL = (
    "{depth: {type: integer, low: 1, high: 3}, schedule.epochs: {type: integer, low: 1, high: 4}}, "
    "only: {schedule.epochs: depth > 1}"
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def study(space: str, rest: str = "", trials: int = 20) -> Study:
    text = SPEC.replace("{SPACE}", space.replace("}}, only", "}}\n  only")).replace("REST", rest)
    Path("net.yaml").write_text(text.replace("trials: 20", f"trials: {trials}"))
    return read_study(Path("net.yaml"), [])


@pytest.mark.parametrize("sampler", ["random", "qmc", "grid"])
@pytest.mark.parametrize(("space", "points"), [(SIX, 6), (CONDITIONAL, 9)])
def test_every_point_is_drawn_once(sampler: str, space: str, points: int) -> None:
    found = study(space, f"sampler: {sampler}")
    assert found.combinations == len(found.points) == len({point.key for point in found.points}) == points


def test_fewer_draws_are_the_first_of_more() -> None:
    most = study(SIX).points
    for trials in range(1, 6):
        assert study(SIX, trials=trials).points == most[:trials]


def test_draws_differ_long_before_all_are_tried() -> None:
    found = study("{schedule.epochs: {type: integer, low: 1, high: 40}}", trials=30)
    assert len({point.key for point in found.points}) == found.combinations == 30


def test_a_point_that_is_hardly_ever_drawn_is_tried_at_last() -> None:
    space = "{schedule.epochs: {type: integer, low: 1, high: 300, log: true}}"
    found = study(space, trials=1000)
    assert sorted(point.settings["schedule.epochs"] for point in found.points) == list(range(1, 301))


def test_every_point_meets_every_combination_of_a_grid() -> None:
    found = study(SIX, "grid: {optimizer.learning_rate: [0.1, 0.2]}")
    assert found.combinations == len({point.key for point in found.points}) == 12


def test_endless_spaces_are_drawn_from_as_before() -> None:
    shuffle, rate = "{type: choice, values: [true, false]}", "{type: uniform, low: 0, high: 1}"
    space = f"{{schedule.shuffle: {shuffle}, optimizer.learning_rate: {rate}}}"
    assert study(space).combinations == 20


def test_people_are_told_why_there_are_fewer(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nnctl"):
        study(SIX)
    assert caplog.messages == [
        "of 20 combinations only 6 differ, and none is tried twice; --seeds trains each several times"
    ]
    caplog.clear()
    study(SIX, trials=6)
    assert not caplog.messages


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "gp"])
def test_a_sampler_that_learns_proposes_every_point_once_whenever_it_is_stopped(sampler: str) -> None:
    pytest.importorskip({"tpe": "optuna", "cmaes": "cmaes", "gp": "torch"}[sampler])
    text = SPEC.replace("{SPACE}", SIX).replace("REST", f"sampler: {sampler}")
    loaded = load_text(text)
    sweep = loaded.spec.sweep
    assert sweep is not None
    space = Space(loaded, sweep)
    assert combinations_of(space, sweep, 0)[1] == 6

    def learner() -> Learner:
        return Learner(sweep.sampler, space, 0, [True])  # type: ignore[arg-type]

    whole, made = learner(), []
    for number in range(6):
        made.append(whole.propose(number))
        whole.tell(number, Reached("finished", [float(number == 2)]))
    assert len({proposal.point.key for proposal in made}) == 6
    for stopped in range(1, 6):
        again = learner()
        for number in range(stopped):
            again.recall(number, made[number].chosen, made[number].attributes)
            again.tell(number, Reached("finished", [float(number == 2)]))
        assert again.propose(stopped).point == made[stopped].point
