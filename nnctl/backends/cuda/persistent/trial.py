"""The trial of several ways to run a plan: the fastest, found by running the beginning of a long chunk.

All trials of a sweep in one process whose nets differ in numbers alone share the choice: one of them makes it for all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from nnctl.backends.contract import Executable
from nnctl.backends.cuda.chunks import ChunkInFlight, StepsOnDevice
from nnctl.backends.cuda.codegen.functions import DeviceFunction
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.memory import Entries
from nnctl.plan.plan import Plan

Feeds = Mapping[str, NDArray[Any] | Entries]


class Way(Protocol):
    """A way to run the steps of a plan."""

    @property
    def plan(self) -> Plan: ...

    @property
    def function(self) -> DeviceFunction | None:
        """The kernel that is compiled for plans of this kind; None without one."""

    @property
    def alike(self) -> Hashable:
        """The key that is equal for ways that take as long: those of plans that differ in numbers alone."""

    def rows(self, device: Device) -> int | None:
        """Those, at most, whose chunks one launch has; None where everybody's are launched beside each other's."""

    def steps(self, storage: Mapping[str, Any], device: Device) -> StepsOnDevice:
        """The steps over a storage."""

    def steps_apart(self, storages: Sequence[Mapping[str, Any]], device: Device) -> Sequence[StepsOnDevice]:
        """The steps over some storages, which nobody else's chunks are launched with."""


WaysOf = Callable[[int], Sequence[Way]]
"""Ways by the number of those that share the device; the same first one, and in the same order for plans alike."""

_STEPS = 32
"""Steps of a trial. Shorter chunks, as the rest of an epoch is one, are not worth it."""
_TIMES = 3
"""Runs of each way; the fastest counts, and the first one warms up."""
_WORTH = 0.3
"""Seconds after the first long chunk from which on a kernel is worth compiling, which takes as long as some of them."""
_MORE = 2
"""Times those that shared the device when a choice was made, beyond which it is made anew."""


class Decision:
    """The number of the way that is taken, for plans that differ in numbers alone.

    sharers: of the device when a trial decided it; 0 before. first_long: when the first long chunk began.
    """

    def __init__(self) -> None:
        self.taken = self.sharers = 0
        self.first_long: float | None = None


class Choice:
    """The choice among ways to run a plan. Results are the same whichever it is.

    ways: those that are worth a trial where so many share the device. The first of them is taken until a chunk is long
    enough for the trial and the kernels of the others are there, which are compiled beside. decision: of all plans
    that have such ways; its own if None.
    """

    def __init__(self, ways: WaysOf, decision: Decision | None = None) -> None:
        self.ways = ways
        self._decision = decision or Decision()

    @property
    def way(self) -> Way:
        """The way that is taken now."""
        return self.ways(max(1, self._decision.sharers))[self._decision.taken]

    def load(self, storage: Mapping[str, Any], device: Device) -> Executable:
        """The steps over a storage by the way that is taken, now and later."""
        return FastestSteps(self, storage, device) if len(self.ways(1)) > 1 else self.way.steps(storage, device)

    def make(self, storage: Mapping[str, Any], device: Device, feeds: Feeds, steps: int) -> None:
        """Choose by a trial on the beginning of a chunk, where it is long enough and the trial is due.

        The trial changes nothing: it runs on copies of what the plan changes.
        """
        decision = self._decision
        if steps >= _STEPS and device.sharers > _MORE * decision.sharers and self._ready(device):
            beginning = {key: array[:_STEPS] for key, array in feeds.items()}
            seconds = [_seconds(way, storage, device, beginning) for way in self.ways(device.sharers)]
            decision.taken = min(range(len(seconds)), key=seconds.__getitem__)
            decision.sharers = device.sharers

    def _ready(self, device: Device) -> bool:
        """True where nobody has to wait for a compiler."""
        now = time.monotonic()
        if self._decision.first_long is None:
            self._decision.first_long = now
        return self.compiled(device, begin=now - self._decision.first_long >= _WORTH)

    def compiled(self, device: Device, *, begin: bool) -> bool:
        """True once the kernels are there that the trial needs. begin: whether to have them compiled beside else."""
        kernels = [way.function for way in self.ways(device.sharers)[1:] if way.function is not None]
        ready = [device.ready(kernel, begin=begin) for kernel in kernels]
        return all(ready)


class FastestSteps:
    """An `Executable` by the way that a choice takes."""

    def __init__(self, choice: Choice, storage: Mapping[str, Any], device: Device) -> None:
        self.choice = choice
        self._storage = storage
        self._device = device
        self._way = choice.way
        self._steps = self._way.steps(storage, device)

    @property
    def chosen(self) -> StepsOnDevice:
        """The steps of the way that chunks are run by now."""
        return self._steps

    def start(self, feeds: Feeds, steps: int) -> ChunkInFlight:
        """See `Executable` in the contract."""
        if not self._steps.in_flight:
            self.choice.make(self._storage, self._device, feeds, steps)
            if self._way is not self.choice.way:
                self._way = self.choice.way
                self._steps = self._way.steps(self._storage, self._device)
        return self._steps.start(feeds, steps)

    def compiled(self, *, begin: bool) -> bool:
        """See `Choice`."""
        return self.choice.compiled(self._device, begin=begin)


def _seconds(way: Way, storage: Mapping[str, Any], device: Device, feeds: Feeds) -> float:
    """Seconds of a way on some steps, when all who share the device go it."""
    changed = _changed(way.plan)
    together = way.rows(device)
    rows = min(device.sharers, together or 1, _with_room(way.plan, storage, changed, device))
    copies = [
        {key: device.upload(device.download(array)) if key in changed else array for key, array in storage.items()}
        for _ in range(rows)
    ]
    steps = way.steps_apart(copies, device)
    times = []
    for _ in range(_TIMES):
        pending = [each.start(feeds, _STEPS) for each in steps]
        times.append(max(each.result().seconds or 0.0 for each in pending))
    turns = 1 if together is None else -(-device.sharers // rows)
    return turns * min(times)


def _with_room(plan: Plan, storage: Mapping[str, Any], changed: set[str], device: Device) -> int:
    """The copies that there is memory for beside all else; at least one."""
    each: int = plan.arena_bytes + sum(storage[key].nbytes for key in changed)
    return max(1, device.memory_left() // (2 * max(1, each)))


def _changed(plan: Plan) -> set[str]:
    """The names in storage of what a step changes."""
    written = [*(slot for launch in plan.launches for slot in launch.outputs), *(old for _, old in plan.copies)]
    return {slot.key for slot in written if slot.place == "storage"}
