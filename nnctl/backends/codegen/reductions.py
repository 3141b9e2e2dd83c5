"""Reductions: which axes go, and those of equal fate merged into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from nnctl.graph.ir import Node
from nnctl.plan.plan import Launch, Slot

Group: TypeAlias = tuple[bool, int]
"""Neighbouring axes as one: (is it reduced over, length)."""


def reduced_axes(launch: Launch | Node) -> tuple[int, ...]:
    """The axes that a reduction runs over, counted from 0."""
    x = launch.inputs[0].shape
    if launch.op.name == "sum_to":
        shape = launch.attributes["shape"]
        missing = len(x) - len(shape)
        return (*range(missing), *(i + missing for i, n in enumerate(shape) if n == 1 and x[i + missing] != 1))
    return tuple(a % len(x) for a in launch.attributes["axes"])


def merged(axes: Iterable[Group]) -> list[Group]:
    """Neighbours of equal fate as one; without any axes one that is reduced over."""
    groups: list[Group] = []
    for gone, length in axes:
        if groups and groups[-1][0] == gone:
            groups[-1] = (gone, groups[-1][1] * length)
        else:
            groups.append((gone, length))
    return groups or [(True, 1)]


def merged_axes(x: Slot, reduced: Sequence[int]) -> list[Group]:
    """The axes of x, merged."""
    return merged((axis in reduced, length) for axis, length in enumerate(x.shape))
