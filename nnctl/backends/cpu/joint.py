"""Joint walks: chunks of several trials, which a process trains together, as rows of one call of compiled code.

Each trial's table has its own weights, so no arithmetic is saved; what is, is a thread for each chunk. Trials of a
process compute one after the other, each as long as it is alone, while Python goes on with others: threads that take
turns on one core would make each other's chunks long, and chunks of a tenth of a second short.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Result
from nnctl.backends.cpu.compilation import rows_walker
from nnctl.backends.cpu.joint_ir import COMPLETED, CYCLES, WORDS
from nnctl.backends.cpu.layouts import address_of
from nnctl.backends.cpu.pace import Crew
from nnctl.backends.waiting_rows import WaitingRows

if TYPE_CHECKING:
    from nnctl.backends.cpu.executable import CompiledStep
    from nnctl.backends.cpu.step_code import StepCode

_ALONE = Crew(1)


class Row:
    """A chunk of a trial; the `Pending` of a step that takes part.

    of: the trial's step. walked: see `ThreadTable`. feeds, outputs: kept, as compiled code knows addresses alone.
    """

    def __init__(
        self,
        of: CompiledStep,
        walked: Sequence[int],
        steps: int,
        feeds: Sequence[NDArray[Any]],
        outputs: Mapping[str, NDArray[Any]],
    ) -> None:
        self.of, self.walked, self.steps = of, walked, steps
        self._feeds, self._outputs = feeds, outputs
        self._result: Result | None = None
        self.walk: JointWalk | None = None

    @property
    def kind(self) -> StepCode:
        """See `nnctl.backends.waiting_rows.Row`: the compiled step that they share."""
        return self.of.code.kind

    def result(self) -> Result:
        """See `Pending`."""
        if self._result is None:
            if self.walk is None:
                WALKS.launch(self.kind)
            assert self.walk is not None
            try:
                completed, seconds = self.walk.of(self)
            except BaseException:
                self.of.land(_ALONE, 0.0, 0)
                raise
            self.of.land(_ALONE, seconds, completed)
            outputs = {name: array[:completed] for name, array in self._outputs.items()}
            self._result = Result(completed, outputs, seconds)
        return self._result


class JointWalk:
    """A call that walks through rows, on a thread of its own; on the one that begins it where that is brief."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._places = {id(row): place for place, row in enumerate(rows)}
        self._table = np.zeros((len(rows), WORDS), np.int64)
        self._seconds = 0.0
        self._error: Exception | None = None
        for words, row in zip(self._table, rows, strict=True):
            words[: len(row.walked)], words[len(row.walked)] = row.walked, row.steps
            row.walk = self
        self._walk = rows_walker()
        # No daemon: a process that ends meanwhile waits for it, for its code and memory must outlive it.
        self._thread = threading.Thread(target=self._run)
        if all(row.of.is_brief(row.steps * len(rows)) for row in rows):
            self._thread.run()
            return
        try:
            self._thread.start()
        except RuntimeError as error:
            # Each of its rows raises it where its result is asked for: who came last is no more to blame than others.
            self._error = error

    def of(self, row: Row) -> tuple[int, float]:
        """Wait until it is done: the steps that a row has completed, and its share of the seconds."""
        if self._error is not None:
            raise self._error
        try:
            self._wait()
        except BaseException:
            # What a signal raises is raised when the chunks have ended: compiled code cannot be stopped.
            self._wait()
            raise
        completed, cycles = self._table[self._places[id(row)], [COMPLETED, CYCLES]]
        return int(completed), self._seconds * float(cycles) / max(1.0, float(self._table[:, CYCLES].sum()))

    def _wait(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        began = time.perf_counter()
        self._walk(address_of(self._table), len(self._table))
        self._seconds = time.perf_counter() - began


def _launch(rows: Sequence[Row]) -> None:
    JointWalk(rows)


WALKS = WaitingRows[Row](_launch)
"""The rows of this process."""
