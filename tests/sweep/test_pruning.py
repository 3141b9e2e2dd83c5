"""Pruners: the same trials are pruned in whatever order results come, and by the rules that the texts state."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon

from nnctl.components.kinds.pruning import BracketPruner, RungPruner
from nnctl.components.pruners import Hyperband, Patience, Percentile, Wilcoxon
from nnctl.components.registry import components
from nnctl.errors import SpecError, UsageError
from nnctl.sweep.objectives import Objective
from nnctl.sweep.ranking import rank
from nnctl.sweep.rungs import Watch
from nnctl.sweep.search import Search
from nnctl.sweep.study import Study, read_study
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_result import TrialResult

EPOCHS = 9
SPEC = f"""\
data: {{type: blobs, examples: 60, centers: 2, validation: 20}}
layers:
  - {{type: dense, units: 8, activation: relu}}
  - {{type: dense, units: 2, activation: softmax}}
cost: log_likelihood
schedule: {{epochs: {EPOCHS}}}
sweep:
  space:
    layers.0.units: {{type: integer, low: 4, high: 64, step: 4}}
    optimizer.learning_rate: {{type: log_uniform, low: 1e-4, high: 1}}
  trials: 24
  lag: 3
  monitor: validation_cost
"""
COST = Objective("validation_cost", higher_is_better=False)
OPTIONS = {"wilcoxon": ("sweep.seeds=6", "sweep.trials=10")}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


def study(out: str, *overrides: str) -> Study:
    found = read_study(Path("net.yaml"), overrides, Path(out))
    found.claim()
    return found


def curve(trial: Trial) -> list[float]:
    """The validation cost after each epoch, which the settings and the seed decide; curves cross."""
    rate, units = trial.settings["optimizer.learning_rate"], trial.settings["layers.0.units"]
    assert isinstance(rate, float)
    assert isinstance(units, int)
    level = abs(math.log10(rate / 0.03)) + abs(units - 40) / 50
    noise = random.Random(f"{trial.number}").uniform(-0.2, 0.2)
    return [level + noise / epoch + (1 - rate) / epoch + (trial.seed or 0) * 0.01 for epoch in range(1, EPOCHS + 1)]


def trained(trial: Trial, watch: Watch | None, begun: Mapping[int, int]) -> TrialResult:
    """The result of a trial that is trained as far as its watch says. begun: epochs that it has done before."""
    pace = random.Random(f"pace of {trial.number}").uniform(0.2, 3.0)
    rows = [
        {"epoch": epoch, "seconds": pace * epoch, "validation_cost": cost} for epoch, cost in enumerate(curve(trial), 1)
    ]
    diverges = trial.combination % 11 == 5
    for epoch in range(max(1, begun.get(trial.number, 0)), EPOCHS):
        if diverges and epoch == 4:
            reached = {} if watch is None else watch.reached(rows, 3)
            return TrialResult(trial, "", "diverged", error="no", exit_code=4, reached=reached)
        said = None if watch is None else watch.decide(rows[:epoch], epoch)
        if watch is not None and said is not None:
            status, rung = said
            assert watch.epochs_at(rows, rung) == epoch
            metrics = {"validation_cost": rows[epoch - 1]["validation_cost"]}
            reached = {at: value for at, value in watch.reached(rows, epoch).items() if at <= rung}
            return TrialResult(trial, "", status, "validation_cost", metrics, rung=rung, epochs=epoch, reached=reached)
    reached = {} if watch is None else watch.reached(rows)
    return TrialResult(trial, "", "finished", "validation_cost", {"validation_cost": curve(trial)[-1]}, reached=reached)


Found = dict[int, TrialResult]


def tried(found: Study, jobs: int, choose: Callable[[int], int], until: int = 10_000) -> Found:
    """The final results of a sweep on so many workers. choose: of those under way, the one that ends next."""
    search, under_way, final, begun = Search(found), list[tuple[Trial, Watch | None]](), Found(), dict[int, int]()
    for _ in range(until):
        while len(under_way) < jobs and (trial := search.following()) is not None:
            under_way.append((trial, search.watch(trial)))
        if not under_way:
            assert sorted(final) == list(range(found.count))
            break
        trial, watch = under_way.pop(choose(len(under_way)))
        result = trained(trial, watch, begun)
        if result.epochs is not None:
            timed = watch is not None and watch.in_seconds  # One epoch may take longer than several rungs.
            assert result.epochs > begun.get(trial.number, 0) or timed, "a part of a trial is asked once"
            begun[trial.number] = result.epochs
        for each in search.tell(result):
            assert each.trial.number not in final
            assert each.status != "paused"
            final[each.trial.number] = replace(each, folder="")
    return final


@pytest.mark.parametrize(
    ("pruner", "sampler"),
    [
        *((pruner, "random") for pruner in components("pruner")),
        *((p, "tpe") for p in ("median", "hyperband", "wilcoxon")),
    ],
)
def test_who_is_pruned_does_not_depend_on_how_many_run_nor_on_which_ends_first(pruner: str, sampler: str) -> None:
    options = (f"sweep.pruner={pruner}", f"sweep.sampler={sampler}", *OPTIONS.get(pruner, ()))
    alone = tried(study("alone", *options), 1, lambda count: 0)
    statuses = {result.status for result in alone.values()}
    assert "finished" in statuses
    assert ("diverged" in statuses) == (pruner != "halving"), "halving ends it before"
    assert ("pruned" in statuses) == (pruner != "patience")
    orders = random.Random(5)
    for jobs in (3, 30):
        assert tried(study(f"with-{jobs}", *options), jobs, orders.randrange) == alone
    # And where it was stopped halfway, its proposals kept.
    tried(study("stopped", *options), 4, orders.randrange, until=20)
    assert tried(study("stopped", *options), 4, orders.randrange) == alone


@pytest.mark.parametrize("pruner", [name for name, cls in components("pruner").items() if issubclass(cls, RungPruner)])
def test_nor_does_it_at_rungs_in_seconds_of_the_same_rows(pruner: str) -> None:
    options = (f"sweep.pruner={{type: {pruner}, rungs: [1 second, 2.5 seconds, 6 seconds, 0.2 minutes]}}",)
    alone = tried(study("alone", *options), 1, lambda count: 0)
    assert {result.rung for result in alone.values()} - {None} <= {1.0, 2.5, 6.0, 12.0}
    assert {result.status for result in alone.values()} >= (
        {"finished"} if pruner == "patience" else {"finished", "pruned"}
    )
    orders = random.Random(5)
    for jobs in (3, 30):
        assert tried(study(f"with-{jobs}", *options), jobs, orders.randrange) == alone


def test_the_median_of_the_trials_before_is_the_bound() -> None:
    found = study("found", "sweep.pruner={type: median, rungs: [2, 5], startup: 4}")
    results = tried(found, 4, lambda count: 0)
    for number, result in results.items():
        known = [results[n] for n in range(max(0, number - 3))]
        at = None
        for rung in (2, 5):
            others = [r.reached[rung] for r in known if rung in r.reached]
            if len(others) >= 4 and curve(result.trial)[rung - 1] > np.median(others):
                at = rung
                break
        diverged = number % 11 == 5 and at != 2
        assert result.status == ("diverged" if diverged else "finished" if at is None else "pruned")
        assert result.rung == (None if diverged else at)
    assert {result.rung for result in results.values()} == {None, 2, 5}


def test_half_and_half_again() -> None:
    found = study("found", "sweep.pruner={type: halving, rungs: [1, 3], factor: 3}", "sweep.trials=18")
    results = tried(found, 5, lambda count: 0)
    for bracket in (range(9), range(9, 18)):
        first = sorted(bracket, key=lambda n: curve(results[n].trial)[0])
        second = sorted(first[:3], key=lambda n: curve(results[n].trial)[2])
        assert [results[n].rung for n in first[3:]] == [1] * 6
        assert [results[n].rung for n in second[1:]] == [3] * 2
        assert results[second[0]].rung is None


def test_brackets_of_hyperband_are_those_of_the_paper() -> None:
    """Algorithm 1 of Li et al. (2018) with R = 81, η = 3."""
    pruner = Hyperband()
    rungs = pruner.rungs_before(81)
    assert rungs == (1, 3, 9, 27)
    brackets = pruner.brackets(len(rungs))
    assert [b.size for b in brackets] == [81, 34, 15, 8, 5]
    assert [(*rungs, 81)[b.first] for b in brackets] == [1, 3, 9, 27, 81]
    assert [pruner.kept(81, round_) for round_ in range(4)] == [27, 9, 3, 1]


def test_a_pruned_trial_is_taken_up_again_where_more_trials_ask_for_it() -> None:
    options = ("sweep.pruner={type: halving, rungs: [1, 3]}", "sweep.sampler=tpe")
    few = tried(study("found", *options, "sweep.trials=2"), 2, lambda count: 0)
    assert sorted(str(result.rung) for result in few.values()) == ["1", "None"]
    more = tried(study("found", *options, "sweep.trials=9"), 2, lambda count: 0)
    assert {n: more[n].trial for n in few} == {n: few[n].trial for n in few}
    assert more == tried(study("at-once", *options, "sweep.trials=9"), 3, lambda count: 1 % count)


def test_a_combination_ends_once_its_runs_are_worse_than_those_of_the_best() -> None:
    found = study("found", "sweep.pruner=wilcoxon", "sweep.seeds=6", "sweep.trials=12")
    results = tried(found, 4, lambda count: 0)
    best, ended = None, 0
    for k in range(12):
        runs = [results[6 * k + i] for i in range(6)]
        own = [curve(run.trial)[-1] for run in runs]
        before = [j for j in range(k - 3) if all(results[6 * j + i].status == "finished" for i in range(6))]
        best = min(before, key=lambda j: sum(curve(results[6 * j + i].trial)[-1] for i in range(6)), default=None)
        trained_runs = 6
        if best is not None and runs[0].status != "diverged":
            other = [curve(results[6 * best + i].trial)[-1] for i in range(6)]
            tests = (n for n in range(1, 6) if wilcoxon(own[:n], other[:n], alternative="greater").pvalue < 0.1)
            trained_runs = next(tests, 6)
        statuses = ["diverged" if runs[0].status == "diverged" else "finished"] * trained_runs
        assert [run.status for run in runs] == statuses + ["pruned"] * (6 - trained_runs)
        ended += trained_runs < 6
    assert ended > 2
    (first, *_, last) = [s for s in rank(list(results.values()), [COST]) if s.status != "failed"]
    assert first.means is not None
    assert (last.status, last.means) == ("pruned", None)
    assert last.step >= 4


def test_the_rules_of_single_pruners() -> None:
    values = sorted(random.Random(3).uniform(0, 1) for _ in range(23))
    bound = Percentile(percentile=25.0).bound(values)
    assert bound == pytest.approx(np.percentile(values, 25))
    assert Percentile().bound(values[:4]) is None
    patience = Patience(patience=2)
    assert not patience.loses([3.0, 4.0], None)
    assert patience.loses([3.0, 4.0, 3.0], None)
    assert not patience.loses([3.0, 4.0, 2.9], None)
    assert Patience(patience=1, min_delta=0.5).loses([3.0, 2.6], None)
    assert not Wilcoxon().loses([1.0] * 9, [1.0] * 9)
    assert Wilcoxon().loses([2.0, 3.0, 4.0, 5.0], [1.0, 1.5, 2.0, 2.5])


def test_a_value_at_a_rung_is_that_of_the_last_evaluation_before_it() -> None:
    rows = [
        {"epoch": 0.5, "validation_cost": 4.0},
        {"epoch": 2, "validation_cost": None},
        {"epoch": 2.5, "validation_cost": 1},
    ]
    watch = Watch(COST, (1, 2, 3), until=3)
    assert watch.reached(rows) == {1: 4.0, 3: 1.0}
    assert watch.reached(rows, 2) == {1: 4.0}
    assert watch.decide(rows, 2) is None
    assert watch.decide(rows, 4) == ("paused", 3)


def test_what_was_pruned_stands_behind_what_finished_by_rung_then_by_value() -> None:
    def result(number: int, status: str, rung: int | None, **values: float) -> TrialResult:
        trial = Trial(number, number, {"seed": number}, None)
        reached = {int(name[1:]): value for name, value in values.items() if name != "end"}
        metrics = {"validation_cost": values["end"]} if "end" in values else {}
        return TrialResult(trial, "", status, "validation_cost", metrics, rung=rung, reached=reached)

    results = [
        result(0, "diverged", None, r1=0.1),
        result(1, "pruned", 1, r1=0.2),
        result(2, "pruned", 3, r1=0.5, r3=0.9),
        result(3, "pruned", 3, r1=0.4, r3=0.8),
        result(4, "finished", None, r1=9.0, r3=9.0, end=9.0),
    ]
    ranking = rank(results, [COST])
    assert [standing.trials for standing in ranking] == [(4,), (3,), (2,), (1,), (0,)]
    assert [standing.status for standing in ranking] == ["finished", "pruned", "pruned", "pruned", "failed"]
    assert [(standing.step, standing.reached) for standing in ranking[1:4]] == [(3, 0.8), (3, 0.9), (1, 0.2)]


def test_optuna_is_told_of_rungs_and_of_what_was_pruned() -> None:
    from optuna.trial import TrialState

    search = Search(study("found", "sweep.pruner={type: median, startup: 2}", "sweep.sampler=tpe"))
    while (trial := search.following()) is not None:
        search.tell(trained(trial, search.watch(trial), {}))
    assert search._learner is not None
    told = [t for t in search._learner._study.get_trials(deepcopy=False) if t.state.is_finished()]
    pruned = [t for t in told if t.state == TrialState.PRUNED]
    assert {t.state for t in told} == {TrialState.PRUNED, TrialState.COMPLETE}
    assert all(list(t.intermediate_values) in ([1], [1, 3]) for t in pruned)
    assert all(t.value == list(t.intermediate_values.values())[-1] for t in pruned)


def test_brackets_cover_every_combination_once() -> None:
    for name, cls in components("pruner").items():
        if issubclass(cls, BracketPruner):
            results = tried(study(name, f"sweep.pruner={name}", "sweep.trials=31"), 7, lambda count: count - 1)
            assert len(results) == 31


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sweep.pruner=median", "sweep.monitor=[validation_cost, parameters]"], "compares by one objective"),
        (["sweep.pruner=halving", "sweep.monitor=parameters"], "looks at trials while they train, and parameters"),
        (["sweep.pruner=wilcoxon"], "compares the runs of a combination, and each has one"),
        (["sweep.pruner={type: median, rungs: [9, 12]}"], "no rung before the end of a run, after 9 epochs"),
        (["sweep.pruner={type: median, rungs: [3, 3]}"], "each rung is after more epochs than the one before"),
        (["sweep.pruner={type: median, rungs: [1, 2 seconds]}"], "give all of them the same unit"),
        (["sweep.pruner={type: median, rungs: [60 seconds, 1 minute]}"], "each rung is after a longer time"),
        (["sweep.pruner={type: median, rungs: [0 seconds, 1 minute]}"], "a rung at no time sees no training"),
        (["sweep.pruner={type: median, rungs: [-2 seconds]}"], "a time, as in '30 seconds' or '1.5 hours'"),
        (["sweep.pruner={type: median, rungs: [2s]}"], "a time, as in '30 seconds' or '1.5 hours'"),
        (["sweep.pruner={type: median, first: 2 seconds}"], "write 2"),
        (["sweep.pruner=medium"], "did you mean 'median'"),
    ],
)
def test_pruning_without_sense(overrides: list[str], message: str) -> None:
    with pytest.raises((UsageError, SpecError), match=message):
        study("found", *overrides)


def test_another_pruner_is_another_sweep() -> None:
    folders = {read_study(Path("net.yaml"), o).folder for o in ([], ["sweep.pruner=median"], ["sweep.pruner=halving"])}
    assert len(folders) == 3
