"""Chunks of steps on a device: fed, started, and landed when their work is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from nnctl.backends.contract import Result
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.memory import Entries, Memory
from nnctl.plan.plan import Plan

Array = NDArray[Any]


class Work(Protocol):
    """The work of a chunk, which is in a stream, or about to be put there."""

    def seconds(self) -> float:
        """Wait until it is done: the time that it took where it ran. Raises what kept it from running."""


class MarkedWork:
    """Work between two marks of a stream."""

    def __init__(self, device: Device, first: Any, last: Any) -> None:
        self._device, self._first, self._last = device, first, last

    def seconds(self) -> float:
        """See `Work`."""
        return self._device.seconds(self._first, self._last)


class StepsOnDevice:
    """An `Executable`: feeds and outputs of a chunk lie on the device, and the host waits for nothing between."""

    def __init__(self, plan: Plan, storage: Mapping[str, Any], device: Device) -> None:
        self.plan = plan
        self.device = device
        self.memory = Memory(plan, storage, device)
        self.in_flight = False

    def start(self, feeds: Mapping[str, Array | Entries], steps: int) -> ChunkInFlight:
        """See `Executable` in the contract."""
        if self.in_flight:
            raise RuntimeError(f"the step {self.plan.name!r} is started while its last chunk is in flight")
        if self.memory.make_room(steps):
            self.moved()
        self.memory.fill(feeds, steps)
        work = self.run(steps)
        self.in_flight = True
        return ChunkInFlight(self, work)

    def land(self, work: Work) -> Result:
        """Wait for the work of a chunk and read what it has made."""
        try:
            seconds = work.seconds()
            return Result(*self.memory.made(), seconds)
        finally:
            self.in_flight = False

    def moved(self) -> None:
        """Forget where the feeds and outputs of a chunk lay: they have new arrays."""

    def run(self, steps: int) -> Work:
        """Begin so many steps."""
        raise NotImplementedError


class ChunkInFlight:
    """The `Pending` of this backend."""

    def __init__(self, executable: StepsOnDevice, work: Work) -> None:
        self._executable, self._work = executable, work
        self._result: Result | None = None

    def result(self) -> Result:
        """See `Pending`."""
        if self._result is None:
            self._result = self._executable.land(self._work)
        return self._result
