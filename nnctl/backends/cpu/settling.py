"""Steps that begin in a way that is not settled, and go on in the fastest, once a run is worth measuring it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from nnctl.backends.contract import Pending
from nnctl.backends.cpu.executable import CompiledStep
from nnctl.process.signals import stay

_WORTH = 1.0
"""Seconds of running after which a run is worth a measurement: one that has gone on for so long goes on for longer,
as a rule, and has lost no more than a quarter where it does not."""


class SettlingStep:
    """A step whose way is measured between two of its chunks.

    step: runs first. measured: makes what runs then; bits are the same.
    """

    def __init__(self, step: CompiledStep, measured: Callable[[], CompiledStep]) -> None:
        self._step = step
        self._measured: Callable[[], CompiledStep] | None = measured

    def start(self, feeds: Mapping[str, NDArray[Any]], steps: int) -> Pending:
        """See `Executable` in the contract."""
        if self._measured is not None and self._step.seconds >= _WORTH:
            # A signal waits, as it does for a chunk: the run has steps to save.
            with stay():
                self._step, self._measured = self._measured(), None
        return self._step.start(feeds, steps)
