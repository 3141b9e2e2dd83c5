"""The limits of this machine, measured in a moment: matrix products, and copies of memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np

from nnctl.backends.blas import limit_blas_threads

_SIZE = 1024
"""Rows of the square product: large enough to run at full speed, small enough for a few milliseconds."""
_COPIED = 1 << 26
"""Bytes copied: more than the caches hold."""
_REPEATS = 7


@cache
def product_limit(threads: int) -> float:
    """Largest FLOP/s of BLAS's float32 product on so many threads, the best of several measurements."""
    from scipy.linalg.blas import sgemm

    rng = np.random.default_rng(0)
    a, b = (np.asfortranarray(rng.standard_normal((_SIZE, _SIZE)), np.float32) for _ in "ab")
    limit_blas_threads(threads)
    try:
        return 2.0 * _SIZE**3 / _best(lambda: sgemm(1.0, a, b))
    finally:
        limit_blas_threads(1)


@cache
def copy_limit() -> float:
    """Bytes a second that one thread reads and writes where they are in no cache, the best of several measurements."""
    source = np.ones(_COPIED // 8)
    target = np.empty_like(source)
    return 2.0 * _COPIED / _best(lambda: np.copyto(target, source))


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of several turns. Others share the machine: the fastest disturbed the least."""
    fastest = float("inf")
    for _ in range(_REPEATS):
        began = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - began)
    return fastest
