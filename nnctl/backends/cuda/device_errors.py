"""Errors of CUDA in words: what they mean for a run."""

from __future__ import annotations

import re

from nnctl.errors import DeviceError, DeviceFull, DeviceLost

_NAMED = re.compile(r"(?:cudaError|CUDA_ERROR_)(\w+): (.*)", re.DOTALL)
_ASTRAY = frozenset(
    {
        "assert",
        "hardwarestackerror",
        "illegaladdress",
        "illegalinstruction",
        "invalidaddressspace",
        "invalidpc",
        "misalignedaddress",
    }
)
"""Errors that a kernel makes, and nothing else."""
_GONE = frozenset(
    {
        "contained",
        "devicenotlicensed",
        "devicesunavailable",
        "deviceunavailable",
        "eccuncorrectable",
        "externaldevice",
        "launchfailed",
        "launchfailure",
        "launchtimeout",
        "mpsconnectionfailed",
        "nodevice",
        "nvlinkuncorrectable",
        "systemdrivermismatch",
        "systemnotready",
        "unknown",
    }
)
"""Errors after which every call of this process fails."""
_FULL = frozenset({"memoryallocation", "outofmemory"})


def device_error(number: int, said: str) -> DeviceError | None:
    """The error of device `number` that CUDA's or CuPy's words mean; None where they speak of a call that is wrong.

    said: as "cudaErrorIllegalAddress: an illegal memory access was encountered".
    """
    match = _NAMED.match(said)
    if match is None:
        return None
    name, words = match[1].replace("_", "").lower(), match[2]
    if name in _FULL:
        return DeviceFull(f"device {number} has no memory left\n  a smaller batch takes less")
    if name in _ASTRAY:
        return DeviceLost(
            f"device {number} is lost: {words}\n"
            "  a kernel went where it may not, which is a defect of nnctl; please report it with the spec"
        )
    if name in _GONE:
        return DeviceLost(f"device {number} is lost: {words}\n  nvidia-smi tells how it is")
    return None
