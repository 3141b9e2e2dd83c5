"""The BLAS libraries that NumPy and SciPy bring: their kernels, and how many threads they may use by themselves."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_CORETYPE = "OPENBLAS_CORETYPE"
_THREADS = "OPENBLAS_NUM_THREADS"
_ours: set[str] = set()
"""Kernels that were asked for here, not by the user."""
_AVX512 = {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"}


def prepare_blas() -> None:
    """Set what OpenBLAS reads when it is loaded: its kernels, and that it starts no threads. The user's settings stay.

    AVX-512 kernels on AMD processors that have the instructions: OpenBLAS does not
    know the newer ones and falls back to AVX2, at half the speed. Where the user
    limits the instructions, its kernels for AVX2. Threads: see `limit_blas_threads`;
    to start them costs as much as to load NumPy.
    """
    os.environ.setdefault(_THREADS, "1")
    if _CORETYPE in os.environ:
        return
    if os.environ.get("NNCTL_INSTRUCTIONS"):
        wanted = "HASWELL"
    elif wants_wide_kernels():
        wanted = "SKYLAKEX"
    else:
        return
    os.environ[_CORETYPE] = wanted
    _ours.add(wanted)


def kernels_asked_for() -> str:
    """In words, who chose the kernels of OpenBLAS."""
    asked = os.environ.get(_CORETYPE)
    if asked is None:
        return "chosen by the library itself"
    if asked in _ours:
        why = "the library underrates this processor" if asked == "SKYLAKEX" else "the instructions are limited"
        return f"{_CORETYPE}={asked}, set by nnctl: {why}"
    slow = ", which is slower than what this processor can do" if wants_wide_kernels() and asked != "SKYLAKEX" else ""
    return f"{_CORETYPE}={asked}, set by the user{slow}"


def wants_wide_kernels() -> bool:
    """True for a processor that OpenBLAS underrates; known on Linux alone."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            described = file.read()
    except OSError:
        return False
    return "AuthenticAMD" in described and set(described.split()) >= _AVX512


def limit_blas_threads(threads: int = 1) -> None:
    """Set how many threads the BLAS libraries loaded so far use by themselves.

    One: OpenBLAS's own threads spin while they wait, and results change with their
    number, which no checkpoint knows. A backend divides its work itself.
    """
    import threadpoolctl  # noqa: F401 — before modules are counted

    _libraries(_others(len(sys.modules))).limit(limits=threads, user_api="blas")


@lru_cache(1)
def _others(modules: int) -> int:
    """The number of modules that are not ours, where so many are imported."""
    return sum(not name.startswith("nnctl") for name in sys.modules)


@lru_cache(1)
def _libraries(modules: int) -> ThreadpoolController:
    """The libraries that are loaded where so many modules that are not ours are imported.

    To look for libraries is to read the list of all that is mapped. They come with modules of Python; generated
    ones bring none.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
