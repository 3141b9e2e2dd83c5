"""A backend of a stranger's: it logs its launches, runs a chunk when its result is taken, and gives no array away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Alternative, Finding, Resources, Result
from nnctl.backends.launch_by_launch import LaunchByLaunch, LaunchByLaunchBackend
from nnctl.components import registry
from nnctl.components.base import BackendComponent
from nnctl.plan.plan import Launch, Plan

LOG: list[str] = []
"""The ops launched, in order."""


class Box:
    """An array that shows what `Placed` promises, and nothing else."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype


def opened(placed: Any) -> Any:
    return placed._array if isinstance(placed, Box) else placed


class Later:
    """A chunk that runs when somebody asks for its result."""

    def __init__(self, run: Callable[[], Result]) -> None:
        self._run = run
        self.outcome: Result | None = None

    def result(self) -> Result:
        if self.outcome is None:
            self.outcome = self._run()
        return self.outcome


class Logged(LaunchByLaunch):
    resources = Resources(1, "one abacus")
    pending: Later | None = None

    def start(self, feeds: Mapping[str, NDArray[Any]], steps: int) -> Later:
        if self.pending is not None and self.pending.outcome is None:
            raise RuntimeError("one chunk after the other")
        run = super().start
        self.pending = Later(lambda: run(feeds, steps).result())
        return self.pending

    def spent(self) -> NDArray[Any]:
        return np.zeros(len(self.plan.launches))

    def elsewhere(self) -> frozenset[int]:
        return frozenset()

    def limit(self) -> float:
        return 1e9

    def chosen_from(self) -> tuple[Alternative, ...]:
        return ()

    def _bind(self, launch: Launch) -> Callable[[], None]:
        run = super()._bind(launch)

        def logged() -> None:
            LOG.append(launch.op.name)
            run()

        return logged


class ToyBackend(LaunchByLaunchBackend):
    name = "toy"
    resources = Resources(1, "on one abacus")

    def to_read(self, array: NDArray[Any]) -> Box:
        return self.to_device(array)

    def to_device(self, array: NDArray[Any]) -> Box:
        return Box(opened(super().to_device(array)))

    def to_host(self, placed: Any) -> NDArray[Any]:
        return super().to_host(opened(placed))

    def copy_into(self, placed: Any, array: NDArray[Any], first: int = 0) -> None:
        super().copy_into(opened(placed), array, first)

    def entries(self, placed: Any, first: int, shape: tuple[int, int]) -> NDArray[Any]:
        found: NDArray[Any] = super().entries(opened(placed), first, shape)
        return found

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> Logged:
        return Logged(plan, {key: opened(placed) for key, placed in storage.items()}, self)

    def load_timed(self, plan: Plan, storage: Mapping[str, Any], *, retune: bool = False) -> Logged:
        return self.load(plan, storage)

    def listing(self, plan: Plan) -> str:
        return "\n".join(launch.op.name for launch in plan.launches)

    def describe(self) -> tuple[Finding, ...]:
        return (Finding("abacus", "ten rods", "a toy"),)


@registry.register("backend", "toy")
class Toy(BackendComponent):
    """Launches that are written down."""

    rank = -1

    def open(self, workers: int | None = None) -> ToyBackend:
        return ToyBackend()


@contextmanager
def registered() -> Iterator[None]:
    """A time in which specs may name it."""
    registry._registry["backend"]["toy"] = Toy
    try:
        yield
    finally:
        del registry._registry["backend"]["toy"]


# What is imported stays; other tests ask for the vocabulary as it is without a stranger's package.
del registry._registry["backend"]["toy"]
