"""The best trial of a sweep, found in its folder; and folders whose results are not those of their runs."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from nnctl.errors import RunError
from nnctl.runs.find import find
from nnctl.runs.folder import RunFolder, require_free
from nnctl.runs.sweeps import ranked_trials


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def summary(value: float | None) -> dict[str, Any]:
    return {"weights": "last", "best": None, "last": {"validation_accuracy": value}, "test": None}


def make_sweep(folder: Path, *values: float | None, higher: bool = True) -> Path:
    """A finished sweep, a combination a trial; of trials without a value there is no summary."""
    ranking = []
    for number, value in enumerate(values):
        run = RunFolder(folder / f"{number:04d}")
        run.path.mkdir(parents=True)
        run.spec.write_text("")
        if value is not None:
            run.write_json(run.summary, summary(value))
        ranking.append({"settings": {}, "trials": [number], "failed": int(value is None), "mean": value})
    content = {"monitor": "validation_accuracy", "higher_is_better": higher, "ranking": ranking}
    (folder / "sweep.json").write_text("{}")
    (folder / "results.json").write_text(json.dumps(content))
    return folder


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
    with pytest.raises(RunError, match=r"not finished: it has no results.json\n.*or name one of its trials"):
        find(folder)
    with pytest.raises(RunError, match=r"not a run folder: it has no spec.yaml\n  did you mean one of found\?"):
        find(Path())


@pytest.mark.parametrize("change", ["edited", "deleted", "trained on"])
def test_results_that_are_not_those_of_the_runs_are_refused(change: str) -> None:
    folder = make_sweep(Path("found"), 0.5, 0.9)
    run = RunFolder(folder / "0000")
    if change == "edited":
        results = json.loads((folder / "results.json").read_text())
        results["ranking"][0]["mean"] = 0.95
        (folder / "results.json").write_text(json.dumps(results))
    elif change == "deleted":
        run.summary.unlink()
    else:
        run.write_json(run.summary, summary(0.99))
    with pytest.raises(RunError, match=r"found/results.json: does not fit the runs beside it.*for trial 0"):
        ranked_trials(folder)


def test_no_run_is_trained_into_a_sweep_s_folder() -> None:
    folder = make_sweep(Path("found"), 0.5)
    with pytest.raises(RunError, match="is a sweep's folder; nothing is written between its trials"):
        require_free(folder)
