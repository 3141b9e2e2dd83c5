"""Memory by liveness: values that are never alive together share bytes of one arena."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

ALIGNMENT = 64
"""A cache line, and the width of the widest vector register."""

K = TypeVar("K")


def assign_offsets(lifetimes: Mapping[K, tuple[int, int]], sizes: Mapping[K, int]) -> tuple[dict[K, int], int]:
    """Offsets in bytes, and the arena's size.

    lifetimes: first and last step (inclusive) at which each buffer holds something.
    Greedy by size: the largest buffer first, each at the lowest offset where no
    buffer alive at the same time lies (Pisarchyk & Lee, MLSys 2020).
    """
    placed: list[tuple[int, int, tuple[int, int]]] = []
    offsets: dict[K, int] = {}
    order = sorted(lifetimes, key=lambda k: (-sizes[k], lifetimes[k]))
    for key in order:
        size = _aligned(sizes[key])
        offset = _lowest_gap(placed, lifetimes[key], size)
        offsets[key] = offset
        placed.append((offset, size, lifetimes[key]))
    return offsets, max((offset + size for offset, size, _ in placed), default=0)


def _aligned(size: int) -> int:
    return max(1, -(-size // ALIGNMENT)) * ALIGNMENT


def _lowest_gap(placed: Sequence[tuple[int, int, tuple[int, int]]], lifetime: tuple[int, int], size: int) -> int:
    start, stop = lifetime
    offset = 0
    for other_offset, other_size, (other_start, other_stop) in sorted(placed):
        if other_stop < start or stop < other_start:
            continue
        if offset + size <= other_offset:
            break
        offset = max(offset, other_offset + other_size)
    return offset
