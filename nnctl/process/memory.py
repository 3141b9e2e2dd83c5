"""Memory that this process may still take: the machine's, its container's, and what `ulimit -v` allows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nnctl.process import control_groups

_PROC = Path("/proc")
_LIBRARIES = 512 << 20
"""Bytes of addresses that loading NumPy, SciPy and their BLAS takes, with some to spare."""
_SMALL = 256 << 20
"""Bytes of a process that holds a small data set."""
_UNKNOWN = 4 << 30
"""Bytes taken to be there where the system says nothing."""


def available() -> int:
    """Bytes that this process may still allocate: the least that machine, control groups and RLIMIT_AS leave."""
    left = [_machine(), *_control_groups()]
    if (limit := address_space_left()) is not None:
        left.append(limit)
    return max(0, min(left))


def most_taken() -> int:
    """Bytes that this process has had in memory at most, so far; what is taken for a small one where nobody says it."""
    if sys.platform == "win32":
        return _SMALL
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def in_bytes(size: int) -> str:
    """A number of bytes in words: 1.5 GiB."""
    for unit, words in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:,.1f} {words}"
    return f"{size} bytes"


def address_space_left() -> int | None:
    """Bytes that RLIMIT_AS (`ulimit -v`) leaves to this process; None where there is no such limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        return None
    try:
        pages = int((_PROC / "self" / "statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return soft
    return max(0, soft - pages * os.sysconf("SC_PAGE_SIZE"))


def require_address_space() -> None:
    """Raise MemoryError where RLIMIT_AS leaves less than the libraries of arrays take when they are loaded.

    OpenBLAS, which NumPy loads, would not raise: it ends the process, or tries again for ever.
    """
    left = address_space_left()
    if left is not None and left < _LIBRARIES:
        raise MemoryError(f"ulimit -v leaves {in_bytes(left)}, and the libraries take {in_bytes(_LIBRARIES)}")


def _machine() -> int:
    """Memory that the machine can give without swapping, or all it has where only that is known."""
    try:
        for line in (_PROC / "meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    if sys.platform == "win32":
        return _UNKNOWN
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return _UNKNOWN


def _control_groups() -> list[int]:
    """Rests that the memory controllers of this process's groups, and of those above, leave."""
    left: list[int] = []
    for folder, second in control_groups.folders("memory"):
        names = ("memory.max", "memory.current") if second else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        (limit,), (used,) = (control_groups.numbers(folder / name) for name in names)
        if limit is not None:
            left.append(limit - (used or 0))
    return left
