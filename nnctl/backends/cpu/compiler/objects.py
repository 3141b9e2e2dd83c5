"""Object code: IR compiled for this processor once, kept on disk, bound to its symbols in each process."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy

from nnctl.backends.cache.store import kept_bytes, key_of
from nnctl.backends.cpu.compiler.machine_code import code_for, machine_of
from nnctl.backends.machine import instruction_sets, llvm_features, processor

AS_WRITTEN = 0
"""The level for IR that was written out by hand, vectors and registers included: whatever rewrites it takes three times
as long to compile, and may take away what was written for: at 256 bits a product is half as fast again without."""
FOR_LOOPS = 1
"""The level for what the compiler of kernels writes: loops become vectors. The levels above take half as long again,
the same bits come out, and no step of the benchmarks is faster."""
_engines: list[Any] = []
"""Engines: they keep loaded code in memory, for as long as the process lives."""


def target() -> list[str]:
    """The part of a key that LLVM's code for this processor depends on."""
    return [llvmlite.__version__, processor(), *instruction_sets()]


def _new_machine() -> Any:
    return machine_of(processor(), llvm_features())


@cache
def _machine() -> Any:
    """The one that writes code: an engine takes possession of the one that it is given."""
    return _new_machine()


def object_code(text: str, level: int, machine: Any = None) -> bytes:
    """A module of IR as machine code, for this processor unless LLVM's `machine` is given. level: see `code_for`."""
    return code_for(text, level, machine or _machine())


def addresses(code: list[bytes], symbols: list[str]) -> list[int]:
    """The addresses of functions, once the object files that hold them are loaded."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _new_machine())
    for each in code:
        engine.add_object_file(llvm.ObjectFileRef.from_data(each))
    engine.finalize_object()
    _engines.append(engine)
    return [engine.get_function_address(symbol) for symbol in symbols]


@cache
def surroundings() -> str:
    """The key of what all code of the backend depends on: this processor, and the sources of what writes code."""
    return key_of([sys.version, numpy.__version__, sys.platform, platform.machine(), *target(), *sources()])


def sources() -> tuple[bytes, ...]:
    """The sources of everything that writes code or is called by it."""
    here = Path(__file__).parents[1]
    return tuple(path.read_bytes() for path in sorted(here.rglob("*.py")))


def bind(name: str, write: Callable[[], str], symbols: list[str]) -> list[int]:
    """Bind symbols to a module's functions, compiled for this processor now or earlier; their addresses.

    name: of the file in the cache, and of no other module's. write: gives the module's text, where it is to be
    compiled.
    """
    code = kept_bytes(name, [surroundings(), *symbols], lambda: object_code(write(), AS_WRITTEN))
    found = addresses([code], symbols)
    for symbol, address in zip(symbols, found):
        llvm.add_symbol(symbol, address)
    return found
