"""Compiled functions: kinds of launches become object code, once a machine, and addresses in each process."""

from __future__ import annotations

import ast
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
from nnctl.backends.cpu.compiler.functions import Translator
from nnctl.backends.cpu.compiler.marks import is_kernel
from nnctl.backends.cpu.compiler.objects import addresses, bind, object_code, target
from nnctl.backends.cpu.compiler.types import Array, NoneType, Scalar, Value

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
        counter = _Counter(len(new), what)
        names = [f"nnctl_{key_of(_parts(kind))}" for kind in new]
        code = [
            kept_bytes("launch", _parts(kind), lambda kind=kind, name=name: counter.compile(kind, name))  # type: ignore[misc]
            for kind, name in zip(new, names)
        ]
        counter.end()
        _loaded.update(zip(new, addresses(code, names)))
    return Functions({kind: _loaded[kind] for kind in kinds}, meet, clock, walk)


@cache
def walker() -> tuple[Any, int, int]:
    """The functions that run tables: the walk, to be called, and the addresses of the barrier and the clock."""
    text = walk_ir.module_text(platform.machine(), linux=sys.platform == "linux")
    walk, meet, clock = bind("walk", text, list(walk_ir.SYMBOLS))
    word = ctypes.c_int64
    return ctypes.CFUNCTYPE(word, word, word, word, word, word, word)(walk), meet, clock


class _Counter:
    """A report on the log, while kinds are compiled: what, how far it has come every other second, and the end."""

    def __init__(self, kinds: int, what: str) -> None:
        self._kinds = kinds
        self._what = what
        self._compiled = 0
        self._said = time.monotonic()

    def compile(self, kind: Kind, name: str) -> bytes:
        if not self._compiled:
            log.info("compiling %s, once for this machine: of %d kinds of launches those that are new", self._what,
                     self._kinds)  # fmt: skip
        code = object_code(module_of(kind, name), 3)
        self._compiled += 1
        if time.monotonic() - self._said > _SILENCE:
            self._said = time.monotonic()
            log.info("compiled %d kinds so far, at most %d are left", self._compiled, self._kinds - self._compiled)
        return code

    def end(self) -> None:
        if self._compiled:
            log.info("compiled %d of %d kinds", self._compiled, self._kinds)


def module_of(kind: Kind, name: str) -> str:
    """The IR of a kind's function, i64 name(ptr arguments): a number is a word, an array its address and lengths."""
    translator = Translator()
    tree = ast.parse(kind.text).body[0]
    assert isinstance(tree, ast.FunctionDef)
    lines: list[str] = []
    values: list[Value] = []
    types: list[str] = []
    registers: list[str] = []
    words = 0

    def word(ir: str) -> str:
        nonlocal words
        address = f"%at{words}"
        register = f"%w{words}"
        lines.append(f"  {address} = getelementptr i64, ptr %arguments, i64 {words}")
        lines.append(f"  {register} = load {ir}, ptr {address}, align 8")
        words += 1
        types.append(ir)
        registers.append(register)
        return register

    for number, axes in kind.types:
        if axes:
            pointer = word("ptr")
            values.append(Array(number, pointer, tuple(word("i64") for _ in range(axes))))
        else:
            values.append(Scalar(number, word(number.ir)))
    function, result = translator.define("launch", tree, vocabulary(), values)
    given = ", ".join(f"{ir} {register}" for ir, register in zip(types, registers))
    if isinstance(result, NoneType):
        end = [f"  call void @{function}({given})", "  ret i64 0"]
    else:
        end = [f"  %status = call i64 @{function}({given})", "  ret i64 %status"]
    entry = "\n".join([f"define i64 @{name}(ptr %arguments) nounwind {{", *lines, *end, "}"])
    return f"{translator.module.text()}\n{entry}\n"


def _parts(kind: Kind) -> list[str | bytes]:
    return [kind.text, kind.described, _fixed_part()]


@cache
def _fixed_part() -> str:
    """What is the same for all kinds, as one word: the sources are long, and the kinds many."""
    return key_of([sys.version, numpy.__version__, *target(), *_sources()])


@cache
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
