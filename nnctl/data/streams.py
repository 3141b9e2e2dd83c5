"""Seeded random streams: one per seed and purpose, so that drawing more for one never shifts another."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from nnctl.errors import UsageError


class Purpose(IntEnum):
    """What a stream is for. The numbers are part of every result: never reuse or change one."""

    SHUFFLE = 1
    TEST_SPLIT = 2
    VALIDATION_SPLIT = 3
    SUBSET = 4
    GENERATE = 5
    TEST_SUBSET = 6


def bit_generator(seed: int, purpose: Purpose, index: int = 0) -> np.random.Philox:
    """The Philox stream of (seed, purpose, index): its 128-bit key is those three numbers.

    Raises UsageError where the seed does not fit 64 bits.
    """
    if not 0 <= seed < 2**64:
        raise UsageError(f"the seed must be at least 0 and below 2**64, not {seed}")
    return np.random.Philox(key=np.array([seed, (purpose << 48) | index], dtype=np.uint64))


def generator(seed: int, purpose: Purpose, index: int = 0) -> np.random.Generator:
    """A Generator on the stream of (seed, purpose, index)."""
    return np.random.Generator(bit_generator(seed, purpose, index))


def permutation(n: int, seed: int, purpose: Purpose, index: int = 0) -> NDArray[np.int64]:
    """A permutation of 0…n−1, (n,).

    The ranks of n raw 64-bit words. NumPy promises that a bit generator's raw words
    never change, and promises no such thing for `Generator.permutation`.
    """
    words = np.asarray(bit_generator(seed, purpose, index).random_raw(n), dtype=np.uint64)
    return np.argsort(words, kind="stable").astype(np.int64, copy=False)
