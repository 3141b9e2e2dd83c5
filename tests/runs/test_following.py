"""Runs that are followed while they train, and outlines, which read of a run what is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from nnctl.errors import RunError
from nnctl.reporting.follow import RunSink
from nnctl.runs import outline as outlines_of
from nnctl.runs.folder import RunFolder
from nnctl.runs.following import Followed
from nnctl.runs.history import read_history
from nnctl.runs.outline import Outline, outline, outlines
from nnctl.spec.load import load_text
from nnctl.training.events import Evaluated
from nnctl.training.session import train
from tests.runs.test_history import SPEC, run_at


def test_a_run_is_read_on_as_its_rows_come(tmp_path: Path) -> None:
    events = train(load_text(SPEC, "xor.yaml", [], tmp_path), out=tmp_path / "a")
    followed = Followed(RunFolder(tmp_path / "a"))
    sink = RunSink()
    seen = []
    for event in events:
        sink.handle(event)
        if isinstance(event, Evaluated):
            history = followed.look()
            seen.append((history.state, len(history.rows), history.rows[-1]["epoch"]))
    sink.close()
    assert seen == [("training", 1, 1), ("training", 2, 2), ("training", 3, 3)]
    assert followed.look().state == "finished"
    assert followed.look().rows == read_history(RunFolder(tmp_path / "a")).rows


def test_rows_that_a_resumed_run_takes_back_are_forgotten(tmp_path: Path) -> None:
    run = run_at(tmp_path / "a")
    run.summary.unlink()
    followed = Followed(run)
    assert [row["epoch"] for row in followed.look().rows] == [1, 2, 3]
    lines = run.metrics.read_bytes().splitlines(keepends=True)
    other = json.dumps(json.loads(lines[1]) | {"seconds": 123.5}).encode() + b"\n"
    run.metrics.write_bytes(lines[0] + other + lines[2])
    assert [row["seconds"] for row in followed.look().rows][1] == 123.5
    run.metrics.write_bytes(lines[0] + other[:20])  # a line that is being written
    assert [row["epoch"] for row in followed.look().rows] == [1]


def test_an_outline_says_what_the_history_says(tmp_path: Path) -> None:
    run = run_at(tmp_path / "a")
    found, history = outline(run), read_history(run)
    assert (found.state, found.summary, found.spec, found.origin) == (
        history.state, history.summary, history.spec, history.origin,
    )  # fmt: skip
    assert found.last == history.rows[-1]
    assert found.monitor == history.monitor
    run.summary.unlink()
    found = outline(run)
    assert (found.state, found.spec, found.last) == ("unfinished", history.spec, history.rows[-1])
    assert found.metrics == {"train_cost": history.rows[-1]["train_cost"]} | {
        name: value for name, value in history.rows[-1].items() if name == "train_accuracy"
    }


def test_the_spec_of_a_finished_run_is_read_as_json_and_only_where_that_is_the_runs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_at(tmp_path / "a")
    wanted = yaml.safe_load(run.spec.read_text())
    copy = run.path / "checkpoints" / "last.json"
    content = copy.read_text()
    copy.write_text(content.replace('"epochs": 3', '"epochs": 4'))
    assert outline(run).spec == wanted
    copy.unlink()
    assert outline(run).spec == wanted
    copy.write_text(content)

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("YAML was read")

    monkeypatch.setattr(outlines_of.yaml, "load", refuse)
    assert outline(run).spec == wanted


def test_trials_of_sweeps_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    run_at(tmp_path / "x" / "001")
    run_at(tmp_path / "x" / "sweep-1" / "0000")
    (tmp_path / "x" / "sweep-1" / "sweep.json").write_text("{}")
    (tmp_path / "x" / "notes").mkdir()
    (tmp_path / "x" / "notes" / "spec.yaml").write_text("a stranger's")
    run_at(tmp_path / "x" / "notes" / "runs")
    (tmp_path / "x" / "rest").mkdir()
    for name in ("spec.yaml", "metrics.jsonl"):
        (tmp_path / "x" / "rest" / name).touch()
    left_out: list[Path] = []
    found = list(outlines(tmp_path, left_out))
    assert [each.name for each in found if isinstance(each, Outline)] == [
        str(tmp_path / "x" / "001"),
        str(tmp_path / "x" / "notes" / "runs"),
    ]
    assert [isinstance(each[1], RunError) for each in found if not isinstance(each, Outline)] == [True]
    assert left_out == [tmp_path / "x" / "sweep-1"]
    everything = [each.name for each in outlines(tmp_path) if isinstance(each, Outline)]
    assert everything == [str(tmp_path / "x" / name) for name in ("001", "notes/runs", "sweep-1/0000")]
    of_the_sweep = list(outlines(tmp_path / "x" / "sweep-1", []))
    assert len(of_the_sweep) == 1


def test_a_folder_that_may_not_be_read_is_logged_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        run_at(tmp_path / name)
    # Permissions do not bind root, as whom tests may run.
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "a")
    assert [each.name for each in outlines(tmp_path) if isinstance(each, Outline)] == [str(tmp_path / "b")]
    assert f"{tmp_path / 'a'}: may not be read" in caplog.text
