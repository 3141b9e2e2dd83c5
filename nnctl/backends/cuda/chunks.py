"""Chunks of steps on a device: fed, started, and landed when their work is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from nnctl.backends.contract import Result
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.memory import Entries, Memory
from nnctl.plan.plan import Plan

Array = NDArray[Any]


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
        first = self.device.mark()
        self.memory.fill(feeds, steps)
        self.run(steps)
        last = self.device.mark()
        self.in_flight = True
        return ChunkInFlight(self, first, last)

    def land(self, first: Any, last: Any) -> Result:
        """Wait for a chunk between two marks and read what it has made."""
        try:
            return Result(*self.memory.made(), self.device.seconds(first, last))
        finally:
            self.in_flight = False

    def moved(self) -> None:
        """Forget where the feeds and outputs of a chunk lay: they have new arrays."""

    def run(self, steps: int) -> None:
        """Put so many steps into the stream."""
        raise NotImplementedError


class ChunkInFlight:
    """The `Pending` of this backend. first, last: marks before and behind its work."""

    def __init__(self, executable: StepsOnDevice, first: Any, last: Any) -> None:
        self._executable, self._first, self._last = executable, first, last
        self._result: Result | None = None

    def result(self) -> Result:
        """See `Pending`."""
        if self._result is None:
            self._result = self._executable.land(self._first, self._last)
        return self._result
