"""Cores that this process may use."""

from __future__ import annotations

import os
from contextlib import suppress


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(number: int) -> None:
    """Let the thread that calls this begin on a core of its own, the `number`-th, and go where it likes from there.

    Threads begin where their maker runs, and take turns until the system moves them apart: milliseconds.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    # Where the system does not allow it, or cores were taken from the process meanwhile, it moves threads apart later.
    with suppress(OSError):
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {sorted(allowed)[number % len(allowed)]})
        os.sched_setaffinity(0, allowed)
