"""A generated function run as Python, thread by thread, with every access to memory written down.

What two threads touch between two barriers must not overlap where one of them
writes. The compiled function cannot be asked; its source can: it is a Python
program whose arrays are replaced by windows that keep a record. Functions of
the library run as they are, on what their windows show.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nnctl.backends.constants import constants_of
from nnctl.backends.cpu.codegen.intrinsics import gemm
from nnctl.backends.cpu.codegen.source import generate
from nnctl.plan.plan import Plan

Array = NDArray[Any]
DTYPES = {"real": np.float32, "index": np.int64, "uint8": np.uint8}
SCRATCH = "the threads' scratch"


@dataclass
class Record:
    """Bytes touched, by memory, phase and thread."""

    reads: dict[tuple[str, int, int], Array] = field(default_factory=dict)
    writes: dict[tuple[str, int, int], Array] = field(default_factory=dict)
    # Held by one write at a time: what a function wrote is told apart from what another thread wrote meanwhile.
    writing: threading.Lock = field(default_factory=threading.Lock)

    def races(self) -> list[str]:
        """In words, each pair of threads of which one writes what the other touches in the same phase."""
        found = []
        for memory, phase, thread in sorted(self.writes):
            written = self.writes[memory, phase, thread]
            for kind, touched in (("reads", self.reads), ("writes", self.writes)):
                for other in sorted({t for m, p, t in touched if (m, p) == (memory, phase) and t != thread}):
                    common = np.flatnonzero(written & touched[memory, phase, other])
                    if len(common):
                        found.append(
                            f"phase {phase}: thread {thread} writes byte {common[0]} of {memory}, "
                            f"which thread {other} {kind}"
                        )
        return found


class Place(threading.local):
    """Which thread runs, and how many barriers it has passed."""

    thread = 0
    phase = 0


@dataclass
class Memory:
    """An array of the function's arguments."""

    name: str
    bytes: Array
    record: Record
    place: Place

    def touch(self, kind: dict[tuple[str, int, int], Array], start: int, stop: int) -> None:
        key = (self.name, self.place.phase, self.place.thread)
        if key not in kind:
            kind[key] = np.zeros(self.bytes.size, bool)
        kind[key][start:stop] = True


class Window:
    """What `window1` … `window4` give: elements of a memory, under a shape."""

    def __init__(self, memory: Memory, dtype: Any, start: int, shape: tuple[int, ...]) -> None:
        self.memory, self.dtype, self.start, self.shape = memory, np.dtype(dtype), int(start), shape
        self.size = int(np.prod(shape))
        item = self.dtype.itemsize
        self.first = self.start * item
        self.stop = self.first + self.size * item
        if self.size and not 0 <= self.first <= self.stop <= memory.bytes.size:
            raise IndexError(f"a window on bytes {self.first} to {self.stop} of {memory.bytes.size} of {memory.name}")
        self.array = memory.bytes[self.first : self.stop].view(self.dtype).reshape(shape)

    def __getitem__(self, index: Any) -> Any:
        place = self._at(index)
        self.memory.touch(self.memory.record.reads, place, place + self.dtype.itemsize)
        value = self.array[index]
        return int(value) if self.dtype.kind in "iu" else value

    def __setitem__(self, index: Any, value: Any) -> None:
        place = self._at(index)
        self.memory.touch(self.memory.record.writes, place, place + self.dtype.itemsize)
        with self.memory.record.writing:
            self.array[index] = value

    def _at(self, index: Any) -> int:
        entries = index if isinstance(index, tuple) else (index,)
        if not all(0 <= i < n for i, n in zip(entries, self.shape, strict=True)):
            raise IndexError(f"{entries} in {self.memory.name} of shape {self.shape}")
        return self.first + int(np.ravel_multi_index([int(i) for i in entries], self.shape)) * self.dtype.itemsize


@dataclass
class Replayed:
    completed: int
    outputs: dict[str, Array]
    storage: dict[str, Array]
    record: Record


