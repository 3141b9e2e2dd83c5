"""The contract of an executor: what trains a sweep's trials, on this machine or on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nnctl.late import dataclass

if TYPE_CHECKING:
    from nnctl.runs.addresses import Address
    from nnctl.sweep.executors.waiting import Spent
    from nnctl.sweep.rungs import Watch


@dataclass(frozen=True)
class TrialTask:
    """A trial as an executor is given it. patient: to wait for, where another process trains it.

    alone: to train in a process that trains no other meanwhile. watch: its rungs and what becomes of it there; None
    where it is trained to its end in any case. address: of its sweep, where that is no folder; it is trained in a
    folder of the worker's own, and carried there. net: equal for trials that share a net, of which a process that has
    trained one has a part already.
    """

    number: int
    overrides: tuple[str, ...]
    folder: Path
    patient: bool = False
    alone: bool = False
    watch: Watch | None = None
    address: Address | None = None
    net: str = ""


@dataclass(frozen=True)
class Trained:
    """The trial is trained."""

    summary: Mapping[str, Any]


@dataclass(frozen=True)
class Paused:
    """The trial has saved and ends for now at a rung, where it waits for others. parameters: of its net."""

    rung: float
    parameters: int


@dataclass(frozen=True)
class Pruned:
    """The trial has saved and ends at a rung, as its watch decided. parameters: of its net."""

    rung: float
    parameters: int


@dataclass(frozen=True)
class Failed:
    """The trial ended with an error.

    again: True where it was the machine's and not the trial's, so that the same line may do better.
    full: True where no other trial could write anything, either. lost: True where its process has died, or has lost
    its device. cramped: True where memory that others took may have been what it lacked. epochs: whole ones that were
    done.
    """

    status: str
    message: str
    exit_code: int
    again: bool = False
    full: bool = False
    lost: bool = False
    cramped: bool = False
    epochs: int = 0


@dataclass(frozen=True)
class Halted:
    """The trial has saved and stopped, at a request."""


@dataclass(frozen=True)
class Elsewhere:
    """Another process trains the trial."""


@dataclass(frozen=True)
class Reading:
    """A worker is to read the data of a trial with these overrides."""

    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Read:
    """A worker's word on that. taken: the most memory that it has had, in bytes; None where it could not read them."""

    taken: int | None


@dataclass(frozen=True)
class Ended:
    """A worker's word on the trial of a number. spent: None where it was the first, or beside others."""

    number: int
    outcome: Outcome
    spent: Spent | None = None


Outcome = Trained | Paused | Pruned | Failed | Halted | Elsewhere


class Executor(Protocol):
    """Workers that train trials, variants of one spec, each in its folder, going on with what is there."""

    @property
    def together(self) -> int:
        """Trials at a time that one process trains."""
        ...

    @property
    def busy(self) -> bool:
        """True where a trial was given whose outcome has not come."""
        ...

    @property
    def free(self) -> bool:
        """True where another trial could begin at once."""
        ...

    def read(self, task: TrialTask) -> bool:
        """Read the data of a trial, before any is given. False where the caller is to, who can say what is wrong."""
        ...

    def give(self, task: TrialTask) -> None:
        """Begin a trial. Raises RunError where no worker can be had."""
        ...

    def outcomes(self, seconds: float) -> Sequence[tuple[TrialTask, Outcome]]:
        """The outcomes that have come; waits for the first of them, so many seconds at most."""
        ...

    def halt(self) -> None:
        """Let the trials under way save and come back as `Halted`; none begins any more."""
        ...

    def close(self) -> None:
        """Halt what is under way, wait for it, and let the workers go."""
        ...
