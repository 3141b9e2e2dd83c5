"""The devices of this machine, asked of their driver alone."""

from __future__ import annotations

import ctypes
from functools import cache


@cache
def cuda_devices() -> int:
    """How many CUDA devices the driver knows; 0 where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    ready = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if ready else 0