def replay(plan: Plan, storage: Mapping[str, Array], feeds: Mapping[str, Array], steps: int, threads: int) -> Replayed:
    """Run a plan's generated function on copies of what is stored."""
    source = generate(plan)
    record, place = Record(), Place()
    kept = {key: np.array(array, order="C") for key, array in storage.items()}
    constants = constants_of(plan, kept, np.asarray)
    results = {name: np.zeros((steps, *slot.shape), DTYPES[slot.dtype]) for name, slot in plan.outputs.items()}

    def whole(name: str, array: Array) -> Window:
        flat = array.reshape(-1)
        return Window(Memory(name, flat.view(np.uint8), record, place), flat.dtype, 0, (flat.size,))

    arena = Memory("the arena", np.zeros(-(-max(plan.arena_bytes, 64) // 64) * 64, np.uint8), record, place)
    arguments = [
        Window(Memory("the counters", np.zeros(512, np.uint8), record, place), np.int64, 0, (64,)),
        whole("the clock", np.zeros(len(plan.launches) or 1, np.int64)),
        *(Window(arena, kind, 0, (arena.bytes.size // np.dtype(kind).itemsize,)) for kind in DTYPES.values()),
        whole(SCRATCH, np.zeros(source.scratch * threads, np.float32)),
        source.offsets or (0,),
        [np.float32(n) for n in source.numbers or (0.0,)],
        *(whole(key, np.ascontiguousarray(feeds[key])) for key in source.feeds),
        *(whole(key, kept[key]) for key in source.storage),
        *(whole(f"constant {key}", constants[key]) for key in source.constants),
        *(whole(f"output {name}", results[name]) for name in source.outputs),
    ]
    barrier = threading.Barrier(threads)

    def wait(counters: Any, number: int) -> None:
        barrier.wait(60)
        place.phase += 1

    run = _python(source.text, wait)

    def one(thread: int) -> int:
        place.thread, place.phase = thread, 0
        completed = None
        try:
            with np.errstate(all="ignore"):
                completed = run(thread, threads, steps, plan.batch, *arguments)
        finally:
            if completed is None:
                barrier.abort()
        return completed

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(one, thread) for thread in range(threads)]
    # Where one thread failed, the others were only told of it.
    errors = [e for e in (f.exception() for f in futures) if not isinstance(e, threading.BrokenBarrierError)]
    for error in filter(None, errors):
        raise error
    completed = {future.result() for future in futures}
    assert len(completed) == 1, "the threads disagree on when to stop"
    done = completed.pop()
    return Replayed(done, {name: array[:done] for name, array in results.items()}, kept, record)


def _python(text: str, wait: Callable[[Any, int], None]) -> Any:
    """The function `run` of a generated module, its arrays windows."""
    tree = ast.parse(text)
    names: dict[str, Any] = {"math": import_module("math")}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            module = import_module(str(node.module))
            names |= {alias.name: _watched(alias.name, getattr(module, alias.name)) for alias in node.names}
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    for rank in range(1, 5):
        names[f"window{rank}"] = lambda base, start, *shape: Window(base.memory, base.dtype, base.start + start, shape)
    names |= {"barrier": wait, "prefetch": lambda table, row: None, "compiled": lambda function: function}
    exec(compile(tree, "<generated>", "exec"), names)
    return names["run"]


@njit
def _product(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, scratch, spans, span):  # type: ignore[no-untyped-def]
    gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, scratch, spans, span)


def _watched(name: str, function: Any) -> Any:
    """A library function that is told of windows: it sees their arrays, and what it may touch is recorded.

    It reads all that it is shown, and writes the last of it, its thread's scratch apart; if that is a tuple, all of it.
    A sum and a norm write nothing, and give a number.
    """
    if not callable(function) or isinstance(function, type):
        return function
    if name == "gemm":
        function = _product

    def call(*arguments: Any) -> Any:
        *first, last = arguments or (None,)
        several = last if isinstance(last, tuple) else (last,)
        windows = [a for a in (*first, *several) if isinstance(a, Window)]
        if not windows:
            return function(*arguments)
        shown = [w for w in windows if w.memory.name != SCRATCH]
        written = {"total": [], "norm": []}.get(name, several if several is last else shown[-1:])
        with windows[0].memory.record.writing:
            before = [w.array.copy() for w in windows]
            arrays = [a.array if isinstance(a, Window) else a for a in first]
            results = tuple(a.array if isinstance(a, Window) else a for a in several)
            result = function(*arrays, results if several is last else results[0])
            after = [w.array.copy() for w in windows]
        for window, old, new in zip(windows, before, after, strict=True):
            memory = window.memory
            memory.touch(memory.record.reads, window.first, window.stop)
            if any(window is w for w in written):
                memory.touch(memory.record.writes, window.first, window.stop)
            elif memory.name != SCRATCH:
                shared = any(w.memory is memory for w in written)
                assert shared or np.array_equal(old, new, equal_nan=True), f"{name} writes {memory.name}"
        return result

    return call
