"""SIGINT and SIGTERM as a request to stop, which the training loop grants between two chunks of steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """A request to stop, made once, by a signal or by the program; the loop looks at it."""

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __bool__(self) -> bool:
        return self.signal_number is not None

    def request(self, signal_number: int) -> None:
        """Ask the run to save and to stop; the first request decides the exit code."""
        if self.signal_number is None:
            self.signal_number = signal_number


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """A block in which the first SIGINT or SIGTERM becomes a request to stop.

    The second ends the process at once: after the first, the signals have the
    system's own action again, which also works inside a long call of compiled
    code. Checkpoints survive that. Use it in the main thread.
    """
    stop = StopRequest()
    watched = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, frame: FrameType | None) -> None:
        stop.request(number)
        for each in watched:
            signal.signal(each, signal.SIG_DFL)

    before = {each: signal.signal(each, note) for each in watched}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            # None: a handler that was not installed from Python cannot be put back.
            signal.signal(each, handler if handler is not None else signal.SIG_DFL)
