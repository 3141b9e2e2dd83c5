"""Sinks for people: a few lines and a progress bar on stderr, a table of the rows on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import IO

from rich import progress
from rich.text import Text

from nnctl.reporting.pace import Pace
from nnctl.reporting.sinks import Sink
from nnctl.screen.characters import message, width_of, word
from nnctl.screen.console import Bar, Console, columns_of
from nnctl.training.events import (
    Evaluated,
    Event,
    Finished,
    Pretrained,
    Progress,
    Record,
    Started,
    Stopped,
    Tested,
    Value,
)

HIDDEN = ("event", "step")
"""Columns that the table leaves out: the epoch says as much."""
COLUMNS = 40
"""Columns that the table has at most: of a net with many layers, the norms of each fill a screen."""


class ExamplesPerSecond(progress.ProgressColumn):
    """The speed of training, in examples a second."""

    def render(self, task: progress.Task) -> Text:
        """The speed of the last seconds."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} examples/s" if speed else "", style="progress.data.speed")


class MessageSink:
    """Sentences on stderr: the start of a run, the reason of its end, its result."""

    def __init__(self, console: Console, pace: Pace | None = None) -> None:
        self.console = console
        self._pace = pace or Pace()

    def handle(self, event: Event) -> None:
        """Print the sentences for an event."""
        if isinstance(event, Started):
            self._say(
                f"{word(event.name)}: {event.parameters:,} parameters, "
                f"{event.examples:,} training example{_s(event.examples)}, "
                f"batches of {event.batch_size:,}, {event.epochs:,} epoch{_s(event.epochs)}"
            )
            self._say(f"backend {event.backend}: {event.backend_reason}")
            for sentence in event.advice:
                self._say(f"note: {sentence}")
            self._say(f"run {event.folder}" + (f", going on at step {event.step:,}" if event.step else ""))
        elif isinstance(event, Pretrained) and (self._pace.due() or event.epoch == event.epochs):
            self._say(
                f"pretraining {word(event.layer)}: epoch {event.epoch}/{event.epochs}, "
                f"reconstruction error {show(event.reconstruction_error)}"
            )
        elif isinstance(event, Stopped):
            self._say(f"stopped early: {event.reason}")
        elif isinstance(event, Finished):
            self._finished(event)

    def _finished(self, event: Finished) -> None:
        summary = event.summary
        if event.before:
            self._say(
                f"{event.folder}: this run is finished; --resume with more --epochs goes on, unless it stopped early"
            )
        epochs = summary["epochs"]
        words = f"{epochs:g} epoch{_s(epochs)} in {duration(summary['seconds'])}"
        row = summary["test"] or summary["last"] or {}
        prefix = next((split for split in ("test_", "validation_") if _measured(row, split)), "train_")
        numbers = [f"{name.replace('_', ' ')} {show(value)}" for name, value in row.items() if name.startswith(prefix)]
        weights = f"best weights, of epoch {row['epoch']:g}" if summary["weights"] == "best" and row else ""
        self._say("; ".join(part for part in (words, ", ".join(numbers), weights) if part))
        for sentence in event.warnings:
            self._say(f"warning: {sentence}")

    def _say(self, text: str) -> None:
        self.console.say(message(text))

    def close(self) -> None:
        """Nothing is held."""


class ProgressSink:
    """A progress bar: epochs done, the running cost, examples a second, time left."""

    def __init__(self, console: Console) -> None:
        self.progress = Bar(
            progress.TextColumn("epoch {task.fields[epoch]}"),
            progress.BarColumn(),
            progress.TextColumn("cost {task.fields[cost]}"),
            ExamplesPerSecond(),
            progress.TimeRemainingColumn(),
            console=console,
        )
        self._task = self.progress.add_task("", total=None, epoch="0", cost="-")
        self._epochs = 1

    def handle(self, event: Event) -> None:
        """Move the bar."""
        if isinstance(event, Started):
            self._epochs = event.epochs
            done = event.step * event.examples * event.epochs // event.steps
            self.progress.update(self._task, total=event.examples * event.epochs, completed=done)
            self.progress.start()
        elif isinstance(event, Progress):
            self.progress.update(
                self._task,
                completed=event.examples,
                epoch=f"{min(math.floor(event.epoch) + 1, self._epochs)}/{self._epochs}",
                cost=show(event.cost),
            )
        elif isinstance(event, Stopped | Tested | Finished):
            self.close()

    def close(self) -> None:
        """Take the bar off the screen."""
        self.progress.stop()


