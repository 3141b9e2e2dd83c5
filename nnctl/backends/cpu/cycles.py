"""The rate of the cycle counter that compiled code reads."""

from __future__ import annotations

import ctypes
import time
from functools import cache

import numpy as np

from nnctl.backends.cpu.compilation import walker
from nnctl.backends.cpu.layouts import address_of

_WATCHED = 0.02
"""Seconds of comparison with the system's clock, whose own reading takes a millionth of that."""


@cache
def seconds_a_cycle() -> float:
    """Seconds between two counts, measured: a processor's counter runs at a rate of its own."""
    counts = np.zeros(2, np.int64)
    arguments = np.array([address_of(counts), address_of(counts[1:])], np.int64)
    clock = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(walker()[2])

    def now() -> int:
        clock(address_of(arguments))
        return int(counts[0])

    now()
    began, first = time.perf_counter(), now()
    while time.perf_counter() - began < _WATCHED:
        pass
    ended, last = time.perf_counter(), now()
    return (ended - began) / (last - first)
