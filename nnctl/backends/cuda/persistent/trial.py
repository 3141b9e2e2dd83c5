"""The trial of several ways to run a plan: the fastest, found by running the beginning of a long chunk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from nnctl.backends.contract import Executable
from nnctl.backends.cuda.chunks import ChunkInFlight, StepsOnDevice
from nnctl.backends.cuda.codegen.functions import DeviceFunction
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.memory import Entries
from nnctl.plan.plan import Plan


class Way(Protocol):
    """A way to run the steps of a plan."""

    @property
    def function(self) -> DeviceFunction | None:
        """The kernel that is compiled for this plan alone; None without one."""

    @property
    def blocks(self) -> int:
        """Blocks that hold a multiprocessor each as long as a chunk lasts; 0 where none does."""

    def steps(self, storage: Mapping[str, Any], device: Device) -> StepsOnDevice:
        """The steps over a storage."""


_STEPS = 32
"""Steps of a trial. Shorter chunks, as the rest of an epoch is one, are not worth it."""
_TIMES = 3
"""Runs of each way; the fastest counts, and the first one warms up."""
_WORTH = 0.3
"""Seconds after the first long chunk from which on a kernel is worth compiling, which takes as long as some of them."""


def fastest_steps(plan: Plan, storage: Mapping[str, Any], device: Device, ways: Sequence[Way]) -> Executable:
    """The steps of a plan by the fastest of these ways. The first of them runs what comes before the trial."""
    return FastestSteps(plan, storage, device, ways) if len(ways) > 1 else ways[0].steps(storage, device)


class FastestSteps:
    """An `Executable` by the fastest of several ways. Results are the same whichever it is.

    ways: the first of them runs chunks until one is long enough for the trial and the kernels of the others are there,
    which are compiled beside. The trial changes nothing: it runs on copies of what the plan changes.
    """

    def __init__(self, plan: Plan, storage: Mapping[str, Any], device: Device, ways: Sequence[Way]) -> None:
        self.plan = plan
        self._storage = storage
        self._device = device
        self._ways = ways
        self._steps = ways[0].steps(storage, device)
        self._tried = False
        self._first_long: float | None = None

    @property
    def chosen(self) -> StepsOnDevice:
        """The steps of the way that chunks are run by now."""
        return self._steps

    def start(self, feeds: Mapping[str, NDArray[Any] | Entries], steps: int) -> ChunkInFlight:
        """See `Executable` in the contract."""
        if not self._tried and steps >= _STEPS and not self._steps.in_flight and self._ready():
            fastest = min(range(len(self._ways)), key=self._times(feeds).__getitem__)
            if fastest:
                self._steps = self._ways[fastest].steps(self._storage, self._device)
            self._tried = True
        return self._steps.start(feeds, steps)

    def _ready(self) -> bool:
        """True where nobody has to wait for a compiler."""
        now = time.monotonic()
        if self._first_long is None:
            self._first_long = now
        return self.compiled(begin=now - self._first_long >= _WORTH)

    def compiled(self, *, begin: bool) -> bool:
        """True once the kernels are there that the trial needs. begin: whether to have them compiled beside else."""
        kernels = [way.function for way in self._ways[1:] if way.function is not None]
        ready = [self._device.ready(kernel, begin=begin) for kernel in kernels]
        return all(ready)

    def _times(self, feeds: Mapping[str, NDArray[Any] | Entries]) -> list[float]:
        """Seconds of each way on the first steps of a chunk, when all who share the device go it."""
        beginning = {key: array[:_STEPS] for key, array in feeds.items()}
        return [self._seconds(way, beginning) * self._turns(way) for way in self._ways]

    def _turns(self, way: Way) -> float:
        """The factor by which a chunk takes longer where everybody's blocks are to find a multiprocessor."""
        return max(1.0, self._device.sharers * way.blocks / self._device.multiprocessors)

    def _seconds(self, way: Way, feeds: Mapping[str, NDArray[Any] | Entries]) -> float:
        device, changed = self._device, _changed(self.plan)
        copies = {
            key: device.upload(device.download(array)) if key in changed else array
            for key, array in self._storage.items()
        }
        steps = way.steps(copies, device)
        times = []
        for _ in range(_TIMES):
            first = device.mark()
            pending = steps.start(feeds, _STEPS)
            last = device.mark()
            pending.result()
            times.append(device.seconds(first, last))
        return min(times)


def _changed(plan: Plan) -> set[str]:
    """The names in storage of what a step changes."""
    written = [*(slot for launch in plan.launches for slot in launch.outputs), *(old for _, old in plan.copies)]
    return {slot.key for slot in written if slot.place == "storage"}
