"""The pace of lines on a terminal: no more of them than are read."""

from __future__ import annotations

import time
from collections.abc import Callable

SCREENFUL = 40
"""Lines that come at once, as those of a short run do."""
PER_SECOND = 4.0
"""Lines a second after these."""


class Pace:
    """A bucket of lines: full at the beginning, emptied by each line, filled again as time passes.

    clock: seconds from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = float(SCREENFUL)
        self._since = clock()

    def due(self) -> bool:
        """True where a line may be printed now, which is then counted."""
        now = self._clock()
        self._left = min(SCREENFUL, self._left + (now - self._since) * PER_SECOND)
        self._since = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
