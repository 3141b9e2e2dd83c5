"""Augmentations at work on stored examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Augmentation
from nnctl.data.augmentations.base import AffineAugmentation, DisplacingAugmentation, PlaneAugmentation
from nnctl.data.resample import affine, displaced
from nnctl.data.streams import Draws, Purpose
from nnctl.late import dataclass

_NUMBERS = 1 << 19
"""Numbers of inputs changed at a time: enough that calls count for little, few enough that it all stays in a cache."""


@dataclass(frozen=True)
class Augmenter:
    """The augmentations of the examples of one data set.

    scale: brings stored inputs to the unit range, 1 for numbers that are no bytes.
    purpose: training's, an expansion's and evaluation's draws are different streams.
    """

    augmentations: Sequence[Augmentation]
    scale: float
    seed: int
    purpose: Purpose

    def __call__(
        self, inputs: NDArray[Any], targets: NDArray[Any], index: int, first: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Changed copies of consecutive examples, stored as they were.

        index: the epoch, or the number of the copy. first: position of inputs[0]: what is
        drawn for an example depends on (seed, purpose, index, position) alone. Bytes are
        rounded to the nearest and kept between 0 and what is 1 in the unit range.
        """
        count = len(inputs)
        if not any(step.mixes for step in self.augmentations):
            # No example needs another.
            count = max(1, _NUMBERS // max(1, math.prod(inputs.shape[1:])))
        if count >= len(inputs):
            return self._changed(inputs, targets, index, first)
        changed = np.empty_like(inputs)
        for start in range(0, len(inputs), count):
            part = slice(start, start + count)
            changed[part], _ = self._changed(inputs[part], targets[part], index, first + start)
        return changed, targets

    def _changed(
        self, inputs: NDArray[Any], targets: NDArray[Any], index: int, first: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        unit = inputs.astype(np.float32)
        unit *= np.float32(self.scale)
        for steps in self._merged():
            if isinstance(steps[0][1], PlaneAugmentation):
                unit = self._moved(unit, steps, index, first)
            else:
                ((place, step),) = steps
                unit, targets = step.apply(unit, targets, self._draws(index, place, first, len(unit)))
        unit /= np.float32(self.scale)
        if inputs.dtype != np.uint8:
            return unit.astype(inputs.dtype, copy=False), targets
        np.rint(unit, out=unit)
        np.clip(unit, 0, min(255, round(1 / self.scale)), out=unit)
        return unit.astype(np.uint8), targets

    def _moved(
        self, unit: NDArray[np.float32], steps: Sequence[tuple[int, Any]], index: int, first: int
    ) -> NDArray[np.float32]:
        """Images under maps in a row, and under a displacement behind them."""
        maps: Any = None
        field: Any = None
        for place, step in steps:
            drawn = step.drawn(self._draws(index, place, first, len(unit)), unit.shape[1:])
            if isinstance(step, DisplacingAugmentation):
                field = drawn
            else:
                # The last change is the first map that a new pixel goes through.
                maps = drawn if maps is None else maps @ drawn
        fill = steps[0][1].fill
        return affine(unit, maps, fill) if field is None else displaced(unit, field, maps, fill)

    def _draws(self, index: int, place: int, first: int, count: int) -> Draws:
        return Draws(self.seed, self.purpose, index, place, first, first + count)

    def _merged(self) -> list[list[tuple[int, Any]]]:
        """Pairs (place, augmentation) in order, in groups that are one change.

        Maps of the plane with one fill come together, and with them a displacement behind the last.
        """
        groups: list[list[tuple[int, Any]]] = []
        for numbered in enumerate(self.augmentations):
            if groups and _goes_on(groups[-1][-1][1], numbered[1]):
                groups[-1].append(numbered)
            else:
                groups.append([numbered])
        return groups


def _goes_on(before: Augmentation, step: Augmentation) -> bool:
    """True where a change and the one before it are a single change of the plane."""
    return isinstance(before, AffineAugmentation) and isinstance(step, PlaneAugmentation) and before.fill == step.fill
