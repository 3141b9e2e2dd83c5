"""Rungs in seconds: which epoch they lie at is what the rows say, whatever the clock says later."""

from __future__ import annotations

import csv
import io
import json
from functools import partial
from pathlib import Path

import pytest
from inline import swept
from run_contents import contents

from nnctl.cli import main
from nnctl.components.pruners import Patience
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.endings import ending_of
from nnctl.runs.folder import RunFolder
from nnctl.runs.rows import evaluations
from nnctl.sweep.objectives import Objective
from nnctl.sweep.ranking import rank
from nnctl.sweep.results_file import write_results
from nnctl.sweep.rungs import Watch
from nnctl.sweep.stored_sweep import read_sweep
from nnctl.sweep.trial import load_trial
from nnctl.sweep.trial_rows import trial_object
from nnctl.training import session
from nnctl.training.chunk_length import Pace
from nnctl.training.saving import Saver

SPEC = """\
name: blobs
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers:
  - {type: dense, units: 4, activation: relu}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
schedule: {epochs: 9, batch_size: 10}
backend: numpy
sweep:
  space:
    layers.0.units: {type: integer, low: 2, high: 12}
    optimizer.learning_rate: {type: log_uniform, low: 1e-3, high: 1}
  trials: 4
  lag: 0
  sampler: random
  monitor: validation_cost
"""
COST = Objective("validation_cost", higher_is_better=False)
HALVING = "sweep.pruner={type: halving, rungs: [20 seconds, 1 minute], factor: 2}"
MEDIAN = "sweep.pruner={type: median, rungs: [20 seconds, 1 minute], startup: 1}"


class Clock:
    """A clock that goes on by so much with every look at it."""

    def __init__(self) -> None:
        self.now, self.tick = 0.0, 2.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@pytest.fixture(autouse=True)
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    made = Clock()
    monkeypatch.setattr(session, "Pace", partial(Pace, clock=made))
    monkeypatch.setattr(session, "Saver", partial(Saver, clock=made))
    return made


def row(epoch: float, seconds: float, cost: float | None) -> dict[str, float | None]:
    return {"epoch": epoch, "seconds": seconds, "validation_cost": cost}


def test_the_value_at_a_rung_is_that_of_the_first_evaluation_from_it_on() -> None:
    rows = [row(0.5, 1.0, 4.0), row(1, 2.0, 3.0), row(1.5, 9.0, 2.0), row(2, 9.5, 1.0)]
    watch = Watch(COST, (1.0, 1.5, 5.0, 8.0, 20.0), until=5.0, in_seconds=True)
    # An epoch that is not over has rows; nobody waits in the middle of it.
    assert watch.reached(rows[:3], 1) == {1.0: 4.0, 1.5: 3.0}
    assert watch.decide(rows[:3], 1) is None
    assert watch.decide(rows, 2) == ("paused", 5.0)
    assert watch.epochs_at(rows, 5.0) == 2
    assert watch.epochs_at(rows, 20.0) is None
    assert watch.reached(rows, 2) == {1.0: 4.0, 1.5: 3.0, 5.0: 2.0, 8.0: 2.0}
    # What ended by itself stands at later rungs by its end.
    assert watch.reached(rows) == {1.0: 4.0, 1.5: 3.0, 5.0: 2.0, 8.0: 2.0, 20.0: 1.0}
    assert watch.reached([]) == {}


def test_an_evaluation_that_several_rungs_look_at_is_one_without_improvement() -> None:
    watch = Watch(COST, (1.0, 2.0, 3.0, 30.0), Patience(patience=2), in_seconds=True)
    rows = [row(1, 10.0, 3.0), row(2, 40.0, 3.0), row(3, 50.0, 3.0)]
    assert watch.decide(rows[:1], 1) is None
    assert watch.decide(rows, 3) is None, "one value since the first"
    assert Watch(COST, (1.0, 30.0, 50.0), Patience(patience=2), in_seconds=True).decide(rows, 3) == ("pruned", 50.0)


