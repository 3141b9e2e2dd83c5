"""The driver of NVIDIA's devices, asked by itself: what it says is known before CuPy is loaded, or installed."""

from __future__ import annotations

import ctypes
from functools import cache

from nnctl.late import dataclass

_NAME = "libcuda.so.1"
_NO_DEVICE = 100
"""CUDA_ERROR_NO_DEVICE"""
_ASKED = ("cuDriverGetVersion", "cuInit", "cuDeviceGetCount", "cuGetErrorString")


@dataclass(frozen=True)
class Driver:
    """A driver that is installed.

    version: of CUDA, the newest that it runs, as (13, 0); (0, 0) where it does not say. devices: how many it knows.
    problem: why it knows none though there may be some, "" where there is no more to say.
    """

    version: tuple[int, int]
    devices: int
    problem: str = ""


@cache
def installed_driver() -> Driver | None:
    """The driver of this machine; None without one."""
    try:
        library = ctypes.CDLL(_NAME)
    except OSError:
        return None
    absent = [name for name in _ASKED if not hasattr(library, name)]
    if absent:
        return Driver((0, 0), 0, f"{_NAME} has no {absent[0]}, as that of a driver has")
    number = ctypes.c_int(0)
    # What a driver answers here is known before it has started.
    status = library.cuDriverGetVersion(ctypes.byref(number))
    if status:
        return Driver((0, 0), 0, f"it does not tell its version: {_words(library, status)}")
    version = (number.value // 1000, number.value % 1000 // 10)
    status = library.cuInit(0)
    if status == 0:
        status = library.cuDeviceGetCount(ctypes.byref(number))
    if status in (0, _NO_DEVICE):
        return Driver(version, number.value if status == 0 else 0)
    return Driver(version, 0, _words(library, status))


def _words(library: ctypes.CDLL, status: int) -> str:
    words = ctypes.c_char_p()
    library.cuGetErrorString(status, ctypes.byref(words))
    return (words.value or f"error {status}".encode()).decode()
