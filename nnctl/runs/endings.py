"""Endings of a sweep's trials that are not finished runs, and the status of any trial.

    <sweep>/ended/0007.json    how trial 7 ended: diverged, pruned, failed; or where it waits, paused

What is finished says so itself, by its summary. A record is taken away when its trial begins again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from nnctl.runs.durable import make_folder, remove_durably
from nnctl.runs.folder import RunFolder
from nnctl.runs.lock import is_locked
from nnctl.runs.records import Ended
from nnctl.runs.sealed import read_record, write_record
from nnctl.runs.sweeps import trial_folder

ENDED = "ended"

Ending = Literal["paused", "pruned", "diverged", "failed"]
"""Statuses that a record says."""
Status = Ending | Literal["running", "stale", "finished"]
"""Statuses of a trial: running, where a process trains it; stale, where one has begun it and none goes on with it;
paused, where it waits for others at a rung; or how it has ended."""


def ending_of(sweep: Path, number: int) -> dict[str, Any] | None:
    """The fields of `Ended` of a trial, None where there is no record. Raises RunError where it is damaged."""
    path = _path(sweep, number)
    return read_record(path, Ended) if os.path.lexists(path) else None


def record_ending(
    sweep: Path,
    number: int,
    status: Ending,
    *,
    epoch: int | None = None,
    seconds: float | None = None,
    parameters: int | None = None,
    error: str | None = None,
    exit_code: int = 0,
) -> None:
    """Record the ending of a trial, or the rung at which it waits. Raises RunError."""
    content = {
        "status": status,
        "epoch": epoch,
        "parameters": parameters,
        "error": error,
        "exit_code": exit_code,
        "seconds": seconds,
    }
    if ending_of(sweep, number) == content:
        return
    path = _path(sweep, number)
    make_folder(path.parent)
    write_record(path, content)


def forget_ending(sweep: Path, number: int) -> None:
    """Take the record of a trial away, where there is one: it begins again, or has finished. Raises RunError."""
    path = _path(sweep, number)
    if os.path.lexists(path):
        remove_durably(path)


def status_of(sweep: Path, number: int) -> Status | None:
    """The status of a trial of a sweep's folder; None where it has not begun. Nothing changes. Raises RunError."""
    run = RunFolder(trial_folder(sweep, number))
    if run.exists() and not os.path.lexists(run.summary) and is_locked(run.metrics):
        return "running"
    ended = ending_of(sweep, number)
    if ended is not None:
        status: Status = ended["status"]
        return status
    if run.finished() is not None:
        return "finished"
    return "stale" if run.exists() else None


def _path(sweep: Path, number: int) -> Path:
    return sweep / ENDED / f"{number:04d}.json"
