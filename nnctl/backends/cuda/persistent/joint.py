"""Joint launches: chunks of several trials, which share a persistent kernel, as the rows of one launch.

A chunk becomes a row of the table of arguments when it is started, and waits as `nnctl.backends.waiting_rows` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnctl.backends.cuda.calls import THREADS
from nnctl.backends.cuda.persistent.text import table_of
from nnctl.backends.waiting_rows import WaitingRows

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

    @property
    def kind(self) -> GridKernel:
        """See `nnctl.backends.waiting_rows.Row`: the kernel that they share."""
        return self.of.way.alike

    def seconds(self) -> float:
        """See `Work`: its share of the launch's, as rows take as long a step as one another."""
        if self.launch is None:
            self.of.joint.launch(self.kind)
        assert self.launch is not None
        return self.launch.seconds() * self.steps / self.launch.steps


JointLaunches = WaitingRows[Row]
"""The rows of a process that wait for their launch."""


def launch_rows(rows: Sequence[Row]) -> None:
    """Launch rows that share a kernel, as many at a time as the device has room for."""
    most = rows[0].kind.rows(rows[0].of.device)
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
        device, kernel = self._device, rows[0].kind
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
