"""A device that does nothing of what is put into its stream before somebody waits for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.cuda.emulator import POISON, EmulatedDevice
from nnctl.backends.cuda.shared import Shared


@dataclass(frozen=True)
class Mark:
    """A point in a stream, behind so many pieces of work."""

    stream: Stream
    behind: int


class Stream(EmulatedDevice):
    """A stream whose work is done as late as can be.

    name: of it. log: whose work was put there first since it was waited for, and who was waited for. launched: the
    rows of each launch. waits: whether it waits for others' marks, as it should.
    """

    def __init__(self, name: str, log: list[tuple[str, str]], shared: Shared | None = None, order: int = 0) -> None:
        super().__init__(order, POISON, shared)
        self.name, self.log = name, log
        self.launched: list[int] = []
        self.waits = True
        self._queue: deque[Callable[[], None]] = deque()
        self._done = 0

    def launch(
        self,
        loaded: Any,
        blocks: int,
        threads: int,
        shared: int,
        arguments: Any,
        cooperative: bool = False,
        rows: int = 1,
    ) -> None:
        super().launch(loaded, blocks, threads, shared, arguments, cooperative, rows)
        self.launched.append(rows)

    def in_stream(self, work: Callable[[], None]) -> None:
        if self._capturing is None:
            self._put(work)
        else:
            super().in_stream(work)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        replay = super().capture(work)
        return lambda: self._put(replay)

    def write(self, array: Any, values: Any, first: int = 0) -> None:
        host, write = np.array(values), super().write
        self._put(lambda: write(array, host, first))

    def copy(self, array: Any, other: Any) -> None:
        copy = super().copy
        self._put(lambda: copy(array, other))

    def upload(self, array: Any) -> Any:
        placed = self.empty(array.shape, array.dtype)
        self.write(placed, array)
        return placed

    def download(self, array: Any) -> Any:
        self._wait()
        return super().download(array)

    @contextmanager
    def current(self) -> Iterator[None]:
        self._wait()
        with super().current():
            yield

    def synchronize(self) -> None:
        self._wait()

    def mark(self) -> Any:
        return Mark(self, self._done + len(self._queue))

    def wait_for(self, mark: Any) -> None:
        if self.waits:
            self._put(lambda: mark.stream.reach(mark.behind))

    def seconds(self, first: Any, last: Any) -> float:
        self.log.append(("waited", self.name))
        last.stream.reach(last.behind)
        return float(last.behind - first.behind)

    def reach(self, behind: int) -> None:
        """Do all that lies before a mark."""
        while self._done < behind:
            self._done += 1
            self._queue.popleft()()

    def _put(self, work: Callable[[], None]) -> None:
        if not self._queue:
            self.log.append(("put", self.name))
        self._queue.append(work)

    def _wait(self) -> None:
        if self._queue:
            self.log.append(("waited", self.name))
        self.reach(self._done + len(self._queue))
