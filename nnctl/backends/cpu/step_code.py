"""The code of a step: all that loads of its plan share, whatever memory they are over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.cpu.chunk_arrays import ChunkArrays
from nnctl.backends.cpu.codegen.source import generate
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.backends.cpu.layouts import TableLayout
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Plan, Slot


class StepCode:
    """The compiled functions of a plan, and the layouts of the tables that call them.

    arrays: of chunks of its steps. walk: runs a table; see `Functions`.
    Raises ValueError for an op that has no generated code.
    """

    def __init__(self, plan: Plan) -> None:
        source = self._source = generate(plan)
        what = f"the step {plan.name!r} on batches of {plan.batch:,} ({len(plan.launches)} launches)"
        self._functions = compiled_step(source.kinds, what)
        self._launches = len(plan.launches)
        self._layouts: dict[tuple[int, bool], Sequence[TableLayout]] = {}
        self._parts: dict[int, Sequence[TableLayout]] = {}
        slots = _slots(plan)
        feeds = {slot.key: slot for slot in slots if slot.place == "feed"}
        self._fed: Mapping[str, Slot] = {key: feeds[key] for key in source.keys("feed")}
        self.arrays = ChunkArrays(self._fed, plan.outputs)
        self._stored = {slot.key: element(slot.dtype, plan.precision) for slot in slots if slot.place == "storage"}
        self.walk = self._functions.walk

    def layouts(self, threads: int, *, timed: bool = False) -> Sequence[TableLayout]:
        """The layout of each thread's table. timed: whether every launch's time is taken."""
        key = threads, timed
        if key not in self._layouts:
            # The first thread alone: of two clocks in one array each would cut the other's stretches short.
            clocks = [self._launches if timed else None, *[None] * (threads - 1)]
            self._layouts[key] = [
                TableLayout(thread, threads, self._source, self._functions, clock)
                for thread, clock in enumerate(clocks)
            ]
        return self._layouts[key]

    def parts(self, count: int) -> Sequence[TableLayout]:
        """The layout of each part's table, of so many parts that threads share."""
        if count not in self._parts:
            self._parts[count] = [
                TableLayout(part, count, self._source, self._functions, meets=False) for part in range(count)
            ]
        return self._parts[count]

    def require_types(self, storage: Mapping[str, NDArray[Any]]) -> None:
        """Raise TypeError for storage of another type than the plan is for."""
        for key, wanted in self._stored.items():
            if storage[key].dtype != wanted.host:
                raise TypeError(f"{key} is stored as {storage[key].dtype}, the plan is for {wanted.name}")

    def zeros(self, steps: int) -> dict[str, NDArray[Any]]:
        """Feeds of zeros for a chunk."""
        return {key: np.zeros((steps, *slot.shape), element(slot.dtype).host) for key, slot in self._fed.items()}


def _slots(plan: Plan) -> list[Slot]:
    """All slots, those that inlined launches read among them."""
    return [*plan.slots, *(s for launch in plan.inlined.values() for s in launch.inputs)]
