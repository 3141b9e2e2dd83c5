"""Memory by liveness: values that are never alive together share bytes of one arena."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from heapq import heappop, heappush
from itertools import accumulate, count, groupby
from operator import itemgetter
from typing import TypeAlias, TypeVar

import numpy as np

ALIGNMENT = 64
"""A cache line, and the width of the widest vector register."""

K = TypeVar("K")


_MANY = 512
"""Groups of buffers alike from which on each size has a region of its own, where that costs hardly any memory."""
_HARDLY, _PAGE = 1024, 4096
"""The part of the memory that is needed in any case which regions may take besides, or else the bytes."""


def assign_offsets(lifetimes: Mapping[K, tuple[int, int]], sizes: Mapping[K, int]) -> tuple[dict[K, int], int]:
    """Offsets in bytes, and the arena's size.

    lifetimes: first and last step (inclusive) at which each buffer holds something.
    Greedy by size: the largest buffer first, each at the lowest offset where no
    buffer alive at the same time lies (Pisarchyk & Lee, MLSys 2020). That takes the square of a net's depth, and deep
    nets have few sizes: these have regions of their own, unless their buffers are not alive at the same time.
    """
    alike: _Alike[K] = {}
    for key, lifetime in lifetimes.items():
        alike.setdefault((-sizes[key], lifetime), []).append(key)
    if len(alike) >= _MANY:
        offsets, total = _in_regions(alike)
        least = _least(alike)
        if total <= least + max(least // _HARDLY, _PAGE):
            return offsets, total
    return _by_size(alike, len(lifetimes))


_Alike: TypeAlias = dict[tuple[int, tuple[int, int]], list[K]]
"""Buffers by their negative size and their lifetime."""


def _by_size(alike: _Alike[K], most: int) -> tuple[dict[K, int], int]:
    """Offsets of so many buffers, and the arena's size."""
    placed = _Placed(most)
    offsets: dict[K, int] = {}
    total = 0
    for (smaller, lifetime), keys in sorted(alike.items(), key=itemgetter(0)):
        size = _aligned(-smaller)
        found = placed.place(size, *lifetime, len(keys))
        offsets.update(zip(keys, found, strict=True))
        total = max(total, found[-1] + size)
    return offsets, total


def _in_regions(alike: _Alike[K]) -> tuple[dict[K, int], int]:
    """Offsets, and the arena's size, where each size has as many places as buffers of it are alive at once."""
    offsets: dict[K, int] = {}
    total = 0
    in_order = sorted(
        [(-_aligned(-smaller), life, keys) for (smaller, life), keys in alike.items()], key=itemgetter(0, 1)
    )
    for smaller, groups in groupby(in_order, itemgetter(0)):
        size = -smaller
        free: list[int] = []
        taken: list[tuple[int, list[int]]] = []
        """Last steps and places of the buffers that are alive."""
        places = count()
        for _, (first, last), keys in groups:
            while taken and taken[0][0] < first:
                for place in heappop(taken)[1]:
                    heappush(free, place)
            # The first of those that are free, as they are at the smaller offsets.
            found = [heappop(free) if free else next(places) for _ in keys]
            heappush(taken, (last, found))
            offsets.update([(key, total + place * size) for key, place in zip(keys, found, strict=True)])
        total += next(places) * size
    return offsets, total


def _least(alike: _Alike[K]) -> int:
    """Bytes of the buffers that are alive at once, at most."""
    changes: defaultdict[int, int] = defaultdict(int)
    for (smaller, (first, last)), keys in alike.items():
        size = _aligned(-smaller) * len(keys)
        changes[first] += size
        changes[last + 1] -= size
    return max(accumulate([changes[step] for step in sorted(changes)]), default=0)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT or ALIGNMENT


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
        # Methods of arrays: NumPy's functions around them take as long again.
        alive = ((firsts <= last) & (lasts >= first)).nonzero()[0]
        free_from = np.zeros(len(alive) + 1, np.int64)
        np.maximum.accumulate(ends[alive], out=free_from[1:])
        behind = offsets[alive]
        found: list[int] = []
        for gap in (behind - free_from[:-1] >= size).nonzero()[0].tolist():
            begin = int(free_from[gap])
            found += _side_by_side(begin, size, min((int(behind[gap]) - begin) // size, count - len(found)))
            if len(found) == count:
                break
        else:
            found += _side_by_side(int(free_from[-1]), size, count - len(found))
        places = offsets.searchsorted(found).tolist()
        start = 0
        for place, alike in groupby(places):
            stop = start + len(list(alike))
            self._insert(place + start, found[start:stop], size, first, last)
            start = stop
        return found

    def _insert(self, place: int, begins: list[int], size: int, first: int, last: int) -> None:
        """Insert buffers one behind the other, the first of them as number `place`."""
        after, count = place + len(begins), self._count + len(begins)
        self._columns[:, after:count] = self._columns[:, place : self._count]
        for at, begin in enumerate(begins, place):
            self._columns[:, at] = begin, begin + size, first, last
        self._count = count


def _side_by_side(offset: int, size: int, count: int) -> range:
    return range(offset, offset + count * size, size)
