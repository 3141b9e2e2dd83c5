"""Signals as a request to stop, which the training loop grants between two chunks of steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nnctl.errors import Interrupted
from nnctl.process.signals import Signalled, take_over


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
def stop_on_signals(stop: StopRequest | None = None) -> Iterator[StopRequest]:
    """A block in which the first SIGINT, SIGTERM or SIGHUP becomes a request to stop, `stop` or a new one.

    Further signals change nothing: the run saves, and ends as soon as that is
    whole. What need not be finished, as a compilation, is left at once, by
    Interrupted. Use it in the main thread.
    """
    stop = StopRequest() if stop is None else stop
    try:
        with take_over(stop.request):
            yield stop
    except Signalled as signalled:
        raise Interrupted(
            signalled.number, "stopped while the run was made ready for its next steps; what it has saved is whole"
        ) from None
