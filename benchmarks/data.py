"""Data for the nets that are timed: random images and random text, the same for everyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Images:
    """Bytes of shape (height, width, channels), and a label each."""

    shape: tuple[int, int, int]
    examples: int = 20_000
    classes: int = 10

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """(examples, height, width, channels) and (examples,)."""
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (self.examples, *self.shape), dtype=np.uint8)
        return pixels, rng.integers(0, self.classes, self.examples)

    def floats(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The arrays as the peers like them: float32, on the unit range."""
        pixels, labels = self.arrays()
        return pixels.astype(np.float32) / np.float32(255.0), labels


@dataclass(frozen=True)
class Text:
    """Windows of `time` characters, and after each of these the next."""

    time: int
    vocabulary: int = 65
    examples: int = 10_000

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of one example as the net reads it: (time, vocabulary)."""
        return (self.time, self.vocabulary)

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Characters and their successors, both (examples, time)."""
        text = np.random.default_rng(0).integers(0, self.vocabulary, self.examples * self.time + 1)
        return text[:-1].reshape(-1, self.time), text[1:].reshape(-1, self.time)


Data: TypeAlias = Images | Text
