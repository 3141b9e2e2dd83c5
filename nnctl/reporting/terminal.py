"""Sinks for people: a few lines and a progress bar on stderr, a table of the rows on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import IO

from rich import progress
from rich.console import Console
from rich.text import Text

from nnctl.reporting.sinks import Sink
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


class ExamplesPerSecond(progress.ProgressColumn):
    """The speed of training, in examples a second."""

    def render(self, task: progress.Task) -> Text:
        """The speed of the last seconds."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} examples/s" if speed else "", style="progress.data.speed")


class MessageSink:
    """Sentences on stderr: the start of a run, the reason of its end, its result."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def handle(self, event: Event) -> None:
        """Print the sentences for an event."""
        if isinstance(event, Started):
            self._say(
                f"{event.name}: {event.parameters:,} parameters, "
                f"{event.examples:,} training example{_s(event.examples)}, "
                f"batches of {event.batch_size:,}, {event.epochs:,} epoch{_s(event.epochs)}"
            )
            self._say(f"backend {event.backend}: {event.backend_reason}")
            for sentence in event.advice:
                self._say(f"note: {sentence}")
            self._say(f"run {event.folder}" + (f", going on at step {event.step:,}" if event.step else ""))
        elif isinstance(event, Pretrained):
            self._say(
                f"pretraining {event.layer}: epoch {event.epoch}/{event.epochs}, "
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
        words = f"{epochs:g} epoch{_s(epochs)} in {_duration(summary['seconds'])}"
        row = summary["test"] or summary["last"] or {}
        prefix = next((split for split in ("test_", "validation_") if _measured(row, split)), "train_")
        numbers = [f"{name.replace('_', ' ')} {show(value)}" for name, value in row.items() if name.startswith(prefix)]
        weights = f"best weights, of epoch {row['epoch']:g}" if summary["weights"] == "best" and row else ""
        self._say("; ".join(part for part in (words, ", ".join(numbers), weights) if part))

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Nothing is held."""


class ProgressSink:
    """A progress bar: epochs done, the running cost, examples a second, time left."""

    def __init__(self, console: Console) -> None:
        self.progress = progress.Progress(
            progress.TextColumn("epoch {task.fields[epoch]}"),
            progress.BarColumn(),
            progress.TextColumn("cost {task.fields[cost]}"),
            ExamplesPerSecond(),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self.progress.add_task("", total=None, epoch="0", cost="-")
        self._per_epoch = 1
        self._epochs = 1

    def handle(self, event: Event) -> None:
        """Move the bar."""
        if isinstance(event, Started):
            self._per_epoch, self._epochs = event.examples, event.epochs
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
    """A table: the rows under a head of two lines, each printed when it comes; a star marks the best so far."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._columns: tuple[str, ...] = ()

    def handle(self, event: Event) -> None:
        """Print the head, or a row."""
        if isinstance(event, Started):
            hidden = (*HIDDEN, *(name for name in event.columns if name.startswith("test_")))
            self._columns = tuple(name for name in event.columns if name not in hidden)
            heads = [name.rpartition("_")[0] for name in self._columns], [n.rpartition("_")[2] for n in self._columns]
            for head in heads:
                self._print(head, style="bold")
        elif isinstance(event, Evaluated):
            self._print([self._cell(name, event.record[name]) for name in self._columns], star=event.improved)
        elif isinstance(event, Tested):
            self._tested(event.record)

    def _tested(self, record: Record) -> None:
        numbers = [f"{n.removeprefix('test_')} {show(v)}" for n, v in record.items() if n.startswith("test_")]
        line = f"test, with the weights of epoch {show(record['epoch'])}: {', '.join(numbers)}"
        self.console.print(line, style="bold", markup=False, highlight=False)

    def _print(self, cells: Sequence[str], *, style: str | None = None, star: bool = False) -> None:
        padded = [cell.rjust(self._width(name)) for name, cell in zip(self._columns, cells)]
        line = "  ".join(padded) + (" *" if star else "")
        self.console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    @staticmethod
    def _cell(name: str, value: Value) -> str:
        if name in ("epoch", "learning_rate") and isinstance(value, float):
            return f"{value:.4g}"
        return f"{value:.1f}" if name == "seconds" else show(value)

    def _width(self, name: str) -> int:
        return max(7, *(len(part) for part in name.rpartition("_")))

    def close(self) -> None:
        """Nothing is held."""


def show(value: Value) -> str:
    """A value in the fewest characters that say enough: four digits."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4f}" if abs(value) < 100 else f"{value:.1f}"
    return f"{value:.2e}"


def _duration(seconds: float) -> str:
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
    errors = Console(file=stderr)
    bar = ProgressSink(errors) if not quiet and errors.is_terminal else None
    sinks: list[Sink] = [] if quiet else [MessageSink(errors)]
    if rows:
        # With a bar on the same screen, rows go through it, so that they stand above it.
        sinks.append(TableSink(bar.progress.console if bar is not None else Console(file=stdout)))
    return [*sinks, bar] if bar is not None else sinks
