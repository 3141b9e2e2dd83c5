"""Counter-based random numbers: Philox 4x32-10 (Salmon et al., SC 2011), vectorized over counters.

A number depends on nothing but its key and its counter, so every backend
draws the same dropout mask for the same (seed, step, stream, element), in any
order and on any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox(counter: tuple[Any, Any, Any, Any], key: tuple[int, int]) -> tuple[NDArray[np.uint64], ...]:
    """Four 32-bit words (in uint64 arrays) for each counter; the parts of a counter broadcast."""
    c0, c1, c2, c3 = (np.asarray(c, dtype=np.uint64) for c in counter)
    k0, k1 = key
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _SHIFT) ^ c1 ^ np.uint64(k0), p1 & _LOW, (p0 >> _SHIFT) ^ c3 ^ np.uint64(k1), p0 & _LOW
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return c0, c1, c2, c3


def bits(seed: NDArray[Any], step: int, stream: int, count: int) -> NDArray[np.uint64]:
    """`count` random 32-bit words of one stream at one step.

    seed: two 32-bit words. Element i is word i mod 4 of counter (i // 4, stream, step low, step high).
    """
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    words = philox((blocks, stream, step & 0xFFFFFFFF, step >> 32), (int(seed[0]), int(seed[1])))
    return np.stack(np.broadcast_arrays(*words), axis=1).reshape(-1)[:count]


def uniforms(seed: NDArray[Any], step: int, stream: int, count: int) -> NDArray[np.float64]:
    """`count` uniforms on (0, 1), multiples of 2⁻²⁴ that float32 holds exactly."""
    return ((bits(seed, step, stream, count) >> np.uint64(9)).astype(np.float64) + 0.5) * 2.0**-23


def normals(seed: NDArray[Any], step: int, stream: int, count: int) -> NDArray[np.float64]:
    """`count` standard normals by Box and Muller (1958): element i from the uniforms 2i and 2i + 1."""
    u = uniforms(seed, step, stream, 2 * count).reshape(-1, 2)
    return np.sqrt(-2.0 * np.log(u[:, 0])) * np.cos(2.0 * np.pi * u[:, 1])
