"""Sweeps with pruners on real nets: the same rows in any number of processes, and trials taken up from checkpoints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import inline
import pytest
from run_contents import contents

from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.endings import status_of
from nnctl.runs.folder import RunFolder
from nnctl.runs.sweeps import ranked_trials
from nnctl.sweep.ranking import rank
from nnctl.sweep.results_file import write_results
from nnctl.sweep.stored_sweep import read_sweep
from nnctl.sweep.trial import load_trial
from nnctl.training import session

SPEC = """\
name: blobs
data: {type: blobs, examples: 90, centers: 3, validation: 30}
layers:
  - {type: dense, units: 4, activation: relu}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
schedule: {epochs: 9, batch_size: 10}
backend: numpy
sweep:
  space:
    layers.0.units: {type: integer, low: 2, high: 12}
    optimizer.learning_rate: {type: log_uniform, low: 1e-3, high: 1}
  trials: 12
  lag: 2
  sampler: {type: tpe, startup: 4}
  monitor: validation_cost
"""
MEDIAN = "sweep.pruner={type: median, startup: 3}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


swept = partial(inline.swept, places=2, last=True)


def timeless(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in ("seconds", "folder")} for row in rows]


@pytest.mark.slow
def test_the_same_trials_are_pruned_by_one_process_by_three_and_after_an_interruption() -> None:
    printed = []
    for jobs in ("1", "3"):
        line = ("net.yaml", "--set", MEDIAN, "-j", jobs, "--out", f"found-{jobs}")
        done = subprocess.run(
            [sys.executable, "-m", "nnctl", "sweep", *line], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        printed.append([json.loads(row) for row in done.stdout.splitlines()])
    assert timeless(printed[0]) == timeless(printed[1])
    statuses = [row["status"] for row in printed[0]]
    assert set(statuses) == {"finished", "pruned"}
    assert [row["rung"] is None for row in printed[0]] == [status == "finished" for status in statuses]
    swept("found", MEDIAN, most=5)
    study, _, results = swept("found", MEDIAN)
    write_results(study, results)
    assert [(r.status, r.rung, r.metrics) for r in results] == [
        (row["status"], row["rung"], row["metrics"]) for row in printed[0]
    ]
    rankings = [json.loads(Path(f"{out}/results.json").read_text()) for out in ("found", "found-1", "found-3")]
    assert rankings[0] == rankings[1] == rankings[2]
    assert [status_of(study.folder, number) for number in range(12)] == statuses
    # What has ended is neither trained nor asked anew.
    _, executor, again = swept("found", MEDIAN)
    assert executor.given == []
    assert again == results


def test_halving_takes_trials_up_from_their_checkpoints_to_the_bits_of_runs_that_never_paused() -> None:
    halving = ("sweep.pruner={type: halving, rungs: [1, 3]}", "sweep.trials=9", "sweep.sampler=random")
    study, executor, results = swept("found", *halving)
    assert sorted(until or 9 for _, until in executor.given) == [1] * 9 + [3] * 3 + [9]
    assert sorted(result.rung or 9 for result in results) == [1] * 6 + [3] * 2 + [9]
    write_results(study, results)
    best = next(result for result in results if result.status == "finished")
    assert [trial.number for trial in ranked_trials(study.folder).trials] == [best.trial.number]
    stored = read_sweep(study.folder)
    assert list(stored.results) == results
    assert list(stored.ranking) == list(rank(results, stored.objectives))
    follow(session.train(load_trial(study.base, best.trial.overrides), out=Path("alone")), [RunSink()])
    assert contents(best.folder) == contents("alone")
    pruned = next(result for result in results if result.rung == 3)
    assert status_of(study.folder, pruned.trial.number) == "pruned"
    assert RunFolder(Path(pruned.folder)).checkpoint("last").exists()
    # By itself it goes on as any run does.
    loaded = load_trial(study.base, pruned.trial.overrides)
    follow(session.train(loaded, out=Path(pruned.folder), resume=True), [RunSink()])
    follow(session.train(loaded, out=Path("other")), [RunSink()])
    assert contents(pruned.folder) == contents("other")


def test_halving_goes_on_where_it_was_left() -> None:
    halving = ("sweep.pruner={type: halving, rungs: [1, 3], factor: 2}", "sweep.trials=4")
    _, _, whole = swept("whole", *halving)
    swept("found", *halving, most=2)
    assert {status_of(Path("found"), number) for number in range(4)} >= {"paused", "pruned"}
    _, executor, results = swept("found", *halving)
    assert all(until != 1 for _, until in executor.given)
    assert [(r.status, r.rung, r.metrics, r.reached) for r in results] == [
        (r.status, r.rung, r.metrics, r.reached) for r in whole
    ]


def test_more_trials_take_up_what_was_pruned() -> None:
    halving = ("sweep.pruner={type: halving, rungs: [1, 3], factor: 2}", "sweep.sampler=random")
    swept("found", *halving, "sweep.trials=2")
    _, executor, results = swept("found", *halving, "sweep.trials=4")
    _, _, whole = swept("whole", *halving, "sweep.trials=4")
    assert {number for number, until in executor.given if until == 1} == {2, 3}
    assert [(r.status, r.rung, r.metrics) for r in results] == [(r.status, r.rung, r.metrics) for r in whole]


def test_runs_of_a_combination_that_loses_are_not_trained() -> None:
    grid = "sweep={grid: {optimizer.learning_rate: [0.3, 0.003, 0.001]}, seeds: 3, lag: 0, monitor: validation_cost}"
    losing = (grid, "sweep.pruner={type: wilcoxon, threshold: 0.3}")
    study, executor, results = swept("found", *losing)
    left = [result for result in results if result.status == "pruned"]
    assert [result.trial.number for result in left] == [5, 8]
    assert [number for number, _ in executor.given] == [0, 1, 2, 3, 4, 6, 7]
    assert not any(Path(result.folder).exists() for result in left)
    assert {status_of(study.folder, result.trial.number) for result in left} == {"pruned"}
    stored = read_sweep(study.folder)
    assert [result.status for result in stored.results] == [result.status for result in results]
    assert list(stored.ranking) == list(rank(results, stored.objectives))
    assert [(s.unit, s.step) for s in stored.ranking if s.status == "pruned"] == [("runs", 2)] * 2
    _, executor, again = swept("found", *losing)
    assert executor.given == []
    assert again == results
