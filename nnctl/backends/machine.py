"""This machine: its instruction sets, its cores, and the BLAS that SciPy brings."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from nnctl.errors import UsageError
from nnctl.late import dataclass

_VARIABLE = "NNCTL_INSTRUCTIONS"
_WIDER = {"avx2": ("avx512", "avx10", "amx", "evex512")}
"""Beginnings of LLVM's names of the extensions that are left out, by the limit that is asked for."""


def instruction_limit() -> str | None:
    """The widest instructions that may be used, as $NNCTL_INSTRUCTIONS says; None for all. Raises UsageError."""
    asked = os.environ.get(_VARIABLE) or None
    if asked is not None and asked not in _WIDER:
        raise UsageError(f"{_VARIABLE} is {asked!r}; it can be {' or '.join(_WIDER)}, or unset")
    return asked


@cache
def processor() -> str:
    """LLVM's name of the processor, e.g. "znver5" or "skylake-avx512"."""
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_name())


@cache
def instruction_sets() -> tuple[str, ...]:
    """The extensions that this processor has and that may be used, by LLVM's names. Raises UsageError."""
    return tuple(sorted(name for name, used in _extensions().items() if used))


def llvm_features() -> str:
    """The extensions, as LLVM is told of them: those with a plus are used. Raises UsageError."""
    return ",".join(f"{'+' if used else '-'}{name}" for name, used in _extensions().items())


def _extensions() -> dict[str, bool]:
    """All that LLVM knows for this kind of processor, and whether they are here and may be used."""
    import llvmlite.binding as llvm

    wider = _WIDER.get(instruction_limit() or "", ())
    return {name: there and not name.startswith(wider) for name, there in llvm.get_host_cpu_features().items()}


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
