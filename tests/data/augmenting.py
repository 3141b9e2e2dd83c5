"""Augmentations of a few images, for tests of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnctl.components.registry import components
from nnctl.data.augment import Augmenter
from nnctl.data.streams import Purpose

REQUIRED = {"cutout": {"size": 2}, "random_crop": {"padding": 1, "least": 0.7}}
"""Fields that an augmentation needs to do anything."""
NAMES = sorted(components("augmentation"))
RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 17, (40, 8, 6, 1)).astype(np.uint8)
COLOURS = RNG.uniform(size=(40, 5, 7, 3)).astype(np.float32)
LABELS = (np.arange(40) % 4).astype(np.int64)


def make(name: str, **fields: Any) -> Any:
    return components("augmentation")[name](**(REQUIRED.get(name, {}) | fields))


def augment(
    parts: Any, inputs: Any, targets: Any = LABELS, *, epoch: int = 0, first: int = 0, scale: float = 1.0
) -> Any:
    parts = parts if isinstance(parts, list) else [parts]
    return Augmenter(parts, scale, 7, Purpose.AUGMENT)(inputs, targets, epoch, first)
