"""Steps by a persistent kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnctl.backends.cuda.bookkeeping import ARRIVED, LIVE, STEP
from nnctl.backends.cuda.calls import THREADS, Call, Table
from nnctl.backends.cuda.chunks import StepsOnDevice
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.persistent.choice import Grid
from nnctl.backends.cuda.persistent.rounds import rounds_of
from nnctl.backends.cuda.persistent.tasks import Region, tasks_of
from nnctl.backends.cuda.persistent.text import kernel_of, layout_of
from nnctl.plan.plan import Plan


class PersistentSteps(StepsOnDevice):
    """Steps as one launch of a kernel that runs the whole chunk."""

    def __init__(
        self, plan: Plan, storage: Mapping[str, Any], device: Device, calls: Sequence[Sequence[Call]], grid: Grid
    ) -> None:
        super().__init__(plan, storage, device)
        self._grid = grid
        rounds = rounds_of(tasks_of(plan, calls), alone=grid.blocks == 1)
        layout = layout_of(rounds)
        kernel = kernel_of(plan.name, rounds, layout, grid.blocks if grid.cluster else 0)
        self._shared = layout.shared
        self._regions = kernel.regions
        self._common = device.empty((max(1, layout.common_bytes),), np.uint8)
        self._own = device.empty((max(1, grid.blocks * layout.own_bytes),), np.uint8)
        self._loaded = device.load(kernel.function)

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