def test_trials_wait_at_seconds_and_go_on_from_their_checkpoints(clock: Clock) -> None:
    study, executor, results = swept("found", HALVING)
    assert sorted(until or 99.0 for _, until in executor.given) == [20.0] * 4 + [60.0] * 2 + [99.0]
    assert sorted(result.rung or 99.0 for result in results) == [20.0, 20.0, 60.0, 99.0]
    for result in (result for result in results if result.rung is not None):
        record = ending_of(study.folder, result.trial.number)
        assert record is not None
        assert (record["seconds"], record["epoch"]) == (result.rung, result.epochs)
        rows = evaluations(RunFolder(Path(result.folder)))
        first = next(row for row in rows if row["seconds"] >= result.rung)
        assert (first["epoch"], first["validation_cost"]) == (result.epochs, result.metrics["validation_cost"])
        assert rows[-1]["epoch"] == result.epochs
    stored = read_sweep(study.folder)
    assert list(stored.results) == results
    assert list(stored.ranking) == list(rank(results, stored.objectives))
    best = next(result for result in results if result.status == "finished")
    follow(session.train(load_trial(study.base, best.trial.overrides), out=Path("alone")), [RunSink()])
    assert contents(best.folder) == contents("alone")


@pytest.mark.parametrize("pruner", [HALVING, MEDIAN])
def test_what_is_recorded_decides_on_a_machine_of_another_speed(pruner: str, clock: Clock) -> None:
    study, _, whole = swept("found", pruner)
    clock.tick = 30.0
    _, executor, again = swept("found", pruner)
    assert executor.given == []
    assert again == whole
    # The same records, but for the sweep's own knowledge of how trials ended: each is taken up where it is.
    for number in range(4):
        (study.folder / "ended" / f"{number:04d}.json").unlink(missing_ok=True)
    _, executor, again = swept("found", pruner, places=3, last=True)
    assert executor.given != []
    assert again == whole


def test_whoever_reads_of_a_rung_reads_its_unit(capfd: pytest.CaptureFixture[str]) -> None:
    for out, pruner, unit in (
        ("timed", HALVING, "seconds"),
        ("counted", "sweep.pruner={type: halving, rungs: [1, 3], factor: 2}", "epochs"),
    ):
        study, _, results = swept(out, pruner)
        rows = [trial_object(result, study.sweep.objectives) for result in results]
        ranked = write_results(study, results)
        assert ranked is not None
        assert [row["rung_unit"] for row in rows] == [unit if row["rung"] else None for row in rows]
        written = json.loads(Path(out, "results.json").read_text())["ranking"]
        assert [each["step_unit"] for each in written] == [unit if each["step"] else None for each in written]
        assert main(("sweep", "show", out, "--format", "csv", "-q")) == 0
        table = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
        assert [row[f"pruned after {unit}"] for row in table] == [str(each["step"] or "") for each in written]
        assert main(("sweep", "show", out, "--csv", "-", "-q")) == 0
        table = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
        assert [(row["rung"], row["rung_unit"]) for row in table] == [
            (str(row["rung"] or ""), row["rung_unit"] or "") for row in rows
        ]


def test_a_sweep_that_was_left_goes_on_by_what_its_trials_have_recorded(clock: Clock) -> None:
    swept("found", HALVING, most=2)
    before = {number: ending_of(Path("found"), number) for number in range(4)}
    assert {record["status"] for record in before.values() if record} >= {"paused", "pruned"}
    clock.tick = 0.5
    _, executor, results = swept("found", HALVING, places=3, last=True)
    assert all(until != 20.0 for _, until in executor.given), "nobody is asked twice"
    pruned = {number for number, record in before.items() if record and record["status"] == "pruned"}
    assert {result.trial.number for result in results if result.rung == 20.0} == pruned
    assert [result.status for result in results].count("pruned") == 3
