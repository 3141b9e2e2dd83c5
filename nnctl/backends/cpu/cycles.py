"""The rate of the cycle counter that generated code reads."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from nnctl.backends.cpu.codegen.decorators import compiled
from nnctl.backends.cpu.codegen.intrinsics import cycle_counter

_WATCHED = 0.02
"""Seconds of comparison with the system's clock, whose own reading takes a millionth of that."""


@compiled
def _now() -> Any:
    return cycle_counter()


@cache
def seconds_a_cycle() -> float:
    """Seconds between two counts, measured: a processor's counter runs at a rate of its own."""
    _now()
    began, first = time.perf_counter(), int(_now())
    while time.perf_counter() - began < _WATCHED:
        pass
    ended, last = time.perf_counter(), int(_now())
    return (ended - began) / (last - first)
