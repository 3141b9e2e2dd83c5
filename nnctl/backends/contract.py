"""The seam between the compiler and what executes its plans: arrays, executables, backends.

The guard of a plan is a promise about storage, not about control flow. In a step whose guard is not
finite, launches before the guard have run and those behind it may have, too; but storage is then as it
was before that step, and no later step of the chunk changes it. What the outputs hold of that step and
of later ones means nothing, and `Result` does not contain it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from nnctl.graph.ir import Graph
from nnctl.late import dataclass
from nnctl.plan.dtypes import Precision
from nnctl.plan.plan import Plan


class Placed(Protocol):
    """An array where a backend computes. Only the backend that made it may rely on more than this."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of its axes."""

    @property
    def dtype(self) -> Any:
        """The type of its elements; compares equal to the NumPy dtype of the array on the host."""


@dataclass(frozen=True)
class Result:
    """The outcome of a chunk of steps.

    completed: steps that ran to their end; fewer than the chunk has where the guard stopped one.
    outputs: by name, (completed, *shape).
    seconds: that the chunk took where it ran, whatever ran beside it; None where its steps ran as it was started.
    """

    completed: int
    outputs: dict[str, NDArray[Any]]
    seconds: float | None = None


class Pending(Protocol):
    """A chunk of steps that may still be running."""

    def result(self) -> Result:
        """Wait for the chunk, and raise what it raised. Asked again, it gives the same."""


@dataclass(frozen=True)
class Done:
    """The `Pending` of a backend that has run the chunk by the time it returns."""

    outcome: Result

    def result(self) -> Result:
        """See `Pending`."""
        return self.outcome


class Executable(Protocol):
    """A plan loaded over its storage."""

    def start(self, feeds: Mapping[str, NDArray[Any]], steps: int) -> Pending:
        """Run a chunk of `steps` steps, now or until its result is taken.

        feeds: by name, (steps, *shape), on the host, or what `Backend.entries` gave; they must stay as they are until
        the result is taken. So must
        storage, but for rows that the chunk does not read: one chunk at a time is in flight over the same
        arrays. Scratch memory belongs to the executable, results to the caller. Raises RuntimeError while
        an earlier chunk of it is in flight.
        """


@dataclass(frozen=True)
class Resources:
    """The share of a machine that a step takes.

    workers: threads of the host that compute. words: the same in a listing, e.g. "2 threads"; "" where there
    is nothing to say.
    """

    workers: int
    words: str = ""


@dataclass(frozen=True)
class Finding:
    """A fact about the machine or a backend, a row of `nnctl doctor`. words: the reason, or what to do about it."""

    what: str
    value: str
    words: str = ""


@dataclass(frozen=True)
class Alternative:
    """A way to run a plan. words: the way. seconds: a step, measured. chosen: whether it was taken."""

    words: str
    seconds: float
    chosen: bool


class TimedExecutable(Executable, Protocol):
    """A plan that keeps time while it runs."""

    @property
    def plan(self) -> Plan:
        """The plan as it is run: its launches are timed, in their order."""

    @property
    def resources(self) -> Resources:
        """The resources that a step of this size uses."""

    def spent(self) -> NDArray[Any]:
        """Seconds of each launch (launches,), by the first of the workers, over all steps since the last call."""

    def elsewhere(self) -> frozenset[int]:
        """The numbers of launches whose time is counted with another's, which makes them, too."""

    def limit(self) -> float:
        """FLOP/s that matrix products in float32 reach with these resources, measured."""

    def chosen_from(self) -> Sequence[Alternative]:
        """The ways to run the plan that were measured on this machine; none where nothing was to be chosen."""


class Planner(Protocol):
    """The half of a backend that needs no machine to compute on. name: its name in specs."""

    @property
    def name(self) -> str: ...

    @property
    def takes_any_op(self) -> bool:
        """True where an op without a kernel runs its reference body; else a graph with one is refused."""

    def missing(self, graph: Graph) -> tuple[str, ...]:
        """Names of a graph's ops that it has no kernel for, in alphabetical order."""

    def plan(self, graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> Plan:
        """Lower a graph as this backend likes it; it loads no other backend's plans."""

    def listing(self, plan: Plan) -> str | None:
        """The code that it generates for a plan, for people; None where it generates none."""


class Backend(Planner, Protocol):
    """An executor of plans."""

    @property
    def resources(self) -> Resources:
        """The most that a step may use. Results are equal to the bit whatever it is."""

    def to_device(self, array: NDArray[Any]) -> Placed:
        """A copy of `array` where the backend computes."""

    def to_read(self, array: NDArray[Any]) -> Placed:
        """An array of the same numbers where the backend computes, of which it changes none.

        Where it computes in the host's memory it may be the array itself, which must stay as it is meanwhile.
        """

    def to_host(self, placed: Any) -> NDArray[Any]:
        """A copy of a placed array, on the host."""

    def copy_into(self, placed: Any, array: NDArray[Any], first: int = 0) -> None:
        """Let the rows from `first` on of a placed array be those of `array`, where they lie: loaded plans see them.

        An array without axes has its value replaced. May be called on another thread while a chunk runs
        that reads none of these rows.
        """

    def entries(self, placed: Any, first: int, shape: tuple[int, int]) -> Any:
        """A feed of (steps, batch) elements of a flat placed array, those from `first` on, where they lie."""

    def memory_left(self) -> int:
        """Bytes that new arrays may take where the backend computes."""

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> Executable:
        """Make a plan ready to run over placed arrays, which it changes in place.

        Raises TypeError for storage of another dtype than the plan's, ValueError for a precision or an op
        that the backend has not.
        """

    def load_timed(self, plan: Plan, storage: Mapping[str, Any], *, retune: bool = False) -> TimedExecutable:
        """The same, keeping time of every launch.

        retune: whether to forget what was measured for a choice on this machine, and measure anew.
        """

    def describe(self) -> Sequence[Finding]:
        """Facts for `nnctl doctor` that the machine's own do not contain."""
