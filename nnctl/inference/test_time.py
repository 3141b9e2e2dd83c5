"""Test-time augmentation: a net's mean answer to an example and to changed copies of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Augmentation
from nnctl.data.augment import Augmenter
from nnctl.data.dataset import Split
from nnctl.data.stored.arrays import in_memory
from nnctl.data.streams import Purpose
from nnctl.errors import UsageError
from nnctl.spec.document import Spec


def usable(spec: Spec, run: str) -> tuple[Augmentation, ...]:
    """The spec's augmentations that leave targets alone. Raises UsageError where there is none."""
    augment = spec.data.augmentations
    found = tuple(augmentation for augmentation in augment if not augmentation.mixes)
    if not found:
        mixed = f", only {' and '.join(a.type for a in augment)}, which mixes targets" if augment else ""
        raise UsageError(
            f"--augment: {run} was trained without augmentation{mixed}\n"
            "  name what to do to the examples: --with shift, or --with '{type: rotate, degrees: 5}'"
        )
    return found


def mean_scores(
    scores: Any, part: Split, unit: float, copies: int, augmentations: tuple[Augmentation, ...], seed: int
) -> NDArray[np.float64]:
    """The mean of scores(inputs) (n, outputs) over the examples as they are and `copies` changed copies of all.

    unit: brings stored inputs to the unit range. The copies are a function of the seed.
    """
    augmenter = Augmenter(augmentations, unit, seed, Purpose.TEST_TIME)
    inputs = in_memory(part.inputs, "--augment: the split")
    total = np.array(scores(inputs), dtype=np.float64)
    for copy in range(copies):
        changed, _ = augmenter(inputs, part.targets, copy, 0)
        total += scores(changed)
    return np.asarray(total / (copies + 1))
