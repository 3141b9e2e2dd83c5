"""The pace of a run beside busy neighbours: fewer threads or more where they are faster, and those of before again.

Threads of a step wait for one another; where another process takes a core away, all wait for the one that has lost it.
Then one thread on a core of its own may be faster, or a thread more than there are cores: smaller parts, of which one
goes on wherever a core is free. Which of them depends on the neighbours and on how often threads wait: it is tried.
"""

from __future__ import annotations

import math

_LOOK = 0.15
"""Seconds of chunks that are looked at together: of less, most is noise of neighbours' turns of some milliseconds."""
_SLOWER = 1.3
"""Times the fastest look, which is slow."""
_SLOW = 2
"""Looks in a row that must be slow before other numbers of threads are tried."""
_WORTH_WAKING = 5e-4
"""Seconds of an undisturbed step that more threads than cores are tried for: they sleep and wake in every step."""
_STAY, _LONGEST_STAY = 8, 32
"""Looks for which the fastest number stays, before that of an undisturbed run is tried again: at first and at most."""


class Pace:
    """The number of threads of the next chunk, by what chunks have taken.

    threads: those of an undisturbed run. fastest: seconds a step that it takes; None for unknown, where the fastest of
    its own counts.
    """

    def __init__(self, threads: int, fastest: float | None) -> None:
        self._many = threads
        self._threads = threads
        self._fastest = math.inf if fastest is None else fastest
        self._slow = 0
        self._stay = _STAY
        self._left = 0
        """Looks for which the number of threads stays."""
        self._waiting: list[int] = []
        """Numbers of threads to be tried."""
        self._tried: dict[int, float] = {}
        """Seconds a step of those that were tried."""
        self._seconds = 0.0
        self._steps = 0

    def threads(self) -> int:
        """The threads of the next chunk."""
        return self._threads

    def took(self, threads: int, seconds: float, steps: int) -> None:
        """Tell what a chunk has taken."""
        if self._many == 1 or threads != self._threads:
            return
        self._seconds += seconds
        self._steps += steps
        if self._seconds < _LOOK or self._steps == 0:
            return
        a_step = self._seconds / self._steps
        self._seconds, self._steps = 0.0, 0
        if threads in self._waiting:
            self._try(a_step)
        elif self._left > 0:
            self._after_a_stay(a_step)
        else:
            self._after_many(a_step)

    def _after_many(self, a_step: float) -> None:
        self._fastest = min(self._fastest, a_step)
        if a_step <= _SLOWER * self._fastest:
            self._slow, self._stay = 0, _STAY
            return
        self._slow += 1
        if self._slow >= _SLOW or self._stay > _STAY:
            self._tried = {}
            more = [self._many + 1] if self._fastest > _WORTH_WAKING else []
            self._waiting = [self._many, *sorted({1, self._many - 1}), *more]
            self._try(a_step)

    def _try(self, a_step: float) -> None:
        """Go on to the next number that waits, or else to the fastest."""
        self._tried[self._waiting.pop(0)] = a_step
        if self._waiting:
            self._threads = self._waiting[0]
            return
        self._threads = min(self._tried, key=lambda threads: self._tried[threads])
        self._left, self._stay = self._stay, min(2 * self._stay, _LONGEST_STAY)

    def _after_a_stay(self, a_step: float) -> None:
        """See whether the neighbours have left when the time is over, or another number may be faster now."""
        self._left -= 1
        # One look may have been lucky, and one of those after it may be unlucky.
        mean = self._tried[self._threads] = (self._tried[self._threads] + a_step) / 2
        if self._left == 0 or mean > min(self._tried.values()):
            self._threads, self._left = self._many, 0
