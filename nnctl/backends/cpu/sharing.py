"""Steps in parts that threads share, one after another, as long as each of them has a core: see `sharing_ir`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nnctl.backends.cpu.compilation import sharer
from nnctl.backends.cpu.layouts import LINE, TableLayout, address_of, spins
from nnctl.backends.cpu.tables import Memory, ThreadTable, aligned

_TURN = 500_000
"""Nanoseconds for which a thread keeps a core, before it lets others have it: as many pieces as are done in a small
part of the 4 ms, or more, after which the system would take it."""


class SharedTables:
    """Tables of parts over memory, for so many threads.

    layouts: of each part. turn: nanoseconds for which a thread keeps a core.
    """

    def __init__(self, layouts: Sequence[TableLayout], memory: Memory, *, turn: int = _TURN) -> None:
        self._tables = [ThreadTable(layout, memory) for layout in layouts]
        self._board = aligned(8 * LINE)
        self._turn = turn
        rows = [
            [address_of(table.records), address_of(table.moves), table.plain, table.plain + table.ahead, *layout.bounds]
            for table, layout in zip(self._tables, layouts, strict=True)
        ]
        phases = len(layouts[0].bounds) - 1
        self._parts = np.array([len(rows), phases, *(word for row in rows for word in row)], np.int64)
        self._share = sharer()

    def aim(self, feeds: Mapping[str, int], outputs: Mapping[str, int], steps: int) -> None:
        """Let a chunk begin: see `ThreadTable`."""
        self._board[:] = 0
        for table in self._tables:
            table.aim(feeds, outputs, steps)

    def run(self, thread: int, threads: int, steps: int) -> int:
        """The work of one of so many threads for a chunk; the number of steps completed, by all."""
        first = len(self._tables) * thread // threads
        board, parts = address_of(self._board), address_of(self._parts)
        return int(self._share(board, parts, first, spins(threads), self._turn, steps))
