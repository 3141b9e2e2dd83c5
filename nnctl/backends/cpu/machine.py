"""This machine: its instruction sets, its cores, and the BLAS that SciPy brings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CORETYPE = "OPENBLAS_CORETYPE"
_AVX512 = ("avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd")


def prefer_wide_kernels() -> None:
    """Have OpenBLAS use its AVX-512 kernels on AMD processors that have the instructions.

    OpenBLAS does not know the newer ones and falls back to AVX2, at half the
    speed. Works only before the library is loaded; a setting of the user's stays.
    """
    if _CORETYPE not in os.environ and wants_wide_kernels():
        os.environ[_CORETYPE] = "SKYLAKEX"


def wants_wide_kernels() -> bool:
    """Whether the processor is one that OpenBLAS underrates."""
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "AuthenticAMD" in described and set(_AVX512) <= set(described.split())


def processor() -> str:
    """LLVM's name of the processor, e.g. "znver5" or "skylake-avx512"."""
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_name())


def instruction_sets() -> tuple[str, ...]:
    """The extensions that this processor has, by LLVM's names."""
    import llvmlite.binding as llvm

    return tuple(sorted(name for name, present in llvm.get_host_cpu_features().items() if present))


def vector_bits() -> int:
    """Width of the widest vector registers for floats."""
    names = set(instruction_sets())
    return 512 if "avx512f" in names else 256 if "avx" in names else 128


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Blas:
    """A loaded BLAS library. architecture: the kernels that it chose."""

    name: str
    version: str
    architecture: str
    threads: int


def blas_libraries() -> list[Blas]:
    """What is loaded at present: NumPy's and SciPy's are apart."""
    import scipy.linalg.cython_blas  # noqa: F401 — loads the library
    from threadpoolctl import threadpool_info

    found: list[dict[str, Any]] = [i for i in threadpool_info() if i.get("user_api") == "blas"]
    return [
        Blas(str(i["internal_api"]), str(i["version"]), str(i.get("architecture", "unknown")), int(i["num_threads"]))
        for i in found
    ]
