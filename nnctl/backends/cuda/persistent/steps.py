"""Steps by a persistent kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nnctl.backends.cuda.bookkeeping import ARRIVED, LIVE, STEP
from nnctl.backends.cuda.calls import THREADS, Call, Table
from nnctl.backends.cuda.chunks import StepsOnDevice
from nnctl.backends.cuda.codegen.functions import DeviceFunction
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.persistent.choice import Grid
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

    @property
    def blocks(self) -> int:
        """Blocks of its grid, which wait for one another."""
        return self.grid.blocks

    def steps(self, storage: Mapping[str, Any], device: Device) -> PersistentSteps:
        """The steps, on a device."""
        return PersistentSteps(self, storage, device)


class PersistentSteps(StepsOnDevice):
    """Steps as one launch of a kernel that runs the whole chunk."""

    def __init__(self, way: PersistentWay, storage: Mapping[str, Any], device: Device) -> None:
        super().__init__(way.plan, storage, device)
        self._grid = way.grid
        self._shared = way.layout.shared
        self._regions = way.kernel.regions
        self._common = device.empty((max(1, way.layout.common_bytes),), np.uint8)
        self._own = device.empty((max(1, way.grid.blocks * way.layout.own_bytes),), np.uint8)
        self._loaded = device.load(way.function)

    def run(self, steps: int) -> None:
        """See `StepsOnDevice`."""
        memory = self.memory
        given = [
            memory.entry(LIVE),
            np.int32(steps),
            memory.entry(STEP),
            memory.entry(ARRIVED),
            memory.at(self._common),
            memory.at(self._own),
            *(memory.at(self._array(region)) for region in self._regions),
        ]
        # The blocks of a cluster run together in any case.
        together = self._grid.blocks > 1 and not self._grid.cluster
        self.device.launch(self._loaded, self._grid.blocks, THREADS, self._shared, given, cooperative=together)

    def _array(self, region: Region) -> Any:
        memory = self.memory
        if isinstance(region.key, Table):
            return memory.table(region.key)
        by_place = {"storage": memory.storage, "constant": memory.constants, "feed": memory.fed, "kept": memory.kept}
        return by_place[region.place][region.key]
