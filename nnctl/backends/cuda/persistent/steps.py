"""Steps by a persistent kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nnctl.backends.cuda.calls import Table
from nnctl.backends.cuda.chunks import StepsOnDevice
from nnctl.backends.cuda.codegen.functions import DeviceFunction
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.persistent.choice import Grid
from nnctl.backends.cuda.persistent.joint import JointLaunches, Row, launch_rows
from nnctl.backends.cuda.persistent.kernels import GridKernel
from nnctl.backends.cuda.persistent.tasks import Region, Task
from nnctl.plan.plan import Plan


class PersistentWay:
    """A persistent kernel for a plan, and the steps that it runs over any storage. tasks: of the plan."""

    def __init__(self, plan: Plan, tasks: Sequence[Task], alike: GridKernel) -> None:
        self.plan = plan
        self.alike = alike
        self._tasks = tasks

    @property
    def grid(self) -> Grid:
        """The grid of a trial's blocks."""
        return self.alike.grid

    @property
    def function(self) -> DeviceFunction:
        """The kernel."""
        return self.alike.kernel.function

    @cached_property
    def entries(self) -> list[Region | float]:
        """The entries of a row behind its head."""
        return self.alike.entries(self._tasks)

    def rows(self, device: Device) -> int:
        """Trials, at most, whose chunks one launch has; at least one."""
        return self.alike.rows(device)

    def steps(self, storage: Mapping[str, Any], device: Device) -> PersistentSteps:
        """The steps of a trial."""
        return PersistentSteps(self, storage, device, device.shared.joint)

    def steps_apart(self, storages: Sequence[Mapping[str, Any]], device: Device) -> list[PersistentSteps]:
        """The steps of several, whose chunks are launched together when the first result is asked for."""
        joint = JointLaunches(launch_rows, by_halves=False)
        return [PersistentSteps(self, storage, device, joint) for storage in storages]


class PersistentSteps(StepsOnDevice):
    """Steps as a row of a launch that runs the whole chunk. joint: the launches that it is a part of."""

    def __init__(self, way: PersistentWay, storage: Mapping[str, Any], device: Device, joint: JointLaunches) -> None:
        super().__init__(way.plan, storage, device)
        self.way = way
        self.joint = joint
        self.loaded = device.load(way.function)
        layout = way.alike.layout
        self._common = device.empty((max(1, layout.common_bytes),), np.uint8)
        self._own = device.empty((max(1, way.grid.blocks * layout.own_bytes),), np.uint8)
        joint.add(way.alike, self)

    def run(self, steps: int) -> Row:
        """See `StepsOnDevice`."""
        at = self.device.address
        entries = map(self._entry, self.way.entries)
        row = Row(self, (at(self.memory.control), steps, at(self._common), at(self._own), *entries), steps)
        self.joint.enter(row)
        return row

    def _entry(self, entry: Region | float) -> int:
        """An address, or the bits of a number in float32."""
        if isinstance(entry, float):
            return int(np.float32(entry).view(np.int32))
        return self.device.address(self._array(entry))

    def _array(self, region: Region) -> Any:
        memory = self.memory
        if isinstance(region.key, Table):
            return memory.table(region.key)
        by_place = {"storage": memory.storage, "constant": memory.constants, "feed": memory.fed, "kept": memory.kept}
        return by_place[region.place][region.key]
