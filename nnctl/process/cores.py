"""Cores that this process may use, and the turns that its threads take on them."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from nnctl.process import control_groups

if TYPE_CHECKING:
    import ctypes

_CALLS = {"x86_64": (315, 314), "aarch64": (275, 274)}
"""The numbers of the system calls `sched_getattr` and `sched_setattr` on Linux."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period."""
_TURN = 100_000
"""Nanoseconds of a short turn: the shortest that Linux grants."""


def cores() -> int:
    """The number of cores that this process may use: those that it may run on, or as many as its quota is worth."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, _quota())


@cache
def _quota() -> int:
    """The cores whose time control groups grant, a part of one as a whole, as for `docker --cpus 1.5`.

    With more threads than that all would be stopped for the rest of each period, those that others wait for first.
    """
    granted = [sys.maxsize]
    for folder, second in control_groups.folders("cpu"):
        quota: int | None
        period: int | None
        if second:
            quota, period = control_groups.numbers(folder / "cpu.max", 2)
        else:
            (quota,), (period,) = (control_groups.numbers(folder / f"cpu.cfs_{n}_us") for n in ("quota", "period"))
        if quota is not None and period is not None and quota > 0 and period > 0:
            granted.append(-(-quota // period))
    return min(granted)


def spread(number: int) -> None:
    """Let the thread that calls this begin on a core of its own, the `number`-th, and go where it likes from there.

    Threads begin where their maker runs, and take turns until the system moves them apart: milliseconds. Where there
    are more than cores, those behind begin where the system finds most room.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    # Where the system does not allow it, or cores were taken from the process meanwhile, it moves threads apart later.
    with suppress(OSError):
        allowed = os.sched_getaffinity(0)
        if number < len(allowed):
            os.sched_setaffinity(0, {sorted(allowed)[number]})
            os.sched_setaffinity(0, allowed)


@contextmanager
def short_turns() -> Iterator[None]:
    """Let the thread that calls this, and those that it begins meanwhile, have cores in short turns.

    They come soon where they wake beside others that compute for long; their share of a core stays what it was. The
    thread has turns as before afterwards, those that it has begun keep theirs. Only Linux can, from 6.12 on, see
    sched_setattr(2); elsewhere, and where the system refuses, turns are as long as they were.
    """
    numbers = _CALLS.get(os.uname().machine) if sys.platform == "linux" else None
    if numbers is None:
        yield
        return
    # Only here: commands that run no step start without it.
    import ctypes

    call, (read, write) = c_library().syscall, numbers
    before = ctypes.create_string_buffer(_ATTRIBUTES.size)
    if call(read, 0, before, _ATTRIBUTES.size, 0) != 0:
        yield
        return
    size, policy, flags, nice, *_ = _ATTRIBUTES.unpack(before.raw)
    if policy == os.SCHED_OTHER:
        call(write, 0, _ATTRIBUTES.pack(size, policy, flags, nice, 0, _TURN, 0, 0), 0)
    try:
        yield
    finally:
        if policy == os.SCHED_OTHER:
            call(write, 0, before, 0)


@cache
def c_library() -> ctypes.CDLL:
    """The functions of the C library of this process."""
    import ctypes

    return ctypes.CDLL(None)
