"""Captures of a stream into graphs by way of CuPy, and the streams beside it that hold their branches."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from nnctl.backends.cuda.device import BRANCHES

Work = Callable[[], None]


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """A time in which nothing is collected: an old graph that went while another is captured would spoil that one."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class Captures:
    """The captures of a new stream of the current GPU. cuda: CuPy's module. One thread at a time may use it.

    stream: it. into: the stream that launches go into. active: whether one is captured. The streams beside it belong
    to this one alone, and hold work in its captures only: nobody else's work comes in between.
    """

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self.active = False
        self.stream = self.into = cuda.Stream(non_blocking=True)
        self._beside = [cuda.Stream(non_blocking=True) for _ in range(BRANCHES - 1)]
        self._left, self._back = (cuda.Event(disable_timing=True) for _ in range(2))

    def graph(self, work: Work) -> Any:
        """The launches that `work` makes. What it raises comes out; the stream can be used again then."""
        with _garbage_kept():
            # The driver refuses what allocates, or waits, on this thread meanwhile.
            self.stream.begin_capture(self._cuda.runtime.streamCaptureModeThreadLocal)
            self.active = True
            try:
                work()
            except BaseException:
                # What has spoilt the capture is what was raised.
                with suppress(self._cuda.runtime.CUDARuntimeError):
                    self.stream.end_capture()
                raise
            finally:
                self.active = False
            return self.stream.end_capture()

    def in_branches(self, works: Sequence[Work]) -> None:
        """See `Device`. Raises RuntimeError outside of a capture, and in a branch."""
        if not self.active or self.into is not self.stream:
            raise RuntimeError("branches leave the stream of a capture, and come back before others leave it")
        first, *others = works
        beside = list(zip(self._beside[: len(others)], others, strict=True))
        # A stream that has waited for an event is not affected by what that is recorded for later: two are enough.
        self._left.record(self.stream)
        for stream, _ in beside:
            stream.wait_event(self._left)
        first()
        for stream, work in beside:
            self.into = stream
            try:
                work()
            finally:
                self.into = self.stream
            self._back.record(stream)
            self.stream.wait_event(self._back)
