"""Seeded random streams: one per seed and purpose, so that drawing more for one never shifts another."""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike, NDArray

from nnctl.errors import UsageError


class Purpose(IntEnum):
    """The purpose of a stream. The numbers are part of every result: never reuse or change one."""

    SHUFFLE = 1
    TEST_SPLIT = 2
    VALIDATION_SPLIT = 3
    SUBSET = 4
    GENERATE = 5
    TEST_SUBSET = 6
    FOLDS = 7
    AUGMENT = 8
    EXPAND = 9
    TEST_TIME = 10
    WRITE = 20
    PRETRAIN = 30
    PRETRAIN_ORDER = 31
    SAMPLE = 32
    LANDSCAPE = 40


class _Key(ISeedSequence):
    """A key in the place of a seed. Where Philox is given it as a key, NumPy asks the system for entropy besides."""

    def __init__(self, key: NDArray[np.uint64]) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint32) -> NDArray[np.uint64]:
        """The key, of the two words that Philox asks for."""
        return self._key


def bit_generator(seed: int, purpose: Purpose, index: int) -> np.random.Philox:
    """The Philox stream of (seed, purpose, index): its 128-bit key is those three numbers.

    Raises UsageError where the seed does not fit 64 bits.
    """
    if not 0 <= seed < 2**64:
        raise UsageError(f"the seed must be at least 0 and below 2**64, not {seed}")
    # Its annotations know of no other sequence of seeds than NumPy's own.
    return np.random.Philox(_Key(np.array([seed, (purpose << 48) | index], dtype=np.uint64)))  # type: ignore[arg-type]


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


class Draws:
    """Random numbers for consecutive examples: those of example i are the same whatever examples they come with.

    index: the epoch, or the number of the copy. place: of the component in its list.
    first, stop: the range of the examples' positions. A stream a call, the example its counter:
    drawn for 0…9 at once, or for 0…4 and 5…9, the numbers are equal.
    """

    def __init__(self, seed: int, purpose: Purpose, index: int, place: int, first: int, stop: int) -> None:
        self.first, self.count = first, stop - first
        self._seed, self._purpose = seed, purpose
        self._stream = index << 16 | place << 8

    def uniform(self, *shape: int) -> NDArray[np.float64]:
        """Uniform numbers on (0, 1), of 52 bits; (n, *shape)."""
        words = self._words(math.prod(shape)).reshape(self.count, *shape)
        # 52 bits behind the exponent of 1 are a number on [1, 2): no cast, and (k + 1/2)·2⁻⁵² is exact.
        words >>= np.uint64(12)
        words |= np.uint64(0x3FF << 52)
        numbers = words.view(np.float64)
        numbers -= 1.0 - 2.0**-53
        return numbers

    def quarters(self, *shape: int) -> NDArray[np.uint16]:
        """Whole numbers of 16 bits, all alike, four from a word; (n, *shape)."""
        size = math.prod(shape)
        words = self._words(-(-size // 4)).astype("<u8", copy=False)
        return words.view("<u2")[:, :size].reshape(self.count, *shape)

    def normal(self, *shape: int) -> NDArray[np.float32]:
        """Standard normals (n, *shape), by Box and Muller's transform: two from a word, which end at 6.7 deviations.

        From r² = −2 ln u and an angle φ, both of 32 bits, r·cos φ for the first half of an example's numbers and
        r·sin φ for the second. In float32, for which NumPy has vectorized functions.
        """
        size = math.prod(shape)
        half = -(-size // 2)
        bits = self._words(half).astype("<u8", copy=False).view("<u4")
        radius = bits[:, :half].astype(np.float32)
        # Greater numbers take up the half: u may round to 1, whose logarithm is 0, never to 0.
        radius += np.float32(0.5)
        radius *= np.float32(2.0**-32)
        np.log(radius, out=radius)
        radius *= np.float32(-2.0)
        np.sqrt(radius, out=radius)
        angle = bits[:, half:].view("<i4").astype(np.float32)
        angle *= np.float32(np.pi * 2.0**-31)
        pairs = np.empty((self.count, 2, half), np.float32)
        # Functions on whole arrays alone, whose numbers lie side by side: all examples go one way through their code.
        np.multiply(radius, np.cos(angle), out=pairs[:, 0])
        np.multiply(radius, np.sin(angle, out=angle), out=pairs[:, 1])
        return pairs.reshape(self.count, 2 * half)[:, :size].reshape(self.count, *shape)

    def order(self) -> NDArray[np.int64]:
        """A permutation of the n examples, (n,); this one does depend on who is there."""
        return np.argsort(self._words(1)[:, 0], kind="stable").astype(np.int64, copy=False)

    def _words(self, each: int) -> NDArray[np.uint64]:
        """Raw 64-bit words (n, each)."""
        # A counter of Philox yields four words: examples begin at whole counters.
        counters = -(-each // 4)
        bits = bit_generator(self._seed, self._purpose, self._stream)
        self._stream += 1
        bits.advance(self.first * counters)
        words = np.asarray(bits.random_raw(self.count * counters * 4), dtype=np.uint64)
        return words.reshape(self.count, counters * 4)[:, :each]
