"""Events of a training run: frozen reports, from which sinks make lines.

A run yields `Started`, then `Pretrained` where the spec asks for it, then `Computing`, `Progress` and
`Evaluated` in turn with `Saving` and `Saved` between them, then perhaps `Stopped`,
`Tested` where there is a test split, and `Finished`; or, where it is to pause, `Paused` as the last.
Where the layers are watched, `Watched` comes before the first step, and before an `Evaluated`.
A run that had finished before yields `Finished` alone.

An event is yielded before anything that depends on it happens: when a checkpoint
counts a row, its `Evaluated` has been handled by whoever iterates.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import field
from typing import Any, TypeAlias, TypeVar

from nnctl.late import dataclass
from nnctl.process.together import Aside, Work

T = TypeVar("T")

Value: TypeAlias = int | float | str | None
Record: TypeAlias = Mapping[str, Value]
"""One row of the metrics. Every row of a run has the columns of `Started.columns`, in that order."""

Pausing: TypeAlias = Callable[[int, Sequence[Record]], bool]
"""A wish to pause: told how many epochs are done and the rows so far, True where the run is to save and end for now.

It is asked once after each epoch but the last; as a run resumes, for those that it has done.
"""

NO_ROWS = ""
"""The digest of no rows."""


def rows_digest(before: str, row: Record) -> str:
    """The digest of rows and one more after them, from theirs; without its seconds, in which equal runs differ."""
    text = json.dumps({name: value for name, value in row.items() if name != "seconds"}, sort_keys=True)
    return hashlib.sha256(f"{before}{text}".encode()).hexdigest()


@dataclass(frozen=True)
class Started:
    """Data and net are loaded; training begins, or resumes at `step`.

    history: the rows that earlier parts of the run have written. advice: sentences for people on the spec.
    folder: of the run; metrics: its file of rows.
    """

    name: str
    folder: str
    metrics: str
    columns: tuple[str, ...]
    backend: str
    backend_reason: str
    parameters: int
    examples: int
    batch_size: int
    epochs: int
    steps: int
    step: int = 0
    history: tuple[Record, ...] = ()
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pretrained:
    """A layer has been over the training set once more, as a Boltzmann machine.

    reconstruction_error: the mean of ‖v − E[v | h]‖²/visible. seconds: since pretraining began.
    """

    layer: str
    epoch: int
    epochs: int
    reconstruction_error: float
    seconds: float


@dataclass(frozen=True)
class Computing:
    """Steps, batches of a split, or files are under way, and the run waits for them as soon as it is asked to go on.

    Who drives several runs lets others begin theirs meanwhile; no sink is told. due: what must have ended before it is
    of use to go on; None where that may be at once.
    """

    due: Aside[Any] | None = None


@dataclass(frozen=True)
class Progress:
    """Some steps are done. `cost` is the mean training cost since the last row."""

    step: int
    epoch: float
    examples: int
    """Training examples seen since the run began, repetitions counted."""
    cost: float


@dataclass(frozen=True)
class Evaluated:
    """A row of the metrics. `improved`: the monitored column is better than ever before."""

    record: Record
    improved: bool = False


@dataclass(frozen=True)
class Watched:
    """The layers are measured: a row for each, with the epoch and the step; see `nnctl.engine.layer_rows`."""

    rows: tuple[Record, ...]


@dataclass(frozen=True)
class Saving:
    """A checkpoint is about to be written: what was reported must be on disk before it."""

    step: int


@dataclass(frozen=True)
class Saved:
    """The last checkpoint of the run is that of `step`."""

    step: int


@dataclass(frozen=True)
class Stopped:
    """Training ends before its last epoch."""

    reason: str


@dataclass(frozen=True)
class Paused:
    """The run has saved and ends here for now, after so many epochs; resumed, it is the run that never paused."""

    epoch: int
    step: int


@dataclass(frozen=True)
class Tested:
    """The last row: the test split, measured with the weights that the run ends with."""

    record: Record


@dataclass(frozen=True)
class Finished:
    """The run is complete. `before`: it was so already, and nothing was done.

    warnings: sentences for people where it has learned nothing, then what to try.
    """

    summary: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    before: bool = False
    warnings: tuple[str, ...] = ()


Event: TypeAlias = (
    Started
    | Pretrained
    | Computing
    | Progress
    | Watched
    | Evaluated
    | Saving
    | Saved
    | Stopped
    | Paused
    | Tested
    | Finished
)


def computing(work: Work[T]) -> Generator[Event, None, T]:
    """The result of a piece of work, with `Computing` wherever it gives way."""
    with closing(work):
        while True:
            try:
                due = next(work)
            except StopIteration as ended:
                result: T = ended.value
                return result
            yield Computing(due)
