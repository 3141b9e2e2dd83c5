"""Compiled functions: kinds of launches become object code, once a machine, and addresses in each process."""

from __future__ import annotations

import ctypes
import inspect
import logging
import platform
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from nnctl.backends.cache.store import found_bytes, kept_bytes, key_of
from nnctl.backends.cpu import joint_ir, sharing_ir, walk_ir
from nnctl.backends.cpu.codegen.intrinsics import loader_of
from nnctl.backends.cpu.codegen.kinds import Kind
from nnctl.backends.cpu.codegen.vocabulary import vocabulary
from nnctl.backends.cpu.compiler.entries import module_of
from nnctl.backends.cpu.compiler.helpers import Helper, HelperGoneError
from nnctl.backends.cpu.compiler.marks import is_kernel
from nnctl.backends.cpu.compiler.objects import FOR_LOOPS, addresses, bind, object_code, surroundings
from nnctl.late import dataclass
from nnctl.process.cores import cores
from nnctl.process.signals import leave

log = logging.getLogger("nnctl.compile")

_SILENCE = 2.0
"""Seconds of compiling without a word of how much is left."""

_WORK_A_HELPER = 6_000
"""Work for another process to help, which takes as long to begin as half of that."""
_WORK_A_KIND = 400
"""Work that even the shortest kind takes."""

_NAME = re.compile(r"[^\W\d]\w*")

_loaded: dict[Kind, int] = {}
"""Addresses of this process's functions."""
_begun: list[_Compiling] = []
"""Work that has begun, and that nobody has asked for yet."""


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
        code = _code_of(new, what)
        _loaded.update(zip(new, addresses(code, [_symbol(kind) for kind in new])))
    return Functions({kind: _loaded[kind] for kind in kinds}, meet, clock, walk)


def compile_ahead(kinds: Sequence[Kind], what: str) -> bool:
    """Begin to compile in another process what is new to this machine: `compiled_step` goes on with it.

    It is left for then where that is not worth another process, or no core is free. Gives False where nothing is new.
    """
    new = [kind for kind in kinds if kind not in _loaded and found_bytes("launch", _parts(kind)) is None]
    if new and not _begun:
        compiling = _Compiling(new, [], what, len(kinds))
        if compiling.helpers:
            compiling.begin()
            _begun.append(compiling)
    return bool(new)


@cache
def walker() -> tuple[Any, int, int]:
    """The functions that run tables: the walk, to be called, and the addresses of the barrier and the clock."""
    text = partial(walk_ir.module_text, platform.machine(), linux=sys.platform == "linux")
    walk, meet, clock = bind("walk", text, list(walk_ir.SYMBOLS))
    word = ctypes.c_int64
    return ctypes.CFUNCTYPE(word, word, word, word, word, word, word)(walk), meet, clock


@cache
def sharer() -> Any:
    """The function that runs parts of steps for whoever comes, to be called: see `sharing_ir`."""
    text = partial(sharing_ir.module_text, platform.machine(), linux=sys.platform == "linux")
    (share,) = bind("share", text, list(sharing_ir.SYMBOLS))
    word = ctypes.c_int64
    return ctypes.CFUNCTYPE(word, word, word, word, word, word, word)(share)


@cache
def rows_walker() -> Callable[[int, int], None]:
    """A function that walks through rows of tables, told where they lie and how many they are: see `joint_ir`."""
    (rows,) = bind("joint", joint_ir.module_text, list(joint_ir.SYMBOLS))
    word = ctypes.c_int64
    run = ctypes.CFUNCTYPE(word, word, word, word)(rows)
    return partial(run, ctypes.cast(walker()[0], ctypes.c_void_p).value)


def _code_of(kinds: Sequence[Kind], what: str) -> list[bytes]:
    """The object code of kinds, compiled now or earlier; what their functions call is loaded."""
    while _begun:
        leave(_begun.pop().run)
    found = {kind: found_bytes("launch", _parts(kind)) for kind in kinds}
    missing = [kind for kind, code in found.items() if code is None]
    loaders = _loaders(kinds)
    if not missing:
        for load in loaders:
            load()
        return [code for code in found.values() if code is not None]
    made = leave(_Compiling(missing, loaders, what, len(kinds)).run)
    return [made[kind] if code is None else code for kind, code in found.items()]


