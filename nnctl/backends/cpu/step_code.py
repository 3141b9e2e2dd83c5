"""The code of a step: all that loads of its plan share, whatever memory they are over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.cpu.alike import Numbers, numbers_instead
from nnctl.backends.cpu.chunk_arrays import ChunkArrays
from nnctl.backends.cpu.codegen.source import generate
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.backends.cpu.layouts import TableLayout
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Plan, Slot

_MOST = 4000
"""Launches of plans whose code is kept for others, those that were asked for last: a net of three layers has a hundred
in all of its plans, one of 200 has some thousands."""


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
        self._alike: tuple[StepCode, Numbers] | None = None
        """The code of another plan, and the numbers that this one has instead of its."""
        feeds, stored = _outside(plan)
        self._fed: Mapping[str, Slot] = {key: feeds[key] for key in source.keys("feed")}
        self.arrays = ChunkArrays(self._fed, plan.outputs)
        self._stored = {key: element(slot.dtype, plan.precision) for key, slot in stored.items()}
        self.walk = self._functions.walk

    @property
    def kind(self) -> StepCode:
        """The code whose functions these are: one for all plans that differ in numbers alone."""
        return self if self._alike is None else self._alike[0]

    def with_numbers(self, instead: Numbers) -> StepCode:
        """The code of a plan that differs from this one's in numbers alone: the same functions, other arguments."""
        other = copy(self)
        other._layouts, other._parts = {}, {}
        other._alike = self.kind, instead
        return other

    def layouts(self, threads: int, *, timed: bool = False) -> Sequence[TableLayout]:
        """The layout of each thread's table. timed: whether every launch's time is taken."""
        key = threads, timed
        if key not in self._layouts:
            self._layouts[key] = self._made_layouts(threads, timed)
        return self._layouts[key]

    def parts(self, count: int) -> Sequence[TableLayout]:
        """The layout of each part's table, of so many parts that threads share."""
        if count not in self._parts:
            self._parts[count] = self._made_parts(count)
        return self._parts[count]

    def _made_layouts(self, threads: int, timed: bool) -> Sequence[TableLayout]:
        if self._alike is not None:
            code, instead = self._alike
            return [layout.with_numbers(instead) for layout in code.layouts(threads, timed=timed)]
        # The first thread alone: of two clocks in one array each would cut the other's stretches short.
        clocks = [self._launches if timed else None, *[None] * (threads - 1)]
        return [
            TableLayout(thread, threads, self._source, self._functions, clock) for thread, clock in enumerate(clocks)
        ]

    def _made_parts(self, count: int) -> Sequence[TableLayout]:
        if self._alike is not None:
            code, instead = self._alike
            return [layout.with_numbers(instead) for layout in code.parts(count)]
        return [TableLayout(part, count, self._source, self._functions, meets=False) for part in range(count)]

    def require_types(self, storage: Mapping[str, NDArray[Any]]) -> None:
        """Raise TypeError for storage of another type than the plan is for."""
        for key, wanted in self._stored.items():
            if storage[key].dtype != wanted.host:
                raise TypeError(f"{key} is stored as {storage[key].dtype}, the plan is for {wanted.name}")

    def zeros(self, steps: int) -> dict[str, NDArray[Any]]:
        """Feeds of zeros for a chunk."""
        return {key: np.zeros((steps, *slot.shape), element(slot.dtype).host) for key, slot in self._fed.items()}


_kept: list[tuple[Plan, StepCode]] = []
"""Plans and their code, in the order in which they were asked for."""


def code_of(plan: Plan) -> StepCode:
    """The code of a plan: that of one before it in this process, where the two differ in numbers alone."""
    for place in range(len(_kept) - 1, -1, -1):
        instead = numbers_instead(_kept[place][0], plan)
        if instead is not None:
            _kept.append(_kept.pop(place))
            return _kept[-1][1].with_numbers(instead)
    made = StepCode(plan)
    _kept.append((plan, made))
    while len(_kept) > 1 and sum(len(other.launches) for other, _ in _kept) > _MOST:
        _kept.pop(0)
    return made


def _outside(plan: Plan) -> tuple[dict[str, Slot], dict[str, Slot]]:
    """The slots of feeds and of storage, by their keys; of several of one key the last."""
    feeds: dict[str, Slot] = {}
    stored: dict[str, Slot] = {}
    launches = (*plan.setup, *plan.launches, *plan.inlined.values())
    of_launches = [slots for launch in launches for slots in (launch.inputs, launch.outputs)]
    for slots in (*of_launches, tuple(plan.outputs.values()), *plan.copies):
        for slot in slots:
            if slot.place == "storage":
                stored[slot.key] = slot
            elif slot.place == "feed":
                feeds[slot.key] = slot
    return feeds, stored
