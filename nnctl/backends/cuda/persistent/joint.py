"""Joint launches: chunks of several trials, which share a persistent kernel, as the rows of one launch.

A chunk becomes a row of the table of arguments when it is started. Rows wait for one another until half of the trials
that have the kernel have come, and no longer than until somebody asks for the result of one: so one half computes
while the host is busy with the other. Rows know nothing of each other: no result depends on who is launched with whom.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from nnctl.backends.cuda.calls import THREADS
from nnctl.backends.cuda.persistent.text import table_of

if TYPE_CHECKING:
    from nnctl.backends.cuda.persistent.kernels import GridKernel
    from nnctl.backends.cuda.persistent.steps import PersistentSteps


class Row:
    """The `Work` of a trial's chunk: its row of the table of arguments, and the launch that it is a part of.

    of: the steps of the trial. entries: of the row. steps: of the chunk.
    """

    def __init__(self, of: PersistentSteps, entries: Sequence[int], steps: int) -> None:
        self.of, self.entries, self.steps = of, entries, steps
        self.launch: JointLaunch | None = None

    def seconds(self) -> float:
        """See `Work`: its share of the launch's, as rows take as long a step as one another."""
        if self.launch is None:
            self.of.joint.launch(self.of.way.alike)
        assert self.launch is not None
        return self.launch.seconds() * self.steps / self.launch.steps


class JointLaunches:
    """The rows of a process that wait for their launch, and the trials that they may wait for.

    by_halves: whether rows are launched when half have come; else all at once when a result is asked for.
    """

    def __init__(self, by_halves: bool = True) -> None:
        self._by_halves = by_halves
        self._members: dict[GridKernel, WeakSet[PersistentSteps]] = {}
        self._waiting: dict[GridKernel, list[Row]] = {}

    def add(self, steps: PersistentSteps) -> None:
        """Let the steps of a trial take part, as long as there are such."""
        for kernel in [kernel for kernel, members in self._members.items() if not members]:
            del self._members[kernel]
        self._members.setdefault(steps.way.alike, WeakSet()).add(steps)

    def enter(self, row: Row) -> None:
        """Let a row wait for others, or launch it with those that wait for it."""
        kernel = row.of.way.alike
        waiting = self._waiting.setdefault(kernel, [])
        waiting.append(row)
        if self._by_halves and 2 * len(waiting) >= len(self._members[kernel]):
            self.launch(kernel)

    def launch(self, kernel: GridKernel) -> None:
        """Launch the rows of a kernel that wait: of chunks that differ in length by less than a factor of two.

        A short one would wait for a long one to end.
        """
        waiting = sorted(self._waiting.pop(kernel), key=lambda row: row.steps)
        for _, of_a_length in groupby(waiting, key=lambda row: row.steps.bit_length()):
            rows = list(of_a_length)
            most = kernel.rows(rows[0].of.device)
            for first in range(0, len(rows), most):
                JointLaunch(rows[first : first + most])


class JointLaunch:
    """A launch of some rows, in the stream of the first one, for which the streams of the others wait.

    steps: of its longest row, 1 at least.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.steps = max(1, *(row.steps for row in rows))
        self._device = rows[0].of.device
        self._marks: tuple[Any, Any] | None = None
        self._error: BaseException | None = None
        for row in rows:
            row.launch = self
        try:
            self._marks = self._put(rows)
        except BaseException as error:
            # Each of its rows raises it where its result is asked for: who came last is no more to blame than others.
            self._error = error
            if not isinstance(error, Exception):
                raise

    def seconds(self) -> float:
        """Wait until it is done: the time that it took. Raises what kept it from being put into the stream."""
        if self._error is not None:
            raise self._error
        assert self._marks is not None
        return self._device.seconds(*self._marks)

    def _put(self, rows: Sequence[Row]) -> tuple[Any, Any]:
        device, kernel = self._device, rows[0].of.way.alike
        others = [other for other in {row.of.device for row in rows} if other is not device]
        for other in others:
            device.wait_for(other.mark())
        first = device.mark()
        table = table_of([row.entries for row in rows])
        blocks, shared = kernel.grid.blocks, kernel.layout.shared
        device.launch(rows[0].of.loaded, blocks, THREADS, shared, [table], kernel.cooperative, len(rows))
        last = device.mark()
        for other in others:
            other.wait_for(last)
        return first, last
