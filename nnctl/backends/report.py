"""This machine and its backends in rows: processor, libraries, limits, the cache of compiled code."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nnctl import __version__
from nnctl.backends.blas import kernels_asked_for
from nnctl.backends.cache.private import cache_root
from nnctl.backends.cache.pruning import MOST_BYTES, entries
from nnctl.backends.contract import Finding
from nnctl.backends.limits import copy_limit, product_limit
from nnctl.backends.machine import blas_libraries, instruction_limit, instruction_sets, processor, vector_bits
from nnctl.backends.registry import available, by_rank
from nnctl.process.cores import cores
from nnctl.process.system import system

_LIBRARIES = ("numpy", "scipy")
"""Those that every backend computes with; others are named by their backends."""
_VECTORS = ("avx512f", "avx512bf16", "avx2", "fma", "avx", "sse4.2", "neon", "sve")
"""Instruction sets worth naming: those that decide how wide the kernels are."""


def report() -> list[Finding]:
    """Everything about this machine that decides how fast a net trains. Takes about a second."""
    return [*_versions(), *_processor(), *_blas(), *_speed(), _cache(), *_backends()]


def _versions() -> list[Finding]:
    found = [Finding("nnctl", __version__), Finding("Python", platform.python_version(), system())]
    for name in (*_LIBRARIES, *(library for cls in reversed(by_rank()) for library in cls.libraries)):
        try:
            found.append(Finding(name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def _processor() -> list[Finding]:
    limit = instruction_limit()
    present = [name for name in _VECTORS if name in instruction_sets()]
    return [
        Finding("processor", processor(), ", ".join(present)),
        Finding("vector registers", f"{vector_bits()} bits", f"limited by NNCTL_INSTRUCTIONS={limit}" if limit else ""),
    ]


def _blas() -> list[Finding]:
    return [
        Finding("BLAS", f"{library.name} {library.version}, {library.architecture} kernels", kernels_asked_for())
        for library in blas_libraries()
    ]


def _speed() -> list[Finding]:
    words = "float32 products of BLAS, 1024×1024×1024, best of several"
    one = Finding("limit of one core", f"{product_limit(1) / 1e9:.0f} GFLOP/s", words)
    copied = Finding("copying memory", f"{copy_limit() / 1e9:.0f} GB/s", "one thread, 64 MiB read and written")
    if cores() == 1:
        return [one, copied]
    return [one, Finding(f"limit of {cores()} cores", f"{product_limit(cores()) / 1e9:.0f} GFLOP/s", words), copied]


def _cache() -> Finding:
    root = cache_root()
    if root is None:
        return Finding("compiled code", "not kept", "every run compiles anew; set NNCTL_CACHE to a folder of your own")
    if not os.access(root, os.W_OK):
        return Finding("compiled code", str(root), "cannot be written: every run compiles anew; set NNCTL_CACHE")
    return Finding("compiled code", str(root), f"writable, {_entries(root)} kept; NNCTL_CACHE moves it")


def _entries(root: Path) -> str:
    found = list(entries(root))
    megabytes = sum(entry.bytes for entry in found) / 1e6
    return f"{len(found)} file{'' if len(found) == 1 else 's'} ({megabytes:.1f} MB of {MOST_BYTES / 1e6:.0f})"


def _backends() -> list[Finding]:
    found: list[Finding] = []
    for component, backend in available():
        name = f"backend {component.type}"
        if isinstance(backend, str):
            found.append(Finding(name, "absent", backend))
        else:
            found += [Finding(name, "available", backend.resources.words), *backend.describe()]
    return found
