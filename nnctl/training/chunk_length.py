"""The length of chunks of steps: about a tenth of a second each, so that progress is shown and signals are answered."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from nnctl.late import dataclass

CHUNK_SECONDS = 0.1


@dataclass(frozen=True)
class Pace:
    """The clock that a run goes by, in seconds, and its chunks. steps: in one, for tests; measured if None."""

    steps: int | None = None
    clock: Callable[[], float] = time.perf_counter


class ChunkLength:
    """The most steps that the next chunk may have.

    fixed: so many in every chunk; measured if None.
    """

    def __init__(self, fixed: int | None = None) -> None:
        self._fixed = fixed
        self.most = fixed or 1

    def expect(self, seconds: float) -> None:
        """Begin with as many steps as fit, where one takes no longer than that on any machine. seconds: above 0."""
        if self._fixed is None:
            self.most = max(1, int(CHUNK_SECONDS / seconds))

    def took(self, steps: int, seconds: float) -> None:
        """Tell what a chunk has taken."""
        if self._fixed is not None:
            return
        if steps == self.most:
            # Grows by doubling, so that one lucky measurement cannot make a chunk of minutes.
            fitting = steps * CHUNK_SECONDS / seconds if seconds > 0 else math.inf
            self.most = max(1, int(min(fitting, 2 * steps)))
        elif seconds > 2 * CHUNK_SECONDS:
            self.most = max(1, int(steps * CHUNK_SECONDS / seconds))
