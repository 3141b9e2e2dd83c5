"""The choice of how many trials a process trains at a time, by how long the first ones of a sweep wait for the disk.

A run flushes its files some ten times. While one trial waits for that, others of its process go on: a trial that
computes all the time gains nothing by it, one of milliseconds may wait longer than it computes. That hangs on the disk
and on what else the machine does, so it is measured. No result depends on the choice.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nnctl.late import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARE = 0.4
"""The share of its time that a trial must wait. Threads that wait in its place cost time: at a fifth, all of it."""
FLUSHES = 10
"""Flushes of a trial, at least."""
_MOST = 8
_TRIALS = 2
"""Trials of each process that tell, beside the first, which loads and compiles."""
_TIMES = 2
"""Times the memory that more trials may take, that must be there: others want some, too."""
_FILES = 15


@dataclass(frozen=True)
class Spent:
    """The time of a trial in a process that trained no other: seconds, and those of them that it waited for the disk.

    memory: the most that the process has had, in bytes.
    """

    seconds: float
    waited: float
    memory: int


class Waiting:
    """The time that trials have spent, one at a time in each of so many processes."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._spent: list[Spent] = []

    def tell(self, spent: Spent) -> None:
        """Take in a trial."""
        self._spent.append(spent)

    @property
    def known(self) -> bool:
        """True where enough have told."""
        return len(self._spent) >= _TRIALS * self._processes

    @property
    def share(self) -> float:
        """The share of their time that trials have waited: of the middle one, as some flush takes long by chance."""
        return statistics.median(each.waited / each.seconds for each in self._spent)

    def together(self, available: int) -> int:
        """The trials at a time of a process. available: bytes of memory; a trial more counts as a process more."""
        taken = max(each.memory for each in self._spent)
        return max(1, min(together_for(self.share), 1 + available // (_TIMES * self._processes * taken)))


def together_for(share: float) -> int:
    """The trials at a time that keep a process busy, where one waits for the disk for so much of its time.

    Twice as many as would if their flushes came in turn, for they come at any time. 1 where it waits for little.
    """
    return 1 if share < SHARE else min(_MOST, math.ceil(2.0 / (1.0 - min(share, 0.99))))


def flush_seconds(folder: Path) -> float:
    """The seconds that it takes to bring a small new file to the disk that a folder lies on. Raises OSError."""
    from nnctl.runs.disk import Disk

    def timed() -> Iterable[float]:
        disk = Disk()
        for _ in range(_FILES):
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".nnctl-flush-") as file:
                file.write(b"\n" * 1000)
                file.flush()
                before = time.perf_counter()
                disk.flush(file.fileno())
                yield time.perf_counter() - before

    return statistics.median(timed())
