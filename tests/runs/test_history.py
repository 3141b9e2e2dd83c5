"""The history of a run, finished, training, cut off and damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.errors import RunError
from nnctl.overview.state import Directions, sentences
from nnctl.report.report import report_on
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.endings import Ending, forget_ending, record_ending
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import monitored, read_history
from nnctl.runs.outline import Outline, outlines
from nnctl.spec.load import load_text
from nnctl.training.events import Evaluated
from nnctl.training.session import train

SPEC = """
name: xor
cost: cross_entropy
backend: numpy
data: {type: xor}
layers: [{type: dense, units: 2}, {type: dense, units: 1, activation: sigmoid}]
optimizer: {type: sgd, learning_rate: 0.5}
schedule: {epochs: 3, batch_size: 4}
"""


def run_at(folder: Path) -> RunFolder:
    follow(train(load_text(SPEC, "xor.yaml", [], folder), out=folder), [RunSink()])
    return RunFolder(folder)


def test_a_finished_run(tmp_path: Path) -> None:
    history = read_history(run_at(tmp_path / "a"))
    assert history.state == "finished"
    assert [row["epoch"] for row in history.rows] == [1, 2, 3]
    assert history.spec["schedule"]["epochs"] == 3
    assert history.summary is not None
    assert history.columns[0] == "event"


@pytest.mark.parametrize(
    ("ending", "state"),
    [("pruned", "pruned"), ("diverged", "diverged"), ("paused", "unfinished"), ("failed", "unfinished")],
)
def test_a_trial_that_has_not_finished_ended_as_its_sweep_has_recorded(
    tmp_path: Path, ending: Ending, state: str
) -> None:
    out = tmp_path / "0003"
    events = train(load_text(SPEC, "xor.yaml", [], tmp_path), out=out)
    next(events)
    events.close()  # type: ignore[attr-defined]
    record_ending(tmp_path, 3, ending, epoch=1)
    assert read_history(RunFolder(out)).state == "unfinished"  # no sweep's folder
    (tmp_path / "sweep.json").touch()
    history = read_history(RunFolder(out))
    assert history.state == state
    assert state in next(sentences(history, Directions()))
    assert {"pruned": "by the pruner", "diverged": "has diverged"}.get(state, "nobody trains it") in report_on([out])
    forget_ending(tmp_path, 3)
    assert read_history(RunFolder(out)).state == "unfinished"


@pytest.mark.parametrize(
    "overrides",
    [
        "data={type: xor}",
        "data={type: blobs, validation: 8} & layers.1={type: dense, units: 3, activation: softmax} "
        "& cost=log_likelihood & optimizer.learning_rate=0.01",
        "data={type: sine, validation: 8} & layers.1={type: dense, units: 1} & cost=mse",
        "schedule.early_stopping={monitor: train_cost}",
    ],
)
def test_a_run_without_a_summary_monitors_what_training_chose(tmp_path: Path, overrides: str) -> None:
    """The rule stands in training; from here the folder alone is seen."""
    loaded = load_text(SPEC, "a.yaml", overrides.split(" & "), tmp_path)
    follow(train(loaded, out=tmp_path / "a"), [RunSink()])
    history = read_history(RunFolder(tmp_path / "a"))
    assert history.summary is not None
    assert monitored(history.spec, history.columns) == history.summary["monitor"]


def test_a_run_that_trains_and_one_that_was_cut_off(tmp_path: Path) -> None:
    events = train(load_text(SPEC, "xor.yaml", [], tmp_path), out=tmp_path / "a")
    sink = RunSink()
    for event in events:
        sink.handle(event)
        if isinstance(event, Evaluated):
            break
    run = RunFolder(tmp_path / "a")
    assert read_history(run).state == "training"
    sink.close()
    events.close()
    history = read_history(run)
    assert history.state == "unfinished"
    assert history.summary is None


def test_all_runs_below_a_folder_a_damaged_one_among_them(tmp_path: Path) -> None:
    run_at(tmp_path / "x" / "001")
    run_at(tmp_path / "x" / "002")
    run_at(tmp_path / "y" / "001").spec.write_text("edited: true\n")
    found = list(outlines(tmp_path))
    assert [each.run.path.parent.name for each in found if isinstance(each, Outline)] == ["x", "x"]
    (run, error), *others = [each for each in found if not isinstance(each, Outline)]
    assert run.path == tmp_path / "y" / "001"
    assert "is not the file that" in str(error)
    assert not others


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no such folder"):
        list(outlines(tmp_path / "none"))
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"file: is a file, and a folder is expected\n  runs lie in runs/<name>/<id>"):
        list(outlines(tmp_path / "file"))
