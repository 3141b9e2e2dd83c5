"""The algorithm of a convolution, and how many positions a kernel's gradient is summed over at a time: by sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_LEAST_CHANNELS = 32
"""Channels and filters from which on products are worth what lies around them."""
_LEAST_SIDE = 4
_POSITIONS = 1024
"""Positions over which a kernel's gradient is summed in registers, where so many are in whole images or rows of one."""


def by_winograd(w_shape: Sequence[int], attributes: Mapping[str, Any], positions: Sequence[int]) -> bool:
    """True for a convolution that `winograd` makes. positions: its lengths along the images' axes."""
    *size, channels, filters = w_shape
    plain = all(n == 1 for n in (*attributes["stride"], *attributes["dilation"], attributes["groups"]))
    large = min(channels, filters) >= _LEAST_CHANNELS and min(positions) >= _LEAST_SIDE
    return tuple(size) == (3, 3) and plain and large


def blocks_of(rows: int, columns: int) -> tuple[int, int]:
    """(images, rows of each) whose positions a kernel's gradient is summed over before the sum is added."""
    positions = rows * columns
    if positions > _POSITIONS:
        return 1, max(1, _POSITIONS // columns)
    return max(1, _POSITIONS // max(1, positions)), max(1, rows)
