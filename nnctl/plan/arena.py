"""Memory by liveness: values that are never alive together share bytes of one arena."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

ALIGNMENT = 64
"""A cache line, and the width of the widest vector register."""

K = TypeVar("K")


def assign_offsets(lifetimes: Mapping[K, tuple[int, int]], sizes: Mapping[K, int]) -> tuple[dict[K, int], int]:
    """Offsets in bytes, and the arena's size.

    lifetimes: first and last step (inclusive) at which each buffer holds something.
    Greedy by size: the largest buffer first, each at the lowest offset where no
    buffer alive at the same time lies (Pisarchyk & Lee, MLSys 2020).
    """
    placed = _Placed(len(lifetimes))
    offsets: dict[K, int] = {}
    total = 0
    for key in sorted(lifetimes, key=lambda k: (-sizes[k], lifetimes[k])):
        size = _aligned(sizes[key])
        offsets[key] = placed.place(size, *lifetimes[key])
        total = max(total, offsets[key] + size)
    return offsets, total


def _aligned(size: int) -> int:
    return max(1, -(-size // ALIGNMENT)) * ALIGNMENT


class _Placed:
    """The buffers that have their place, by offset.

    Columns of one array: thousands of layers make ten thousands of buffers, and each new one looks at all.
    """

    def __init__(self, most: int) -> None:
        self._columns = np.empty((4, most), np.int64)
        """Offset, end, first step, last step."""
        self._count = 0

    def place(self, size: int, first: int, last: int) -> int:
        """Place a buffer of `size` bytes that is alive at the steps first…last; its offset."""
        offsets, ends, firsts, lasts = self._columns[:, : self._count]
        alive = np.flatnonzero((firsts <= last) & (lasts >= first))
        offset = _lowest_gap(offsets[alive], ends[alive], size)
        at = int(np.searchsorted(offsets, offset))
        self._columns[:, at + 1 : self._count + 1] = self._columns[:, at : self._count]
        self._columns[:, at] = offset, offset + size, first, last
        self._count += 1
        return offset


def _lowest_gap(offsets: np.ndarray, ends: np.ndarray, size: int) -> int:
    """The lowest offset of `size` bytes between buffers (n,) sorted by offset, behind them at the latest."""
    if not len(offsets):
        return 0
    free_from = np.maximum.accumulate(np.concatenate(([0], ends)))
    fitting = np.flatnonzero(free_from[:-1] + size <= offsets)
    return int(free_from[fitting[0]] if len(fitting) else free_from[-1])
