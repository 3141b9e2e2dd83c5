"""Runs that are followed: the history of one that trains, read on from where it was read to."""

from __future__ import annotations

import os

import yaml

from nnctl.runs.durable import read_file
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import History, read_history, state_of
from nnctl.runs.records import Row
from nnctl.runs.rows import parse_row


class Followed:
    """A run whose history is asked for again and again, while another process trains into its folder."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self._lines = b""
        self._rows: list[Row] = []
        self._text = ""
        self._spec: dict[str, object] = {}

    def look(self) -> History:
        """The history as it is now. Raises RunError where there is no run any more, or a file of it is damaged."""
        state, summary = state_of(self.run)
        if summary is not None:
            return read_history(self.run)
        if (text := self.run.read_spec()) != self._text:
            # Resumed with more epochs, say.
            self._text, self._spec = text, yaml.load(text, Loader=yaml.CSafeLoader)
        self._read_on()
        return History(self.run, state, self._spec, self.run.read_origin(), list(self._rows), None)

    def _read_on(self) -> None:
        content = read_file(self.run.metrics) if os.path.lexists(self.run.metrics) else b""
        if not content.startswith(self._lines):
            # A run that is resumed is cut back to the rows of its last checkpoint.
            self._lines, self._rows = b"", []
        whole = content[: content.rfind(b"\n") + 1]
        rows = [parse_row(self.run.metrics, line) for line in whole[len(self._lines) :].splitlines()]
        self._rows += [row for row in rows if row["event"] == "evaluation"]
        self._lines = whole
