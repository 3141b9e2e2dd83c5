"""The operating system that this process runs on."""

from __future__ import annotations

import os
import platform
import sys


def system() -> str:
    """The system in words: "Linux-6.1.0-x86_64-with-glibc2.36".

    `platform.platform()` has the same, and on Linux starts a process to ask for the processor's name.
    """
    if sys.platform != "linux":
        return platform.platform()
    found = os.uname()
    return "-".join(filter(None, (found.sysname, found.release, found.machine, "with", "".join(platform.libc_ver()))))
