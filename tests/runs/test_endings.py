"""The status of a sweep's trials: seven things that are not one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.errors import RunError
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.endings import ENDED, ending_of, forget_ending, record_ending, status_of
from nnctl.spec.load import load_text
from nnctl.training import session

SPEC = """
data: {type: blobs, examples: 60, validation: 12}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 3}
backend: numpy
"""


def test_the_status_of_a_trial_in_its_life(tmp_path: Path) -> None:
    loaded, out = load_text(SPEC), tmp_path / "0003"
    assert status_of(tmp_path, 3) is None
    events = session.train(loaded, out=out)
    next(events)
    assert status_of(tmp_path, 3) == "running"
    events.close()  # type: ignore[attr-defined]
    assert status_of(tmp_path, 3) == "stale"
    for status in ("paused", "pruned", "diverged", "failed"):
        record_ending(tmp_path, 3, status, epoch=1)  # type: ignore[arg-type]
        assert status_of(tmp_path, 3) == status
    forget_ending(tmp_path, 3)
    follow(session.train(loaded, out=out, resume=True), [RunSink()])
    assert status_of(tmp_path, 3) == "finished"


def test_looking_at_a_trial_makes_nothing(tmp_path: Path) -> None:
    """A sweep may lie where nobody may write, as on a disk of somebody else."""
    out = tmp_path / "0000"
    follow(session.train(load_text(SPEC), out=out), [RunSink()])
    (out / "summary.json").unlink()
    (out / "metrics.jsonl").unlink()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert status_of(tmp_path, 0) == "stale"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_record_that_was_edited_is_refused(tmp_path: Path) -> None:
    record_ending(tmp_path, 0, "diverged", error="the cost is no longer finite", exit_code=4)
    path = tmp_path / ENDED / "0000.json"
    path.write_text(path.read_text().replace("diverged", "pruned"))
    with pytest.raises(RunError, match=r"0000\.json: is damaged or was edited.*\n.*delete it"):
        ending_of(tmp_path, 0)
