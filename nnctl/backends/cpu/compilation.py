"""Compiled functions: kinds of launches become object code, once a machine, and addresses in each process."""

from __future__ import annotations

import ctypes
import inspect
import logging
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy

from nnctl.backends.cache.store import kept_bytes, key_of
from nnctl.backends.cpu import walk_ir
from nnctl.backends.cpu.codegen.intrinsics import loader_of
from nnctl.backends.cpu.codegen.kinds import Kind
from nnctl.backends.cpu.codegen.vocabulary import vocabulary
from nnctl.backends.cpu.compiler.entries import module_of
from nnctl.backends.cpu.compiler.marks import is_kernel
from nnctl.backends.cpu.compiler.objects import addresses, bind, object_code, target

log = logging.getLogger("nnctl.compile")

_SILENCE = 2.0
"""Seconds of compiling without a word of how much is left."""

_loaded: dict[Kind, int] = {}
"""Addresses of this process's functions."""


@dataclass(frozen=True)
class Functions:
    """Compiled functions. kinds, meet, clock: addresses, of each kind, the barrier, the clock. walk: to be called."""

    kinds: Mapping[Kind, int]
    meet: int
    clock: int
    walk: Any


def compiled_step(kinds: Sequence[Kind], what: str) -> Functions:
    """The functions of a step, compiled now or earlier.

    what: says on the log what is compiled.
    """
    walk, meet, clock = walker()
    new = [kind for kind in kinds if kind not in _loaded]
    if new:
        for load in _loaders(new):
            load()
        compiling = _Compiling(len(new), what)
        names = [f"nnctl_{key_of(_parts(kind))}" for kind in new]
        code = [compiling.code(kind, name) for kind, name in zip(new, names)]
        compiling.end()
        _loaded.update(zip(new, addresses(code, names)))
    return Functions({kind: _loaded[kind] for kind in kinds}, meet, clock, walk)


@cache
def walker() -> tuple[Any, int, int]:
    """The functions that run tables: the walk, to be called, and the addresses of the barrier and the clock."""
    text = walk_ir.module_text(platform.machine(), linux=sys.platform == "linux")
    walk, meet, clock = bind("walk", text, list(walk_ir.SYMBOLS))
    word = ctypes.c_int64
    return ctypes.CFUNCTYPE(word, word, word, word, word, word, word)(walk), meet, clock


class _Compiling:
    """The code of a step's kinds, with a report on the log where any is compiled. kinds: how many there are."""

    def __init__(self, kinds: int, what: str) -> None:
        self._kinds = f"{kinds} kind{'' if kinds == 1 else 's'} of launches"
        self._what = what
        self._compiled = 0
        self._left = kinds
        self._said = time.monotonic()

    def code(self, kind: Kind, name: str) -> bytes:
        """The object code of a kind's function of that name, compiled now or earlier."""
        self._left -= 1
        return kept_bytes("launch", _parts(kind), lambda: self._compile(kind, name))

    def _compile(self, kind: Kind, name: str) -> bytes:
        if not self._compiled:
            log.info("compiling %s, once for this machine: what is new of %s", self._what, self._kinds)
        elif time.monotonic() - self._said > _SILENCE:
            log.info("compiled %d so far, of %s at most %d are left", self._compiled, self._kinds, self._left + 1)
            self._said = time.monotonic()
        self._compiled += 1
        return object_code(module_of(kind.text, kind.types, name, vocabulary()), 3)

    def end(self) -> None:
        """Say how many were compiled."""
        if self._compiled:
            log.info("compiled %d of %s", self._compiled, self._kinds)


def _parts(kind: Kind) -> list[str]:
    return [kind.text, kind.described, _surroundings()]


@cache
def _surroundings() -> str:
    """The key of what every kind depends on."""
    return key_of([sys.version, numpy.__version__, *target(), *_sources()])


def _sources() -> tuple[bytes, ...]:
    """The sources of everything that writes code or is called by it."""
    here = Path(__file__).parent
    return tuple(path.read_bytes() for path in sorted(here.rglob("*.py")))


def _loaders(kinds: Iterable[Kind]) -> list[Callable[[], object]]:
    """The loaders of the symbols that these kinds' functions call, by themselves or through others."""
    waiting: list[Any] = []
    for kind in kinds:
        code = compile(kind.text, "<kind>", "exec").co_consts[0]
        waiting += [vocabulary().get(name) for name in code.co_names]
    seen: set[Any] = set()
    found: dict[Callable[[], object], None] = {}
    while waiting:
        function = waiting.pop()
        if not inspect.isfunction(function) or function in seen:
            continue
        seen.add(function)
        load = loader_of(function)
        if load is not None:
            found[load] = None
        elif is_kernel(function):
            waiting += [function.__globals__.get(name) for name in function.__code__.co_names]
    return list(found)
