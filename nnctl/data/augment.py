"""Augmentations at work on stored examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Augmentation
from nnctl.data.augmentations.base import AffineAugmentation
from nnctl.data.resample import affine, images_of_a_block
from nnctl.data.streams import Draws, Purpose


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
            # No example needs another: a block of them at a time stays in the cache.
            count = images_of_a_block(math.prod(inputs.shape[1:3]))
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
        unit = inputs.astype(np.float32) * np.float32(self.scale)
        for steps in self._merged():
            draws = [Draws(self.seed, self.purpose, index, place, first, first + len(inputs)) for place, _ in steps]
            maps = [step.drawn(d, unit.shape[1:]) for d, (_, step) in zip(draws, steps) if _is_affine(step)]
            if maps:
                # The last change is the first map that a new pixel goes through.
                total = maps[0]
                for following in maps[1:]:
                    total = total @ following
                unit = affine(unit, total, steps[0][1].fill)
            else:
                unit, targets = steps[0][1].apply(unit, targets, draws[0])
        unit /= np.float32(self.scale)
        if inputs.dtype != np.uint8:
            return unit.astype(inputs.dtype, copy=False), targets
        np.rint(unit, out=unit)
        np.clip(unit, 0, min(255, round(1 / self.scale)), out=unit)
        return unit.astype(np.uint8), targets

    def _merged(self) -> list[list[tuple[int, Any]]]:
        """Pairs (place, augmentation) in order; maps of the plane with one fill in a row come together."""

        def key(numbered: tuple[int, Any]) -> Any:
            place, step = numbered
            return ("affine", step.fill) if _is_affine(step) else place

        return [list(group) for _, group in groupby(enumerate(self.augmentations), key)]


def _is_affine(step: Any) -> bool:
    return isinstance(step, AffineAugmentation)
