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
    alike: dict[tuple[int, tuple[int, int]], list[K]] = {}
    for key, lifetime in lifetimes.items():
        alike.setdefault((-sizes[key], lifetime), []).append(key)
    for (smaller, lifetime), keys in sorted(alike.items(), key=lambda item: item[0]):
        size = _aligned(-smaller)
        found = placed.place(size, *lifetime, len(keys))
        offsets.update(zip(keys, found, strict=True))
        total = max(total, found[-1] + size)
    return offsets, total


def _aligned(size: int) -> int:
    return max(1, -(-size // ALIGNMENT)) * ALIGNMENT


class _Placed:
    """The buffers that have their place, by offset.

    Columns of one array: thousands of layers make ten thousands of buffers, and new ones look at all.
    """

    def __init__(self, most: int) -> None:
        self._columns = np.empty((4, most), np.int64)
        """Offset, end, first step, last step."""
        self._count = 0

    def place(self, size: int, first: int, last: int, count: int) -> list[int]:
        """Place so many buffers of `size` bytes that are alive at the steps first…last; their offsets, ascending."""
        offsets, ends, firsts, lasts = self._columns[:, : self._count]
        alive = np.flatnonzero((firsts <= last) & (lasts >= first))
        free_from = np.maximum.accumulate(np.concatenate(([0], ends[alive])))
        fitting = (offsets[alive] - free_from[:-1]) // size
        found: list[int] = []
        for gap in np.flatnonzero(fitting > 0):
            found += _side_by_side(int(free_from[gap]), size, min(int(fitting[gap]), count - len(found)))
        found += _side_by_side(int(free_from[-1]), size, count - len(found))
        begins = np.array(found, np.int64)
        new = np.stack([begins, begins + size, np.full(count, first), np.full(count, last)])
        whole = np.concatenate([self._columns[:, : self._count], new], axis=1)
        self._count += count
        self._columns[:, : self._count] = whole[:, np.argsort(whole[0], kind="stable")]
        return found


def _side_by_side(offset: int, size: int, count: int) -> range:
    return range(offset, offset + count * size, size)
