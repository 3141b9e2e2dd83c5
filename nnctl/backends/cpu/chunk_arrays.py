"""Arrays of a chunk of steps: its feeds as functions take them, and its outputs where functions write them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.cpu.layouts import LINE, address_of
from nnctl.late import dataclass
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Slot

Array = NDArray[Any]
Addresses: TypeAlias = dict[str, int]
"""The beginnings of arrays, by key."""


@dataclass(frozen=True)
class _Kind:
    """The arrays of a slot. shape: of a step; size, bytes: elements of a step, and how much memory they take."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int
    bytes: int


class ChunkArrays:
    """The arrays of chunks of a plan's steps, whatever their number. fed, outputs: slots by key."""

    def __init__(self, fed: Mapping[str, Slot], outputs: Mapping[str, Slot]) -> None:
        self._fed = {key: _kind_of(slot) for key, slot in fed.items()}
        self._outputs = {name: _kind_of(slot) for name, slot in outputs.items()}

    def given(self, feeds: Mapping[str, Array], steps: int) -> tuple[list[Array], Addresses]:
        """The feeds in C order and of the type that the plan is for: what keeps them in memory, and where they begin.

        Raises ValueError where one has not the elements of so many steps.
        """
        held: list[Array] = []
        addresses: Addresses = {}
        for key, kind in self._fed.items():
            array = feeds[key]
            if array.dtype != kind.dtype or not array.flags.c_contiguous:
                array = np.require(array, kind.dtype, ["C"])
            if array.size != steps * kind.size:
                raise ValueError(
                    f"feed {key} has {array.size} elements, {steps} steps of {kind.size} need {steps * kind.size}"
                )
            held.append(array)
            addresses[key] = address_of(array)
        return held, addresses

    def made(self, steps: int) -> tuple[dict[str, Array], Addresses]:
        """New outputs (steps, *shape) by name, not written yet, and where they begin: in one piece of memory."""
        places: Addresses = {}
        total = 0
        for name, kind in self._outputs.items():
            places[name] = total
            total += -(-steps * kind.bytes // LINE) * LINE
        memory = np.empty(max(total, LINE), np.uint8)
        base = address_of(memory)
        arrays: dict[str, Array] = {}
        for name, kind in self._outputs.items():
            arrays[name] = np.ndarray((steps, *kind.shape), kind.dtype, memory, places[name])
            places[name] += base
        return arrays, places


def _kind_of(slot: Slot) -> _Kind:
    dtype, size = element(slot.dtype).host, math.prod(slot.shape)
    return _Kind(dtype, slot.shape, size, size * dtype.itemsize)
