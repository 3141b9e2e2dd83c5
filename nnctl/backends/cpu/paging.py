"""Pages of large arrays: the system gives them, zeroed, when they are first written to, or before, beside others."""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
from typing import Any

from numpy.typing import NDArray

from nnctl.backends.cpu.layouts import address_of
from nnctl.process.cores import c_library, cores

_LARGE = 16 << 20
"""Bytes from which on that takes longer than a thread takes to begin."""
_POPULATE_WRITE = 23
"""MADV_POPULATE_WRITE of Linux, from 5.14 on: pages are there as if they had been written to, with what they hold."""


def have_given(array: NDArray[Any]) -> None:
    """Have the system give the pages of a large array on a thread beside this one, where it can, and a core is free.

    Nothing of the array changes: whoever writes to it need not wait. The thread keeps it in memory until then.
    """
    if array.nbytes < _LARGE or sys.platform != "linux" or cores() == 1:
        return
    first = -(-address_of(array) // mmap.PAGESIZE) * mmap.PAGESIZE
    size = (address_of(array) + array.nbytes - first) // mmap.PAGESIZE * mmap.PAGESIZE
    threading.Thread(target=_give, args=(array, first, size), daemon=True).start()


def _give(_kept: NDArray[Any], first: int, size: int) -> None:
    """Have pages given, of an array that stays in memory until then. An older system refuses, and gives them later."""
    c_library().madvise(ctypes.c_void_p(first), ctypes.c_size_t(size), _POPULATE_WRITE)
