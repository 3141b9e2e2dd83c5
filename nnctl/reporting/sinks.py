"""Sinks take the events of a run; streams and files get a line for each row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from nnctl.errors import RunError
from nnctl.process.signals import Signalled, leavable
from nnctl.reporting.formats import Format
from nnctl.runs.durable import GrowingFile
from nnctl.training.events import Evaluated, Event, Record, Saving, Started, Tested


class Sink(Protocol):
    """A follower of a run's events."""

    def handle(self, event: Event) -> None:
        """Take one event."""

    def close(self) -> None:
        """End: the run has ended, or was cut off."""


class StreamSink:
    """Lines to an open stream, one flush a line. Of a resumed run it gets the new rows only."""

    def __init__(self, stream: IO[str], form: Format) -> None:
        self.stream = stream
        self.form = form

    def handle(self, event: Event) -> None:
        """Write a row. Raises BrokenPipeError where the reader has gone."""
        if isinstance(event, Started):
            self._write(self.form.header(event.columns))
        elif isinstance(event, Evaluated | Tested):
            self._write(self.form.row(event.record))

    def _write(self, text: str) -> None:
        if not text:
            return
        try:
            with leavable(noted=False):
                self.stream.write(text)
                self.stream.flush()
        except Signalled as signalled:
            # The pipe is full, and the run is asked to end: it is saved as for a reader that has gone.
            raise BrokenPipeError("nobody reads") from signalled

    def close(self) -> None:
        """Leave the stream open: it is the caller's."""


class FileSink:
    """Lines to a file that holds all rows of the run, those before it was resumed included.

    resumed: the run has begun before, so the file may hold its rows. It is cut back
    to those that the run counts, and gets those that it lacks; a file with anything
    else in it is refused, as is one that is not empty when a run begins. A pipe or a
    device gets the new rows only. own: the file is of the run's folder, where none is a
    link. Raises RunError where it cannot be written.
    """

    def __init__(self, path: Path, form: Format, *, resumed: bool, own: bool = False) -> None:
        self.path = path
        self.form = form
        self.resumed = resumed
        self.own = own
        self._file: GrowingFile | None = None
        if not resumed and self._regular() and path.stat().st_size:
            raise RunError(f"{path}: is there already and not empty; metrics of a new run need a new file")
        # Before anything trains, not when the first row comes.
        if not path.parent.is_dir():
            raise RunError(f"{path}: cannot be written: there is no folder {path.parent}")

    def _regular(self) -> bool:
        return self.path.is_file()

    def handle(self, event: Event) -> None:
        """Write a row; before a checkpoint or a summary that counts it, make sure that it is on disk."""
        if isinstance(event, Started):
            self._open(event.columns, event.history)
        elif self._file is None:
            return
        elif isinstance(event, Evaluated | Tested):
            self._file.write(self.form.row(event.record))
            if isinstance(event, Tested):
                self._file.flush()
        elif isinstance(event, Saving):
            self._file.flush()

    def _open(self, columns: Sequence[str], history: Sequence[Record]) -> None:
        wanted = [line for line in (self.form.header(columns), *map(self.form.row, history)) if line]
        missing, keep = wanted, None
        if self._regular():
            present = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            both = min(len(present), len(wanted))
            common = next((i for i, (a, b) in enumerate(zip(present, wanted)) if a != b), both)
            complete = [line for line in present[common:] if line.endswith("\n")]
            if common < both or not all(self.form.fits(line, columns) for line in complete):
                raise RunError(
                    f"{self.path}: holds lines that are not of this run, the first after line {common}\n"
                    "  choose another file for --metrics, or remove this one: it is written anew from the run's rows"
                )
            missing, keep = wanted[common:], sum(len(line.encode()) for line in present[:common])
        self._file = GrowingFile(self.path, own=self.own)
        if keep is not None:
            self._file.truncate(keep)
        for line in missing:
            self._file.write(line)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