class TableSink:
    """A table: the rows under a head of two lines, each printed when it comes; a star marks the best so far.

    Of rows that come faster than they are read, those are left out that a person would not miss: the best so
    far and the last are always there, and the run's file has all of them. A row that is wider than the
    terminal takes several lines, and so does the head.
    """

    def __init__(self, console: Console, pace: Pace | None = None) -> None:
        self.console = console
        self._pace = pace or Pace()
        self._started: Started | None = None
        self._lines: list[list[str]] = []
        self._best: Evaluated | None = None
        self._last: Evaluated | None = None
        self._left_out = 0

    def handle(self, event: Event) -> None:
        """Print a row, the head before the first."""
        if isinstance(event, Started):
            self._started = event
        elif isinstance(event, Evaluated):
            if not self._lines and self._started is not None:
                self._head(self._started)
            if event.improved:
                self._best = event
            self._last = event
            self._left_out += 1
            if self._pace.due():
                self._catch_up()
        elif isinstance(event, Tested):
            self._end()
            self._tested(event.record)
        elif isinstance(event, Stopped | Finished):
            self._end()

    def _head(self, event: Started) -> None:
        hidden = (*HIDDEN, *(name for name in event.columns if name.startswith("test_")))
        names = [name for name in event.columns if name not in hidden]
        self._lines = _lines(names[:COLUMNS], self.console.width)
        for line in self._lines:
            self._print(line, [name.rpartition("_")[0] for name in line], style="bold")
            self._print(line, [name.rpartition("_")[2] for name in line], style="bold")
        if len(names) > COLUMNS:
            self.console.say(f"and {len(names) - COLUMNS:,} more columns in {event.metrics}", "bold")

    def _catch_up(self) -> None:
        """Print the best and the last of the rows that came since one was printed."""
        rows = [row for row in (self._best, self._last) if row is not None]
        if len(rows) == 2 and rows[0] is rows[1]:
            del rows[0]
        for row in rows:
            for line in self._lines:
                last = line is self._lines[-1]
                self._print(line, [_cell(name, row.record[name]) for name in line], star=row.improved and last)
        self._left_out -= len(rows)
        self._best = self._last = None

    def _tested(self, record: Record) -> None:
        numbers = [f"{n.removeprefix('test_')} {show(v)}" for n, v in record.items() if n.startswith("test_")]
        line = f"test, with the weights of epoch {show(record['epoch'])}: {', '.join(numbers)}"
        self.console.say(message(line), "bold")

    def _print(
        self, names: Sequence[str], cells: Sequence[str], *, style: str | None = None, star: bool = False
    ) -> None:
        padded = [" " * (_width(name) - width_of(cell)) + cell for name, cell in zip(names, map(word, cells))]
        self.console.say("  ".join(padded) + (" *" if star else ""), style)

    def _end(self) -> None:
        """Print what was held back."""
        self._catch_up()
        if self._left_out and self._started is not None:
            rows = f"{self._left_out:,} more row{_s(self._left_out)}"
            self.console.say(f"{rows}, which came faster than one reads, in {self._started.metrics}")
            self._left_out = 0

    def close(self) -> None:
        """End the table of a run that was cut off."""
        self._end()


def _lines(names: Sequence[str], width: int) -> list[list[str]]:
    """The columns of each line of a row: as many as fit, and one at least."""
    lines: list[list[str]] = [[]]
    left = full = width - len(" *")
    for name in names:
        needed = _width(name) + len("  ")
        if lines[-1] and needed > left + len("  "):
            lines.append([])
            left = full
        lines[-1].append(name)
        left -= needed
    return lines


def _cell(name: str, value: Value) -> str:
    if name in ("epoch", "learning_rate") and isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:.1f}" if name == "seconds" else show(value)


def _width(name: str) -> int:
    """Of a column: its head's and its numbers', at most as wide in the common case."""
    return max(7, *(width_of(word(part)) for part in name.rpartition("_")))


def show(value: Value) -> str:
    """A value in the fewest characters that say enough: four digits."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4f}" if abs(value) < 100 else f"{value:.1f}"
    return f"{value:.2e}"


def duration(seconds: float) -> str:
    """A time in the units that say enough."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def _s(count: float) -> str:
    return "" if count == 1 else "s"


def _measured(row: Record, prefix: str) -> bool:
    """True where a row has a number under a name that begins so."""
    return any(name.startswith(prefix) and value is not None for name, value in row.items())


def terminal_sinks(stdout: IO[str], stderr: IO[str], *, rows: bool, quiet: bool) -> list[Sink]:
    """The sinks for people. rows: print the table on stdout, which is then a terminal."""
    errors = Console(stderr)
    bar = ProgressSink(errors) if not quiet and errors.is_terminal else None
    # With a bar on the same screen, rows go through it and stand above it. The table ends before the last words.
    sinks: list[Sink] = [TableSink(Console(stdout, columns_of(stdout)) if bar is None else errors)] if rows else []
    sinks += [] if quiet else [MessageSink(errors)]
    return [*sinks, bar] if bar is not None else sinks
