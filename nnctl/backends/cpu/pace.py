"""The pace of a run beside busy neighbours: another crew where it is faster, and that of before again.

Threads of a step wait for one another; where another process takes a core away, all wait for the one that has lost it.
Then threads may be faster that share the step's pieces, each of which is done wherever a core is free; or, where steps
are short, one thread on a core of its own. Which of them depends on the neighbours: it is tried.
"""

from __future__ import annotations

import math

from nnctl.late import dataclass

_LOOK = 0.15
"""Seconds of chunks that are looked at together: of less, most is noise of neighbours' turns of some milliseconds."""
_SLOWER = 1.3
"""Times the fastest look, which is slow."""
_LOST = 0.15
"""Seconds that slow looks in a row take longer than undisturbed steps, before other crews are tried: a single look may
be slow by chance, and one that has taken many times as long is not."""
_SHORT = 1e-3
"""Seconds of an undisturbed step below which one thread, which waits for nobody, may be as fast as those that share."""
_MOST_PARTS = 31
"""Parts that threads can share: each has a bit of half a word."""
_STAY, _LONGEST_STAY = 8, 64
"""Looks for which the fastest crews stay, before that of an undisturbed run is tried again, where it is not slower: at
first. And at most, however slow it is."""


@dataclass(frozen=True)
class Crew:
    """The threads of a chunk. parts: of a step, which they share as they come; None where each has one for itself."""

    threads: int
    parts: int | None = None


def sharing(threads: int) -> list[Crew]:
    """The crews that share what so many threads make of an undisturbed step; none where these are too many.

    Of twice as many parts as threads something is left to do for whoever has a core. A thread more goes on where
    another loses its core within a piece: that is faster beside many neighbours, and slower beside few.
    """
    parts = 2 * threads
    return [Crew(threads, parts), Crew(threads + 1, parts)] if parts <= _MOST_PARTS else []


class Pace:
    """The crew of the next chunk, by what chunks have taken.

    threads: those of an undisturbed run. fastest: seconds a step that it takes; None for unknown, where the fastest of
    its own counts. shares: whether a step's pieces may be shared.
    """

    def __init__(self, threads: int, fastest: float | None, *, shares: bool = True) -> None:
        self._many = self._crew = Crew(threads)
        self._fastest = math.inf if fastest is None else fastest
        self._shares = shares
        self._lost = 0.0
        self._stay = _STAY
        self._left = 0
        """Looks for which crews that were tried stay."""
        self._waiting: list[Crew] = []
        """Crews to be tried."""
        self._tried: dict[Crew, float] = {}
        """Seconds a step of those that were tried."""
        self._seconds = 0.0
        self._steps = 0

    def crew(self) -> Crew:
        """The crew of the next chunk."""
        return self._crew

    def took(self, crew: Crew, seconds: float, steps: int) -> None:
        """Tell what a chunk has taken."""
        if self._many.threads == 1 or crew != self._crew:
            return
        self._seconds += seconds
        self._steps += steps
        if self._seconds < _LOOK or self._steps == 0:
            return
        seconds, steps = self._seconds, self._steps
        self._seconds, self._steps = 0.0, 0
        if crew in self._waiting:
            self._try(seconds / steps)
        elif self._left > 0:
            self._after_a_stay(seconds / steps)
        else:
            self._after_many(seconds, steps)

    def _after_many(self, seconds: float, steps: int) -> None:
        a_step = seconds / steps
        self._fastest = min(self._fastest, a_step)
        if a_step <= _SLOWER * self._fastest:
            self._lost, self._stay = 0.0, _STAY
            return
        self._lost += seconds - steps * self._fastest
        if self._lost >= _LOST or self._stay > _STAY:
            self._tried = {}
            self._waiting = [self._many, *self._others()]
            self._try(a_step)

    def _others(self) -> list[Crew]:
        """The crews to be tried beside that of an undisturbed run."""
        shared = sharing(self._many.threads) if self._shares else []
        if shared and self._fastest > _SHORT:
            return shared
        return [*(Crew(threads) for threads in sorted({1, self._many.threads - 1})), *shared]

    def _try(self, a_step: float) -> None:
        """Go on to the next crew that waits, or else to the fastest."""
        self._tried[self._waiting.pop(0)] = a_step
        if self._waiting:
            self._crew = self._waiting[0]
            return
        self._crew = self._best()
        # To look at a crew costs the more, the slower it is.
        slower = self._tried[self._many] / self._tried[self._crew]
        self._left = min(round(slower * self._stay), _LONGEST_STAY)
        self._stay = min(2 * self._stay, _LONGEST_STAY)

    def _best(self) -> Crew:
        """The fastest of the crews that were tried."""
        return min(self._tried, key=lambda crew: self._tried[crew])

    def _after_a_stay(self, a_step: float) -> None:
        """See whether another crew may be faster now, or when the time is over, whether the neighbours have left."""
        self._left -= 1
        # One look may have been lucky, and one of those after it may be unlucky.
        self._tried[self._crew] = (self._tried[self._crew] + a_step) / 2
        self._crew = self._best() if self._left > 0 else self._many
