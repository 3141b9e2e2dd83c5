"""The history of a run: all that its folder tells without its data and its net, whatever its state."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from nnctl.errors import RunError
from nnctl.late import dataclass
from nnctl.runs.addresses import refuse_address
from nnctl.runs.endings import ending_of
from nnctl.runs.find import WHERE
from nnctl.runs.folder import RunFolder, is_sweep
from nnctl.runs.lock import is_locked
from nnctl.runs.records import Row
from nnctl.runs.rows import evaluations, layer_rows
from nnctl.runs.sweeps import trial_folder

_LOGGER = logging.getLogger(__name__)

State: TypeAlias = Literal["finished", "training", "unfinished", "pruned", "diverged"]
"""Unfinished: nobody trains it, and it has no summary; --resume goes on with it. Pruned, diverged: a trial whose sweep
has recorded that it ended so."""


@dataclass(frozen=True, eq=False)
class History:
    """All that a run's folder tells.

    rows: of its evaluations so far; summary: of a finished run, the fields of `Summary`; spec: the resolved
    one, as plain data; origin: the fields of `Origin`.
    """

    run: RunFolder
    state: State
    spec: dict[str, Any]
    origin: dict[str, Any]
    rows: list[Row]
    summary: dict[str, Any] | None

    @property
    def name(self) -> str:
        """The run's folder as it was named."""
        return str(self.run.path)

    @property
    def columns(self) -> list[str]:
        """The columns of the rows, in their order."""
        return list(self.rows[0]) if self.rows else []

    @property
    def monitor(self) -> str | None:
        """The column that the run monitors; None where that is none, or no row tells yet."""
        if self.summary is not None:
            column: str | None = self.summary["monitor"]
            return column
        return monitored(self.spec, self.columns)

    def layers(self) -> list[Row]:
        """The rows on its layers so far, none where they are not watched. Raises RunError where they are damaged."""
        return layer_rows(self.run)


def monitored(spec: dict[str, Any], columns: list[str]) -> str | None:
    """The column that a run of a resolved spec monitors whose rows have some columns."""
    stopping = spec["schedule"]["early_stopping"]
    if stopping is not None:
        column: str = stopping["monitor"]
        return column
    return next((column for column in ("validation_accuracy", "validation_cost") if column in columns), None)


def read_history(run: RunFolder) -> History:
    """The history of a run. Nothing in its folder changes, though another process may train into it.

    Raises RunError where there is no run, or a file of it is damaged.
    """
    spec = yaml.load(run.read_spec(), Loader=yaml.CSafeLoader)
    state, summary = state_of(run)
    return History(run, state, spec, run.read_origin(), evaluations(run), summary)


def state_of(run: RunFolder) -> tuple[State, dict[str, Any] | None]:
    """The state of a run, and its summary where it is finished. Raises RunError where that is damaged."""
    # In this order: who trains lets go of the lock once the summary is there.
    trains = is_locked(run.metrics)
    summary = run.finished()
    if summary is not None:
        return "finished", summary
    return "training" if trains else ended_as(run) or "unfinished", None


def ended_as(run: RunFolder) -> Literal["pruned", "diverged"] | None:
    """The ending of a run that has not finished, where it is a trial whose sweep has recorded one. Raises RunError."""
    path = run.path.absolute()
    if not path.name.isdecimal() or trial_folder(path.parent, int(path.name)) != path or not is_sweep(path.parent):
        return None
    ending = ending_of(path.parent, int(path.name))
    return ending["status"] if ending is not None and ending["status"] in ("pruned", "diverged") else None


def runs_below(folder: Path, left_out: list[Path] | None) -> Iterator[RunFolder]:
    """The run folders at `folder` and below it, in the order of their paths; links are not followed.

    left_out: unless None, sweeps below `folder` are put there, and their trials are left out.
    A folder that may not be read is logged. Raises RunError where there is no `folder`.
    """
    run = RunFolder(folder)
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        _LOGGER.warning("%s: may not be read: see ls -ld", folder)
        return
    if run.exists():
        yield run
        return
    refuse_address(folder)
    if not folder.is_dir():
        what = "is a file, and a folder is expected" if folder.exists() else "there is no such folder"
        raise RunError(f"{folder}: {what}\n  {WHERE}")
    hidden = {"ended", "proposals"} if is_sweep(folder) else set()
    for path in _folders(folder):
        if path.name in hidden:
            continue
        if left_out is not None and is_sweep(path):
            left_out.append(path)
        else:
            yield from runs_below(path, left_out)


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")]
    return [folder / name for name in sorted(names)]
