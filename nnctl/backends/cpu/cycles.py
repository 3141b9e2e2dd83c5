"""How long a tick of the clock is that generated code reads."""

from __future__ import annotations

import time
from functools import cache

from numba import njit

from nnctl.backends.cpu.codegen.intrinsics import ticks

_WATCHED = 0.02
"""Seconds of comparison with the system's clock, whose own reading takes a millionth of that."""


@njit(cache=False)
def _now() -> int:
    return ticks()  # type: ignore[call-arg]


@cache
def seconds_a_tick() -> float:
    """Measured: a processor's counter runs at a rate of its own."""
    _now()
    began, first = time.perf_counter(), _now()
    while time.perf_counter() - began < _WATCHED:
        pass
    ended, last = time.perf_counter(), _now()
    return (ended - began) / (last - first)