class _Compiling:
    """The code of kinds that are new to this machine, with a report on the log.

    loaders: of what they call, to be run beside. kinds: how many the step has. helpers: other processes that the work
    is worth.
    """

    def __init__(self, new: Sequence[Kind], loaders: Sequence[Callable[[], object]], what: str, kinds: int) -> None:
        work = {kind: _work(kind) for kind in new}
        # The longest first, so that all hands come to their end together.
        self._waiting = deque(sorted(new, key=work.__getitem__, reverse=True))
        self._loaders = loaders
        self._what = what
        self._of = f"{len(new)} of {kinds} kind{'' if kinds == 1 else 's'} of launches"
        self.helpers = min(cores(), len(new), 1 + sum(work.values()) // _WORK_A_HELPER) - 1
        self._hands: list[threading.Thread] = []
        self._helping: list[Helper] = []
        self._count = len(new)
        self._made: dict[Kind, bytes] = {}
        self._left_undone: list[Kind] = []
        self._raised: list[Exception] = []
        self._said = time.monotonic()

    def begin(self) -> None:
        """Have other processes compile from now on, as many as the work is worth."""
        log.info("compiling %s, once for this machine: %s", self._what, self._of)
        self._hands = [threading.Thread(target=self._have_helped, daemon=True) for _ in range(self.helpers)]
        for hand in self._hands:
            hand.start()

    def run(self) -> dict[Kind, bytes]:
        """Compile them all: here, and in other processes, if they have begun or there are cores and kinds enough."""
        if not self._hands:
            self.begin()
        try:
            for load in self._loaders:
                load()
            self._work_through(object_code)
        finally:
            self._waiting.clear()
            for helper in self._helping:
                helper.spare()
            for hand in self._hands:
                hand.join()
        self._waiting.extend(self._left_undone)
        self._work_through(object_code)
        if self._raised:
            raise self._raised[0]
        log.info("compiled %s", self._of)
        return self._made

    def _have_helped(self) -> None:
        """Compile what waits in another process. What that leaves undone when it ends is done here."""
        try:
            with Helper() as helper:
                self._helping.append(helper)
                helper.ready()
                self._work_through(helper.code)
        except HelperGoneError:
            if not helper.spared:
                log.info("a process that compiled beside this one has ended early: this one goes on without")
        except Exception as error:  # noqa: BLE001 — raised again by `run`
            self._raised.append(error)

    def _work_through(self, compiled: Callable[[str, int], bytes]) -> None:
        """Compile what waits, until nothing does."""
        while True:
            try:
                kind = self._waiting.popleft()
            except IndexError:
                return
            try:
                self._made[kind] = kept_bytes("launch", _parts(kind), partial(self._compile, kind, compiled))
            except HelperGoneError:
                self._left_undone.append(kind)
                raise

    def _compile(self, kind: Kind, compiled: Callable[[str, int], bytes]) -> bytes:
        if self._made and time.monotonic() - self._said > _SILENCE:
            log.info("compiled %d so far, %d are left", len(self._made), self._count - len(self._made))
            self._said = time.monotonic()
        return compiled(module_of(kind.text, kind.types, _symbol(kind), vocabulary()), FOR_LOOPS)


def _symbol(kind: Kind) -> str:
    """The name of a kind's compiled function."""
    return f"nnctl_{key_of(_parts(kind))}"


def _parts(kind: Kind) -> list[str]:
    return [kind.text, kind.described, surroundings()]


def _work(kind: Kind) -> int:
    """The work of compiling a kind, in letters of generated code: it has no size, but some is more than other."""
    return _WORK_A_KIND + len(kind.text) + sum(len(f.__code__.co_code) for f in _called([kind]) if is_kernel(f))


def _loaders(kinds: Iterable[Kind]) -> list[Callable[[], object]]:
    """The loaders of the symbols that these kinds' functions call, by themselves or through others."""
    found = map(loader_of, _called(kinds))
    return list(dict.fromkeys(load for load in found if load is not None))


def _called(kinds: Iterable[Kind]) -> Iterable[Any]:
    """The functions that these kinds' functions call, by themselves or through others."""
    waiting: list[Any] = []
    for kind in kinds:
        # Parameters and variables are p0, v0 and so on: other names are of the language or of the vocabulary.
        waiting += [vocabulary().get(name) for name in dict.fromkeys(_NAME.findall(kind.text))]
    found: dict[Any, None] = {}
    while waiting:
        function = waiting.pop()
        if not inspect.isfunction(function) or function in found:
            continue
        found[function] = None
        if is_kernel(function):
            waiting += [function.__globals__.get(name) for name in function.__code__.co_names]
    return found
