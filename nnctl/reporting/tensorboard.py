"""Scalars of runs for TensorBoard: a file of events in a run's folder, or of each of many below a folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from nnctl.errors import RunError, UsageError
from nnctl.reporting.tfevents import scalars_record, version_record
from nnctl.runs.durable import GrowingFile, read_file
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import read_history
from nnctl.runs.rows import layer_rows
from nnctl.training.events import Evaluated, Event, Finished, Record, Saving, Started, Tested, Watched
from nnctl.training.monitor import metric_of

NAME = "events.out.tfevents.nnctl"
"""The file of a run; TensorBoard takes what has `tfevents` in its name."""
_HIDDEN = ("event", "step")


def records_of(started: float, rows: Sequence[Record], layers: Sequence[Record]) -> list[bytes]:
    """The records of a run's rows, a function of these alone. started: when the run began, in seconds since 1970.

    A row's time is the beginning and its seconds of training, as if there had been no pause. layers: rows on its
    layers; those of a step stand before the row of that step, or of the one after, and have its time.
    """
    records, rest = [version_record(started)], list(layers)
    for row in rows:
        records += _records_up_to(started, row, rest)
    return records


def tag_of(column: str) -> str:
    """The tag of a column: cost/train beside cost/validation, in one group; any other column by its name."""
    metric = metric_of(column)
    return column if metric == column else f"{metric}/{column.removesuffix(f'_{metric}')}"


def _records_up_to(started: float, row: Record, layers: list[Record]) -> list[bytes]:
    """The records of a row, and before it those of the layers up to its step, which are taken from `layers`."""
    seconds, last = started + _number(row["seconds"]), int(_number(row["step"]))
    steps: dict[int, dict[str, float]] = {}
    while layers and (step := int(_number(layers[0]["step"]))) <= last:
        steps.setdefault(step, {}).update(_layer_scalars(layers.pop(0)))
    records = [scalars_record(seconds, step, scalars) for step, scalars in steps.items()]
    return [*records, _row_record(started, row)]


def _layer_scalars(row: Record) -> dict[str, float]:
    """The numbers on a layer, as layers/<name>/<what is measured>."""
    hidden = ("epoch", "step", "layer")
    return {f"layers/{row['layer']}/{name}": value for name, value in _scalars(row, hidden).items()}


class TensorBoardSink:
    """The sink of a run's file of events, which holds all its rows, those before it was resumed included.

    It is cut back to the rows that the run counts, and gets those that it lacks. It is none of the files whose
    digests a finished run knows: it can be made again from its rows. Raises RunError where another file has its name.
    """

    def __init__(self) -> None:
        self._file: GrowingFile | None = None
        self._started = 0.0
        self._layers: list[Record] = []

    def handle(self, event: Event) -> None:
        """Write a row; before a checkpoint that counts it, make sure that it is on disk."""
        if isinstance(event, Started):
            self._open(RunFolder(Path(event.folder)), event.history)
        elif isinstance(event, Finished) and event.before:
            run = RunFolder(Path(event.folder))
            self._open(run, _all_rows(run))
        elif self._file is None:
            return
        elif isinstance(event, Watched):
            self._layers += event.rows
        elif isinstance(event, Evaluated | Tested):
            self._file.append(b"".join(_records_up_to(self._started, event.record, self._layers)))
        if isinstance(event, Saving | Finished) and self._file is not None:
            self._file.flush()

    def _open(self, run: RunFolder, rows: Sequence[Record]) -> None:
        path = run.path / NAME
        self._started = _began(run)
        layers = layer_rows(run)
        wanted = b"".join(records_of(self._started, rows, layers))
        last = max((int(_number(row["step"])) for row in rows), default=-1)
        # Of a run that was cut off between the two, the rows on the layers wait for its next row.
        self._layers = [row for row in layers if _number(row["step"]) > last]
        file = self._file = GrowingFile(path, own=True)
        present = read_file(path)
        if present and not present.startswith(version_record(self._started)[: len(present)]):
            raise RunError(
                f"{path}: is not the file of this run's events\n  remove it: it is written anew from the rows"
            )
        both = min(len(present), len(wanted))
        kept = next((place for place in range(both) if present[place] != wanted[place]), both)
        if kept < len(present):
            file.truncate(kept)
        file.append(wanted[kept:])

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def export(run: RunFolder, folder: Path) -> Path:
    """Write the events of a run to a folder of its own below `folder`, in place of those before. Returns its file.

    Raises RunError where the run is damaged, UsageError where nothing can be written.
    """
    parts = [part for part in run.path.parts if part not in (run.path.anchor, "..", ".")]
    path = folder.joinpath(*parts, NAME)
    content = b"".join(records_of(_began(run), _all_rows(run), layer_rows(run)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"--tensorboard-dir {path}: cannot be written: {error.strerror}") from error
    return path


def _row_record(started: float, row: Record) -> bytes:
    numbers = {tag_of(name): value for name, value in _scalars(row, _HIDDEN).items()}
    return scalars_record(started + _number(row["seconds"]), int(_number(row["step"])), numbers)


def _scalars(row: Record, hidden: Sequence[str]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in row.items()
        # In the run's rows there is no number that is not finite, and what is written at once has to be the same.
        if name not in hidden and isinstance(value, int | float) and math.isfinite(value)
    }


def _all_rows(run: RunFolder) -> list[Record]:
    history = read_history(run)
    test = history.summary and history.summary["test"]
    return [*history.rows, *([test] if test else [])]


def _began(run: RunFolder) -> float:
    return datetime.fromisoformat(run.read_origin()["started"]).timestamp()


def _number(value: int | float | str | None) -> float:
    return float(value or 0.0)
