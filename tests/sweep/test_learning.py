"""Samplers that learn: the same proposals in whatever order results come, and from wherever a sweep goes on."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nnctl.components.kinds.running import LearningSampler
from nnctl.components.registry import components
from nnctl.errors import RunError, UsageError
from nnctl.sweep.search import PROPOSALS, Search
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
    layers.0.units: {type: integer, low: 4, high: 64, step: 4}
    optimizer.learning_rate: {type: log_uniform, low: 1e-4, high: 1}
    layers.0.activation: {type: choice, values: [relu, {type: elu, alpha: 0.5}, tanh]}
  only: {layers.0: depth == 2}
  trials: 30
  seeds: 2
  monitor: validation_cost
"""
LEARNING = [name for name, cls in components("sampler").items() if issubclass(cls, LearningSampler)]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


def study(out: str, *overrides: str) -> Study:
    found = read_study(Path("net.yaml"), overrides, Path(out))
    found.claim()
    return found


def cost(trial: Trial) -> float:
    """A result that the settings and the seed decide."""
    units = trial.settings.get("layers.0.units", 1)
    assert isinstance(units, int)
    rate = trial.settings["optimizer.learning_rate"]
    assert isinstance(rate, float)
    return abs(rate - 0.03) + abs(units - 40) / 100 + (trial.seed or 0) * 0.001


def reached(trial: Trial) -> TrialResult:
    if trial.number % 11 == 5:
        return TrialResult(trial, "", "diverged", error="no", exit_code=4)
    return TrialResult(trial, "", "finished", "validation_cost", {"validation_cost": cost(trial), "parameters": 9})


def tried(found: Study, jobs: int, choose: Callable[[int], int], *, until: int = 1_000) -> list[Trial]:
    """The trials of a sweep on so many workers. choose: of those under way, the one that ends next."""
    search, begun, under_way = Search(found), list[Trial](), list[Trial]()
    ended = 0
    while ended < until:
        while len(under_way) < jobs and (trial := search.following()) is not None:
            begun.append(trial)
            under_way.append(trial)
        if not under_way:
            break
        search.tell(reached(under_way.pop(choose(len(under_way)))))
        ended += 1
    return sorted(begun, key=lambda trial: trial.number)


@pytest.mark.parametrize("name", LEARNING)
def test_proposals_do_not_depend_on_how_many_run_nor_on_which_ends_first(name: str) -> None:
    cls = components("sampler")[name]
    if cls.needs:
        pytest.importorskip(cls.needs)
    options = (f"sweep.sampler={name}", "sweep.lag=3")
    alone = tried(study("alone", *options), 1, lambda count: 0)
    assert len(alone) == 60
    orders = random.Random(5)
    for jobs in (2, 5, 20):
        assert tried(study(f"with-{jobs}", *options), jobs, orders.randrange) == alone
    assert len({trial.overrides for trial in alone}) > 40


@pytest.mark.parametrize("name", LEARNING)
def test_going_on_proposes_the_same(name: str) -> None:
    cls = components("sampler")[name]
    if cls.needs:
        pytest.importorskip(cls.needs)
    options = (f"sweep.sampler={name}",)
    whole = tried(study("whole", *options), 1, lambda count: 0)
    orders = random.Random(6)
    for until in (3, 17, 40, 1_000):
        again = tried(study("again", *options), 4, orders.randrange, until=until)
    assert again == whole


def test_learning_finds_what_random_draws_miss() -> None:
    best = {
        name: min(cost(trial) for trial in tried(study(name, f"sweep.sampler={name}"), 4, lambda count: 0))
        for name in ("random", "tpe")
    }
    assert best["tpe"] < best["random"]


def test_no_more_are_under_way_than_the_lag_allows() -> None:
    search = Search(study("found", "sweep.sampler=tpe", "sweep.lag=2"))
    begun = []
    while (trial := search.following()) is not None:
        begun.append(trial)
    assert [trial.combination for trial in begun] == [0, 0, 1, 1, 2, 2]


def test_what_the_machine_is_to_blame_for_is_no_result() -> None:
    search = Search(study("found", "sweep.sampler=tpe", "sweep.lag=0"))
    for _ in range(2):
        trial = search.following()
        assert trial is not None
        search.tell(TrialResult(trial, "", "killed", error="no memory", exit_code=2, again=True))
    assert search.following() is None


def test_what_depends_on_no_result_waits_for_none() -> None:
    search = Search(study("found", "sweep.lag=0"))
    assert sum(1 for _ in iter(search.following, None)) == 60


def test_a_proposal_of_another_space_is_refused() -> None:
    found = study("found", "sweep.sampler=tpe")
    tried(found, 1, lambda count: 0, until=4)
    first, second = (found.folder / PROPOSALS / f"{k:04d}.json" for k in range(2))
    first.write_bytes(second.read_bytes().replace(b'"depth"', b'"width"'))
    with pytest.raises(RunError, match="checksum"):
        Search(found).following()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sweep.grid={seed: [1, 2]}", "sweep.seeds=1"], "the sampler tpe chooses what is"),
        (["sweep.trials=null"], "how many trials"),
    ],
)
def test_learning_without_sense(overrides: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        study("found", "sweep.sampler=tpe", *overrides)


def test_one_objective_for_a_sampler_that_takes_one() -> None:
    pytest.importorskip("cmaes")
    with pytest.raises(UsageError, match="has one objective, and monitor names several"):
        study("found", "sweep.sampler=cmaes", "sweep.monitor=[validation_cost, parameters]")


def test_several_objectives_and_constraints_are_learned() -> None:
    options = (
        "sweep.sampler=tpe",
        "sweep.monitor=[validation_cost, parameters]",
        "sweep.constraints=['parameters < 5']",
    )
    assert len(tried(study("found", *options), 3, lambda count: 0)) == 60


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sweep.monitor=validation_f1", "no column 'validation_f1' will be measured"),
        ("sweep.monitor=[validation_cost, parametres]", "no column 'parametres' will be measured"),
        ("sweep.constraints=['parametres < 5']", "'parametres' is no column of the results"),
        ("sweep.constraints=['parameters']", "no comparison"),
    ],
)
def test_a_column_that_there_will_not_be_is_refused(override: str, message: str) -> None:
    from nnctl.errors import SpecError

    with pytest.raises(SpecError, match=message):
        study("found", override)
