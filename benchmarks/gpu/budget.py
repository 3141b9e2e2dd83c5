"""The time that a whole suite may take: machines are lent by the minute."""

from __future__ import annotations

import time


class Budget:
    """Seconds from now on, spent by whoever asks."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until the end; 0 where it has passed."""
        return max(0.0, self._end - time.monotonic())
