"""The best trial of a sweep, found in its folder; and folders whose results are not those of their runs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nnctl.errors import RunError
from nnctl.runs.find import find
from nnctl.runs.folder import RunFolder, require_free
from nnctl.runs.records import Results
from nnctl.runs.sealed import read_record, write_record
from nnctl.runs.sweeps import best_runs, ranked_trials


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def finish(run: RunFolder, value: float) -> None:
    """Write a summary with one number."""
    counts = {"seed": 0, "threads": 1, "parameters": 1, "epochs": 1.0, "steps": 1, "seconds": 0.0, "examples": {}}
    words = {"name": "net", "backend": "numpy", "stopped": None, "weights": "last", "monitor": None}
    rows = {"best": None, "last": {"validation_accuracy": value}, "test": None}
    write_record(run.summary, {**counts, **words, **rows, "files": run.digests()})


def make_sweep(folder: Path, *values: float | None, higher: bool = True) -> Path:
    """A finished sweep, a combination a trial; of trials without a value there is no summary."""
    ranking = []
    for number, value in enumerate(values):
        run = RunFolder(folder / f"{number:04d}")
        run.path.mkdir(parents=True)
        run.spec.write_text("")
        if value is not None:
            finish(run, value)
        means = None if value is None else {"validation_accuracy": value}
        standing = {"means": means, "standard_errors": None, "feasible": True, "front": None if value is None else 0}
        standing |= {"status": "failed" if value is None else "finished", "step": None, "reached": None}
        ranking.append({"settings": {}, "trials": [number], "failed": int(value is None), **standing})
    content = {
        "objectives": [{"column": "validation_accuracy", "higher_is_better": higher}],
        "ranking": ranking,
    }
    (folder / "sweep.json").write_text("{}")
    write_record(folder / "results.json", content)
    return folder


def test_what_breaks_constraints_comes_last_by_how_much_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "nnctl")
    folder = make_sweep(Path("found"), 0.5, 0.6, 0.8, 0.9)
    record = read_record(folder / "results.json", Results)
    one, two, three, four = record["ranking"]
    for broken in (three, four):
        broken["feasible"] = False
    ranking = {name: value for name, value in record.items() if name != "sha256"}
    write_record(folder / "results.json", {**ranking, "ranking": [two, one, three, four]})
    assert [run.name for run in best_runs(folder, 2)] == ["0001", "0000"]
    assert not caplog.messages
    assert [run.name for run in best_runs(folder, 4)] == ["0001", "0000", "0002", "0003"]
    assert caplog.messages == ["found: trials 2, 3 break the sweep's constraints, and no other is left that meets them"]


def test_of_a_sweep_the_best_trial_is_meant_and_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "nnctl")
    folder = make_sweep(Path("found"), 0.5, 0.93, None, 0.93, 0.1)
    assert find(folder).path == folder / "0001"
    assert caplog.messages == ["found: the best of 5 trials: trial 1, validation_accuracy 0.93"]
    assert find(make_sweep(Path("cost"), 0.5, 0.2, 0.3, higher=False)).path == Path("cost/0001")
    assert find(folder / "0004").path == folder / "0004"


def test_a_sweep_without_results_or_without_a_finished_trial_has_no_best() -> None:
    folder = make_sweep(Path("found"), None, None)
    with pytest.raises(RunError, match="none of the sweep's 2 trials finished with a validation_accuracy"):
        find(folder)
    (folder / "results.json").unlink()
    with pytest.raises(RunError, match=r"none of its trials is: it has no results.json\n.*or name one of its trials"):
        find(folder)
    with pytest.raises(RunError, match=r"not a run folder: it has no spec.yaml\n  did you mean one of found\?"):
        find(Path())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"validation_accuracy": 0.5', '"validation_accuracy": 0.95'),
        ('"ranking"', '"rankings"'),
        ("}", ""),
        ('"trials": [', '"trials": ["x", '),
    ],
)
def test_results_that_are_damaged_or_edited_are_refused_by_name(before: str, after: str) -> None:
    path = make_sweep(Path("found"), 0.5, 0.9) / "results.json"
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(RunError, match=r"found/results.json: is damaged or was edited"):
        ranked_trials(Path("found"))


@pytest.mark.parametrize("change", ["edited", "deleted", "trained on"])
def test_results_that_are_not_those_of_the_runs_are_refused(change: str) -> None:
    folder = make_sweep(Path("found"), 0.5, 0.9)
    run = RunFolder(folder / "0000")
    if change == "edited":
        results = read_record(folder / "results.json", Results)
        results["ranking"][0]["means"] = {"validation_accuracy": 0.95}
        write_record(folder / "results.json", results)
    elif change == "deleted":
        run.summary.unlink()
    else:
        finish(run, 0.99)
    with pytest.raises(RunError, match=r"found/results.json: does not fit the runs beside it.*for trial 0"):
        ranked_trials(folder)


def test_no_run_is_trained_into_a_sweep_s_folder() -> None:
    folder = make_sweep(Path("found"), 0.5)
    with pytest.raises(RunError, match="is a sweep's folder; nothing is written between its trials"):
        require_free(folder)
