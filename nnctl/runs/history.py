"""The history of a run: all that its folder tells without its data and its net, whatever its state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from nnctl.errors import RunError
from nnctl.runs.folder import RUNS, RunFolder, is_sweep
from nnctl.runs.lock import is_locked
from nnctl.runs.records import Row
from nnctl.runs.rows import evaluations, layer_rows

State: TypeAlias = Literal["finished", "training", "unfinished"]
"""Unfinished: nobody trains it, and it has no summary; --resume goes on with it."""


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

    def layers(self) -> list[Row]:
        """The rows on its layers so far, none where they are not watched. Raises RunError where they are damaged."""
        return layer_rows(self.run)


def read_history(run: RunFolder) -> History:
    """The history of a run. Nothing in its folder changes, though another process may train into it.

    Raises RunError where there is no run, or a file of it is damaged.
    """
    spec = yaml.load(run.read_spec(), Loader=yaml.CSafeLoader)
    summary = run.finished()
    state: State = "finished" if summary is not None else "training" if is_locked(run.metrics) else "unfinished"
    return History(run, state, spec, run.read_origin(), evaluations(run), summary)


def histories(folder: Path) -> Iterator[History | tuple[RunFolder, RunError]]:
    """The histories of all runs in a folder and below, in the order of their paths; in place of one its error.

    Trials of sweeps are among them.
    """
    for run in runs_below(folder):
        try:
            yield read_history(run)
        except RunError as error:
            yield run, error


def runs_below(folder: Path) -> Iterator[RunFolder]:
    """The run folders at `folder` and below it, in the order of their paths; links are not followed."""
    run = RunFolder(folder)
    if run.exists():
        yield run
        return
    if not folder.is_dir():
        raise RunError(
            f"{folder}: there is no such folder\n  runs lie in {RUNS}/<name>/<id>; `nnctl train SPEC` makes one"
        )
    hidden = {"ended", "proposals"} if is_sweep(folder) else set()
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink() and entry.name not in hidden and not entry.name.startswith("."):
            yield from runs_below(entry)
