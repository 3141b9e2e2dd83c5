"""Steps by a persistent kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nnctl.backends.cuda.calls import THREADS, Call, Table
from nnctl.backends.cuda.chunks import StepsOnDevice
from nnctl.backends.cuda.codegen.functions import DeviceFunction
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.persistent.choice import Grid
from nnctl.backends.cuda.persistent.joint import JointLaunches, Row
from nnctl.backends.cuda.persistent.rounds import Rounds, rounds_of
from nnctl.backends.cuda.persistent.tasks import Region, tasks_of
from nnctl.backends.cuda.persistent.text import Layout, PersistentKernel, kernel_of, layout_of
from nnctl.plan.plan import Plan


class PersistentWay:
    """A persistent kernel for a plan, and the steps that it runs over any storage."""

    def __init__(self, plan: Plan, calls: Sequence[Sequence[Call]], grid: Grid) -> None:
        self.plan = plan
        self.grid = grid
        self._calls = calls

    @cached_property
    def rounds(self) -> Rounds:
        """The rounds that its blocks run between two barriers."""
        return rounds_of(tasks_of(self.plan, self._calls), alone=self.grid.blocks == 1)

    @cached_property
    def layout(self) -> Layout:
        """The places of a step's values."""
        return layout_of(self.rounds)

    @cached_property
    def kernel(self) -> PersistentKernel:
        """The kernel, and what it is given."""
        return kernel_of(self.plan.name, self.rounds, self.layout, self.grid.blocks if self.grid.cluster else 0)

    @property
    def function(self) -> DeviceFunction:
        """The kernel."""
        return self.kernel.function

    @cached_property
    def alike(self) -> tuple[DeviceFunction, int]:
        """What is equal for ways whose kernels are rows of one launch: those of nets that differ in numbers alone."""
        return self.function, self.grid.blocks

    @property
    def cooperative(self) -> bool:
        """True where its blocks must be launched as such that run together: those of a cluster do in any case."""
        return self.grid.blocks > 1 and not self.grid.cluster

    def rows(self, device: Device) -> int:
        """Trials, at most, whose chunks one launch has; at least one."""
        most = self.kernel.most_rows
        if self.cooperative:
            together = device.blocks_together(device.load(self.function), THREADS, self.layout.shared)
            most = min(most, together // self.grid.blocks)
        return max(1, most)

    def steps(self, storage: Mapping[str, Any], device: Device) -> PersistentSteps:
        """The steps of a trial."""
        return PersistentSteps(self, storage, device, device.shared.joint)

    def steps_apart(self, storages: Sequence[Mapping[str, Any]], device: Device) -> list[PersistentSteps]:
        """The steps of several, whose chunks are launched together when the first result is asked for."""
        joint = JointLaunches(by_halves=False)
        return [PersistentSteps(self, storage, device, joint) for storage in storages]


class PersistentSteps(StepsOnDevice):
    """Steps as a row of a launch that runs the whole chunk. joint: the launches that it is a part of."""

    def __init__(self, way: PersistentWay, storage: Mapping[str, Any], device: Device, joint: JointLaunches) -> None:
        super().__init__(way.plan, storage, device)
        self.way = way
        self.joint = joint
        self.loaded = device.load(way.function)
        self._common = device.empty((max(1, way.layout.common_bytes),), np.uint8)
        self._own = device.empty((max(1, way.grid.blocks * way.layout.own_bytes),), np.uint8)
        joint.add(self)

    def run(self, steps: int) -> Row:
        """See `StepsOnDevice`."""
        at = self.device.address
        entries = map(self._entry, self.way.kernel.entries)
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
