"""The outline of a run: what a list of many runs shows of each, every part read when it is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from nnctl.errors import RunError
from nnctl.late import dataclass
from nnctl.runs.durable import read_file
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import State, monitored, runs_below, state_of
from nnctl.runs.records import Row
from nnctl.runs.rows import parse_row
from nnctl.runs.sealed import sha256
from nnctl.runs.sweeps import final_metrics, measured


@dataclass(frozen=True)
class Outline:
    """A run, its state, and its summary where it is finished. What else is asked for raises RunError if damaged."""

    run: RunFolder
    state: State
    summary: dict[str, Any] | None

    @property
    def name(self) -> str:
        """The run's folder as it was named."""
        return str(self.run.path)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The resolved spec, as plain data."""
        if self.summary is not None and (spec := self._copied_spec(self.summary["files"])) is not None:
            return spec
        loaded: dict[str, Any] = yaml.load(self.run.read_spec(), Loader=yaml.CSafeLoader)
        return loaded

    @cached_property
    def origin(self) -> dict[str, Any]:
        """The fields of `Origin`."""
        return self.run.read_origin()

    @cached_property
    def last(self) -> Row | None:
        """The last row of an evaluation; None where there is none yet."""
        if self.summary is not None:
            row: Row | None = self.summary["last"]
            return row
        path = self.run.metrics
        content = read_file(path) if os.path.lexists(path) else b""
        lines = content[: content.rfind(b"\n") + 1].splitlines()
        return next((row for line in reversed(lines) if (row := parse_row(path, line))["event"] == "evaluation"), None)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The numbers of the weights that a finished run ended with; else those of the last row."""
        return final_metrics(self.summary) if self.summary is not None else measured(self.last or {})

    @cached_property
    def monitor(self) -> str | None:
        """The column that the run monitors; None where that is none, or no row tells yet."""
        if self.summary is not None:
            column: str | None = self.summary["monitor"]
            return column
        return monitored(self.spec, list(self.last or ()))

    def _copied_spec(self, files: dict[str, str]) -> dict[str, Any] | None:
        """The spec in the copy of the last checkpoint's header: JSON is read ten times as fast as YAML.

        None where the copy is not the one of this run's end, or of another spec.
        """
        copy = self.run.checkpoint("last").with_suffix(".json")
        digest = files.get(self.run.name_of(copy))
        if digest is None or not os.path.lexists(copy) or sha256(content := read_file(copy)) != digest:
            return None
        header = json.loads(content)
        spec: dict[str, Any] = header["spec"]
        return spec if header["spec_sha256"] == files[self.run.name_of(self.run.spec)] else None


def outline(run: RunFolder) -> Outline:
    """The outline of a run. Raises RunError where it is damaged, as far as that is seen by the state alone."""
    state, summary = state_of(run)
    if summary is None:
        # A stranger's spec.yaml alone is no run.
        run.read_spec()
    return Outline(run, state, summary)


def outlines(folder: Path, left_out: list[Path] | None = None) -> Iterator[Outline | tuple[RunFolder, RunError]]:
    """The outlines of all runs in a folder and below, in the order of their paths; in place of one its error.

    left_out: see `runs_below`.
    """
    for run in runs_below(folder, left_out):
        try:
            yield outline(run)
        except RunError as error:
            yield run, error
