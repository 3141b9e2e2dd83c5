"""The trial of several ways to run a plan: the fastest, found by running the beginning of the first long chunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from nnctl.backends.cuda.chunks import ChunkInFlight, StepsOnDevice
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.memory import Entries
from nnctl.plan.plan import Plan

Way: TypeAlias = Callable[[Mapping[str, Any]], StepsOnDevice]
"""The steps of a plan over a storage."""

_STEPS = 32
"""Steps of a trial. Shorter chunks, as the rest of an epoch is one, are not worth it."""
_TIMES = 3
"""Runs of each way; the fastest counts, and the first one warms up."""


class FastestSteps:
    """An `Executable` by the fastest of several ways. Results are the same whichever it is.

    ways: the first of them runs chunks until one is long enough for the trial, which changes nothing: it runs on
    copies of what the plan changes.
    """

    def __init__(self, plan: Plan, storage: Mapping[str, Any], device: Device, ways: Sequence[Way]) -> None:
        self.plan = plan
        self._storage = storage
        self._device = device
        self._ways = ways
        self._steps = ways[0](storage)
        self._tried = False

    @property
    def chosen(self) -> StepsOnDevice:
        """The steps of the way that chunks are run by now."""
        return self._steps

    def start(self, feeds: Mapping[str, NDArray[Any] | Entries], steps: int) -> ChunkInFlight:
        """See `Executable` in the contract."""
        if not self._tried and steps >= _STEPS and not self._steps.in_flight:
            fastest = min(range(len(self._ways)), key=self._times(feeds).__getitem__)
            if fastest:
                self._steps = self._ways[fastest](self._storage)
            self._tried = True
        return self._steps.start(feeds, steps)

    def _times(self, feeds: Mapping[str, NDArray[Any] | Entries]) -> list[float]:
        """Seconds of each way on the first steps of a chunk."""
        beginning = {key: array[:_STEPS] for key, array in feeds.items()}
        return [self._seconds(way, beginning) for way in self._ways]

    def _seconds(self, way: Way, feeds: Mapping[str, NDArray[Any] | Entries]) -> float:
        device, changed = self._device, _changed(self.plan)
        copies = {
            key: device.upload(device.download(array)) if key in changed else array
            for key, array in self._storage.items()
        }
        steps = way(copies)
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
