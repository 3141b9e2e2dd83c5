"""This machine: its instruction sets, its cores, and the BLAS that SciPy brings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any


@cache
def processor() -> str:
    """LLVM's name of the processor, e.g. "znver5" or "skylake-avx512"."""
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_name())


@cache
def instruction_sets() -> tuple[str, ...]:
    """The extensions that this processor has, by LLVM's names."""
    import llvmlite.binding as llvm

    return tuple(sorted(name for name, present in llvm.get_host_cpu_features().items() if present))


def vector_bits() -> int:
    """Width of the widest vector registers for floats."""
    names = set(instruction_sets())
    return 512 if "avx512f" in names else 256 if "avx" in names else 128


@dataclass(frozen=True)
class Blas:
    """A loaded BLAS library. architecture: the kernels that it chose."""

    name: str
    version: str
    architecture: str
    threads: int


def blas_libraries() -> list[Blas]:
    """The libraries loaded at present: NumPy's and SciPy's are apart."""
    import scipy.linalg.cython_blas  # noqa: F401 — loads the library
    from threadpoolctl import threadpool_info

    found: list[dict[str, Any]] = [i for i in threadpool_info() if i.get("user_api") == "blas"]
    return [
        Blas(str(i["internal_api"]), str(i["version"]), str(i.get("architecture", "unknown")), int(i["num_threads"]))
        for i in found
    ]
