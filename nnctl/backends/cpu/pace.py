"""The pace of a run beside busy neighbours: fewer threads where they are slower than one, and more again.

Threads of a step wait for one another; where another process takes a core away, all wait for the one that has lost
it. Then one thread on a core of its own may be faster.
"""

from __future__ import annotations

_SHORT = 0.002
"""Seconds: of shorter chunks, most is noise."""
_SLOW = 2
"""Chunks in a row that must be slower than one thread's before one thread is tried."""
_STAY, _LONGEST_STAY = 4, 64
"""Chunks that one thread stays, before the others are tried again: at first and at most."""


class Pace:
    """The number of threads of the next chunk, by what chunks have taken.

    threads: those of an undisturbed run. alone: seconds a step that one thread takes undisturbed; None for unknown,
    where there is nothing to compare with.
    """

    def __init__(self, threads: int, alone: float | None) -> None:
        self._many = threads
        self._alone = alone
        self._threads = threads
        self._slow = 0
        self._stay = _STAY
        self._left = 0
        """Chunks for which one thread stays."""
        self._of_many = 0.0
        """Seconds a step of the last chunk of all threads."""

    def threads(self) -> int:
        """The threads of the next chunk."""
        return self._threads

    def took(self, threads: int, seconds: float, steps: int) -> None:
        """Tell what a chunk has taken."""
        if self._alone is None or self._many == 1 or seconds < _SHORT or steps == 0:
            return
        a_step = seconds / steps
        if threads == 1:
            self._after_one(a_step)
        else:
            self._after_many(a_step)

    def _after_many(self, a_step: float) -> None:
        assert self._alone is not None
        self._of_many = a_step
        if a_step <= self._alone:
            self._slow, self._stay = 0, _STAY
            return
        self._slow += 1
        if self._slow >= _SLOW or self._stay > _STAY:
            self._threads, self._left = 1, self._stay

    def _after_one(self, a_step: float) -> None:
        self._left -= 1
        if a_step >= self._of_many:
            # One thread is no better off: both are disturbed.
            self._threads, self._slow = self._many, 0
        elif self._left <= 0:
            # One chunk of all threads shows whether the neighbours have left.
            self._threads = self._many
            self._stay = min(2 * self._stay, _LONGEST_STAY)
