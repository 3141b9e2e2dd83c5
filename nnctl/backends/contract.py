"""What a backend is: it keeps arrays under names and runs plans on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from nnctl.graph.ir import Graph
from nnctl.plan.plan import Plan, Precision


@dataclass(frozen=True)
class Result:
    """What running a plan for some steps gave.

    completed: steps that ran to their end; fewer than asked for where the guard stopped
        one, which then changed nothing in storage.
    outputs: by name, (completed, *shape).
    """

    completed: int
    outputs: dict[str, NDArray[Any]]


class Executable(Protocol):
    """A plan loaded over its storage."""

    def run(self, feeds: Mapping[str, NDArray[Any]], steps: int) -> Result:
        """Run `steps` steps. feeds: by name, (steps, *shape)."""


class TimedExecutable(Executable, Protocol):
    """A plan that keeps time while it runs."""

    @property
    def threads(self) -> int:
        """How many threads share a step."""

    def spent(self) -> NDArray[Any]:
        """Seconds of each launch, on the first thread, over all steps since the last call."""


class Backend(Protocol):
    """An executor of plans. `name` is what specs call it."""

    @property
    def name(self) -> str: ...

    @property
    def threads(self) -> int:
        """How many compute at most. Results are equal to the bit whatever it is."""

    def place(self, array: NDArray[Any]) -> Any:
        """A copy of `array` where the backend computes."""

    def fetch(self, placed: Any) -> NDArray[Any]:
        """A copy of a placed array, on the host."""

    def overwrite(self, placed: Any, array: NDArray[Any], first: int = 0) -> None:
        """Let the rows from `first` on of a placed array be those of `array`, where they lie: loaded plans see them.

        An array without axes has its value replaced. May be called on another thread while a chunk runs
        that reads none of these rows.
        """

    def plan(self, graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> Plan:
        """Lower a graph as this backend likes it."""

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> Executable:
        """Make a plan ready to run over placed arrays, which it changes in place."""

    def load_timed(self, plan: Plan, storage: Mapping[str, Any]) -> TimedExecutable:
        """The same, keeping time of every launch."""
