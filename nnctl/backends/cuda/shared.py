"""State that the streams of a device have in common within a process: trials of a sweep that are alike share it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.cuda.persistent.joint import JointLaunches, launch_rows
from nnctl.backends.cuda.persistent.kernels import StepKernels, kind_of
from nnctl.backends.cuda.persistent.tasks import Task
from nnctl.backends.cuda.persistent.trial import Choice, Decision, WaysOf
from nnctl.backends.host_arrays import lies_still
from nnctl.plan.plan import Plan

if TYPE_CHECKING:
    from nnctl.backends.cuda.device import Device

_MOST = 32
"""Plans whose ways are kept, their kinds, and decisions among ways; those that were asked for last. Nets have some
plans each."""

T = TypeVar("T")


class Shared:
    """Launches, choices and examples that several streams of one device share.

    modules: on the device, by the text of their units. joint: the launches whose rows are chunks of several trials.
    """

    def __init__(self) -> None:
        self.modules: dict[str, Any] = {}
        self.joint = JointLaunches(launch_rows)
        self._choices: OrderedDict[Hashable, Choice] = OrderedDict()
        self._decisions: OrderedDict[Hashable, Decision] = OrderedDict()
        self._kernels: OrderedDict[Hashable, StepKernels] = OrderedDict()
        self._examples: dict[int, tuple[ref[NDArray[Any]], Any, Device, Any]] = {}

    def choice(self, plan: Plan, how: Hashable, ways: Callable[[], WaysOf]) -> Choice:
        """The choice among ways to run a plan, by the plan itself and how it is to be run. Raises as `ways` does."""

        def choice() -> Choice:
            found = ways()
            if len(alone := found(1)) == 1:
                return Choice(found)
            return Choice(found, _kept(self._decisions, (how, *(way.alike for way in alone)), Decision))

        # What is kept holds the plan, so that its identity stays its own.
        return _kept(self._choices, (id(plan), how), choice)

    def kernels(self, name: str, tasks: Sequence[Task]) -> StepKernels:
        """The persistent kernels for tasks, those of all plans that differ in numbers alone. name: of the plan."""
        return _kept(self._kernels, kind_of(name, tasks), lambda: StepKernels(name, tasks))

    def to_read(self, array: NDArray[Any], device: Device) -> Any:
        """A copy of an array that nobody changes. It lies there once for all streams, as long as the array is there."""
        if not isinstance(array, np.ndarray) or not lies_still(array):
            return device.upload(array)
        number = id(array)
        if number not in self._examples:
            placed = device.upload(array)
            gone = ref(array, lambda _: self._examples.pop(number, None))
            self._examples[number] = (gone, placed, device, device.mark())
            return placed
        _, placed, first, there = self._examples[number]
        if first is not device:
            device.wait_for(there)
        return placed


def _kept(among: OrderedDict[Hashable, T], key: Hashable, make: Callable[[], T]) -> T:
    """The thing kept by a key, made where none is; the one that nobody asked for longest goes."""
    found = among.pop(key) if key in among else make()
    among[key] = found
    if len(among) > _MOST:
        among.popitem(last=False)
    return found
