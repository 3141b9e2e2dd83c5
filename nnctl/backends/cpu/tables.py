"""Tables of a step: layouts over memory, whose addresses in the feeds and in the outputs move from step to step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.cpu.layouts import LINE, WORD, Base, TableLayout, address_of
from nnctl.late import dataclass

Array = NDArray[Any]


@dataclass(frozen=True)
class Memory:
    """Arrays that the slots of a step lie in. storage, constants: arrays by key, which must outlive the tables.

    counters: of the barriers. clock: int64, a sum for each launch, one for the rest, and the last count; None where
    the step keeps no time.
    """

    arena: Array
    storage: Mapping[str, Array]
    constants: Mapping[str, Array]
    counters: Array
    clock: Array | None = None


class ThreadTable:
    """The table of one thread over memory: `records`, the words that they point to, and the words that move.

    walked: what the walk is given to run it, but for the number of steps.
    """

    def __init__(self, layout: TableLayout, memory: Memory) -> None:
        self._layout, self._memory = layout, memory
        self._scratch = aligned(4 * layout.scratch)
        self._private = aligned(LINE * max(1, layout.private))
        self._local = [aligned(size) for size in layout.local]
        words = layout.words.copy()
        for length in layout.lengths:
            words[length.word] = memory.storage[length.key].size // length.row
        words[layout.counted] += np.array([self._place(base) for base in layout.memories], np.int64)[layout.bases]
        # Words move in every step: in a line with another thread's they would slow it down.
        self._arguments = aligned(words.nbytes).view(np.int64)
        self._arguments[: len(words)] = words
        self._words = self._arguments.data
        base = address_of(self._arguments)
        self.records, self.moves = layout.calls.copy(), layout.moves.copy()
        self.records[:, 1] += base
        self.moves[:, 0] += base
        self.plain, self.ahead = layout.plain, layout.ahead
        self.walked = (address_of(self.records), layout.count, address_of(self.moves), layout.plain, layout.ahead)

    def aim(self, feeds: Mapping[str, int], outputs: Mapping[str, int], steps: int) -> None:
        """Let the moving addresses be those of a chunk's first step. feeds, outputs: where each array begins."""
        words = self._words
        for word, key, offset, _ in self._layout.feeds:
            words[word] = feeds[key] + offset
        for word, key, offset, _ in self._layout.outputs:
            words[word] = outputs[key] + offset
        for word, key, offset, stride in self._layout.following:
            words[word] = feeds[key] + offset + (stride if steps > 1 else 0)

    def _place(self, base: Base) -> int:
        """The address at which memory begins."""
        place, key = base
        match place:
            case "arena":
                return address_of(self._memory.arena)
            case "storage":
                return address_of(self._memory.storage[str(key)])
            case "constant":
                return address_of(self._memory.constants[str(key)])
            case "scratch":
                return address_of(self._scratch)
            case "local":
                return address_of(self._local[int(key)])
            case "private":
                return address_of(self._private)
            case "counters":
                return address_of(self._memory.counters)
            case "clock":
                assert self._memory.clock is not None
                return address_of(self._memory.clock)


def aligned(size: int) -> Array:
    """Zeroed bytes, a multiple of eight of them, in cache lines that hold nothing else."""
    size = -(-size // WORD) * WORD
    raw = np.zeros(size + 2 * LINE, np.uint8)
    start = -address_of(raw) % LINE
    return raw[start : start + size]
