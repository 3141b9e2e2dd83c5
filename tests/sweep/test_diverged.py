"""What samplers learn from trials that diverged: they are as bad as the worst that is known, whoever ends first."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nnctl.components.kinds.running import LearningSampler
from nnctl.components.registry import components
from nnctl.spec.load import load_spec
from nnctl.sweep.learning import Learner, Reached
from nnctl.sweep.search import Search
from nnctl.sweep.space import Space
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
    layers.0.units: {type: integer, low: 4, high: 64, step: 4}
    optimizer.learning_rate: {type: log_uniform, low: 1e-4, high: 1}
  trials: 40
  lag: 2
  monitor: validation_cost
"""
LEARNING = [name for name, cls in components("sampler").items() if issubclass(cls, LearningSampler)]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


class Watched(LearningSampler):
    """A sampler that draws at random and keeps what Optuna's study holds at each proposal."""

    def __init__(self) -> None:
        object.__setattr__(self, "seen", [])

    def optuna(self, seed: int, *, conditional: bool) -> Any:
        from optuna.samplers import RandomSampler

        seen: list[Any] = self.seen  # type: ignore[attr-defined]

        class Witness(RandomSampler):
            def before_trial(self, study: Any, trial: Any) -> None:
                earlier = study.get_trials()[:-1]
                seen.append([(t.state.name.lower(), t.values, list(t.constraints.values())) for t in earlier])

        return Witness(seed)


def learner(*higher_is_better: bool) -> tuple[Learner, list[list[Any]]]:
    """A learner, and what Optuna knew at each of its proposals: state, values and excesses of every trial."""
    loaded = load_spec(Path("net.yaml"))
    assert loaded.spec.sweep is not None
    sampler = Watched()
    return Learner(sampler, Space(loaded, loaded.spec.sweep), 0, higher_is_better), sampler.seen  # type: ignore[attr-defined]


def test_before_the_first_value_it_counts_as_running_and_then_as_the_worst_by_then() -> None:
    found, seen = learner(False)
    for combination, reached in enumerate(
        [
            Reached("diverged"),
            Reached("failed"),
            Reached("finished", [1.0]),
            Reached("diverged"),
            Reached("pruned", rungs={1: 9.0}),
            Reached("finished", [3.0]),
            Reached("finished", [2.0]),
        ]
    ):
        found.propose(combination)
        found.tell(combination, reached)
    found.propose(7)
    states = ["complete", "fail", "complete", "complete", "pruned", "complete", "complete"]
    assert [state for state, _, _ in seen[2]] == ["running", "fail"]
    assert [values for _, values, _ in seen[3]] == [[1.0], None, [1.0]]
    assert [state for state, _, _ in seen[7]] == states
    # What was pruned is no measure of them (Optuna has its value at the rung), nor is what is better.
    assert [values for _, values, _ in seen[5]] == [[1.0], None, [1.0], [1.0], [9.0]]
    assert [values for _, values, _ in seen[6]] == [[3.0], None, [1.0], [3.0], [9.0], [3.0]]
    assert [values for _, values, _ in seen[7]] == [[3.0], None, [1.0], [3.0], [9.0], [3.0], [2.0]]


def test_the_worst_of_each_objective_by_its_direction_and_of_each_constraint() -> None:
    found, seen = learner(True, False)
    found.learn({"layers.0.units": 8, "optimizer.learning_rate": 0.1}, Reached("finished", [0.7, 90.0], [-1.0, 4.0]))
    found.propose(0)
    found.propose(1)
    found.tell(0, Reached("finished", [0.9, 20.0], [2.0, -3.0]))
    found.tell(1, Reached("diverged"))
    found.propose(2)
    assert seen[2][2] == ("complete", [0.7, 90.0], [2.0, 4.0])
    assert seen[1][1:] == [("running", None, [])]


def cost(trial: Trial) -> float | None:
    """A result that the settings decide; None where it diverges: three rates in four."""
    units, rate = trial.settings["layers.0.units"], trial.settings["optimizer.learning_rate"]
    assert isinstance(units, int)
    assert isinstance(rate, float)
    return None if rate > 1e-3 else abs(units - 40) / 100 + 1e-4 / rate


def reached(trial: Trial) -> TrialResult:
    value = cost(trial)
    if value is None:
        return TrialResult(trial, "", "diverged", error="no", exit_code=4)
    return TrialResult(trial, "", "finished", "validation_cost", {"validation_cost": value})


def tried(found: Study, jobs: int, choose: Callable[[int], int], until: int = 1_000) -> Sequence[Trial]:
    """The trials of a sweep on so many workers. choose: of those under way, the one that ends next."""
    found.claim()
    search, begun, under_way = Search(found), list[Trial](), list[Trial]()
    for _ in range(until):
        while len(under_way) < jobs and (trial := search.following()) is not None:
            begun.append(trial)
            under_way.append(trial)
        if not under_way:
            break
        search.tell(reached(under_way.pop(choose(len(under_way)))))
    return sorted(begun, key=lambda trial: trial.number)


@pytest.mark.parametrize("name", LEARNING)
def test_the_same_trials_whoever_ends_first(name: str) -> None:
    if (needed := components("sampler")[name].needs) != "":
        pytest.importorskip(needed)
    asked = (f"sweep.sampler={{type: {name}, startup: 4}}", f"sweep.trials={8 if name == 'gp' else 40}")
    alone = tried(read_study(Path("net.yaml"), asked, Path("alone")), 1, lambda count: 0)
    orders = random.Random(3)
    for until in (9, 1_000):  # The second goes on where the first was left.
        begun = tried(read_study(Path("net.yaml"), asked, Path("many")), 20, orders.randrange, until)
        assert begun == alone[: len(begun)]
    assert len(begun) == len(alone)


def test_fewer_diverge_than_by_random_draws() -> None:
    shares = []
    for name in ("random", "tpe"):
        trials = tried(read_study(Path("net.yaml"), [f"sweep.sampler={name}"], Path(name)), 1, lambda count: 0)
        shares.append(sum(cost(trial) is None for trial in trials[20:]) / 20)
    # Without a word on what diverged TPE goes where it knows least: nine in ten of its draws diverge here.
    assert shares[1] < 0.6 * shares[0]


def test_a_number_that_is_none_is_as_bad_as_none_at_all() -> None:
    found = read_study(Path("net.yaml"), ["sweep.sampler=tpe", "sweep.lag=0"], Path("found"))
    found.claim()
    told: list[str] = []
    search = Search(found)
    for status, value in (("finished", 1.0), ("finished", float("inf")), ("failed", None), ("finished", 2.0)):
        trial = search.following()
        assert trial is not None
        metrics = {} if value is None else {"validation_cost": value}
        told.extend(result.status for result in search.tell(TrialResult(trial, "", status, metrics=metrics)))
    assert search.following() is not None
    assert search._learner is not None
    trials = search._learner._study.get_trials()
    assert [trial.values for trial in trials[:4]] == [[1.0], [2.0], None, [2.0]]
