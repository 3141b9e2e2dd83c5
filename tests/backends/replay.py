"""Generated functions run as Python, thread by thread, with every access to memory written down.

What two threads touch between two barriers must not overlap where one of them
writes. The compiled functions cannot be asked; their source can: it is Python,
whose arrays are replaced by windows that keep a record. Functions of the library
run compiled, on what their windows show.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backends import compiled_calls
from nnctl.backends.constants import constants_of
from nnctl.backends.cpu.codegen.dialect import FUNCTIONS
from nnctl.backends.cpu.codegen.entries import Barrier
from nnctl.backends.cpu.codegen.intrinsics import loader_of
from nnctl.backends.cpu.codegen.parameters import (
    ArrayParameter,
    BoundParameter,
    FloatParameter,
    NumbersParameter,
    Parameter,
    ScratchParameter,
    WholeParameter,
)
from nnctl.backends.cpu.codegen.source import generate
from nnctl.backends.cpu.codegen.vocabulary import vocabulary
from nnctl.backends.cpu.compiler.marks import is_kernel
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


@dataclass
class Arrays:
    """What the slots of a step lie in."""

    arena: Memory
    storage: dict[str, Memory]
    constants: dict[str, Memory]
    feeds: dict[str, Memory]
    outputs: dict[str, Memory]
    scratch: list[Memory]
    private: list[dict[int, Memory]]


def replay(plan: Plan, storage: Mapping[str, Array], feeds: Mapping[str, Array], steps: int, threads: int) -> Replayed:
    """Run a plan's generated functions on copies of what is stored."""
    source = generate(plan)
    record, place = Record(), Place()
    kept = {key: np.array(array, order="C") for key, array in storage.items()}
    constants = constants_of(plan, kept, np.asarray)
    results = {name: np.zeros((steps, *slot.shape), DTYPES[slot.dtype]) for name, slot in plan.outputs.items()}

    def memory(name: str, array: Array) -> Memory:
        return Memory(name, array.reshape(-1).view(np.uint8), record, place)

    arrays = Arrays(
        memory("the arena", np.zeros(-(-max(plan.arena_bytes, 64) // 64) * 64, np.uint8)),
        {key: memory(key, kept[key]) for key in source.keys("storage")},
        {key: memory(f"constant {key}", constants[key]) for key in source.keys("constant")},
        {key: memory(key, np.ascontiguousarray(feeds[key])) for key in source.keys("feed")},
        {name: memory(f"output {name}", results[name]) for name in plan.outputs},
        [memory(SCRATCH, np.zeros(source.scratch, np.float32)) for _ in range(threads)],
        [
            {offset: memory(f"a number of thread {t}", np.zeros(8, np.uint8)) for offset in source.private}
            for t in range(threads)
        ],
    )
    barrier = threading.Barrier(threads)
    functions = {kind: _python(kind.text) for kind in source.kinds}

    def run(thread: int) -> int:
        for step in range(steps):
            for entry in source.entries:
                if isinstance(entry, Barrier):
                    barrier.wait(60)
                    place.phase += 1
                elif thread == 0 or not entry.alone:
                    passed = [_value(p, arrays, step, steps, thread, threads) for p in entry.passed]
                    if functions[entry.kind](*passed):
                        return step
        return steps

    def one(thread: int) -> int:
        place.thread, place.phase = thread, 0
        completed = None
        try:
            with np.errstate(all="ignore"):
                completed = run(thread)
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


def _value(parameter: Parameter, arrays: Arrays, step: int, steps: int, thread: int, threads: int) -> Any:
    """What a thread passes for a parameter in a step."""
    match parameter:
        case WholeParameter():
            return parameter.value
        case FloatParameter():
            return np.float32(parameter.value)
        case NumbersParameter():
            return np.array(parameter.values, np.float32)
        case BoundParameter():
            return parameter.cut.bounds(thread, threads)[parameter.last]
        case ScratchParameter():
            memory = arrays.scratch[thread]
            return Window(memory, np.float32, 0, (memory.bytes.size // 4,))
        case ArrayParameter():
            return _window(parameter, arrays, step, steps, thread, threads)


def _window(parameter: ArrayParameter, arrays: Arrays, step: int, steps: int, thread: int, threads: int) -> Window:
    slot = parameter.slot
    dtype = np.dtype(DTYPES[slot.dtype])
    rest = math.prod(parameter.lengths)
    first, last = (0, slot.shape[0] if slot.shape else 1)
    if parameter.cut is not None:
        first, last = parameter.cut.bounds(thread, threads)
    start = first * parameter.inner
    shape = ((last - first) * parameter.inner // max(1, rest), *parameter.lengths)
    if parameter.of == "table":
        memory = arrays.storage[slot.key]
        return Window(memory, dtype, 0, (memory.bytes.size // dtype.itemsize // max(1, rest), *parameter.lengths))
    if parameter.of == "output":
        return Window(arrays.outputs[parameter.output], dtype, step * math.prod(slot.shape) + start, shape)
    if slot.place == "feed":
        read = min(step + 1, steps - 1) if parameter.of == "following" else step
        return Window(arrays.feeds[slot.key], dtype, read * math.prod(slot.shape) + start, shape)
    if parameter.private:
        return Window(arrays.private[thread][slot.offset], dtype, 0, (1,))
    if slot.place == "arena":
        return Window(arrays.arena, dtype, slot.offset // dtype.itemsize + start, shape)
    return Window((arrays.storage if slot.place == "storage" else arrays.constants)[slot.key], dtype, start, shape)


def _python(text: str) -> Any:
    """The function of a kind, its functions watched."""
    names: dict[str, Any] = {name: _watched(name, known) for name, known in vocabulary().items()}
    for rank in range(1, 5):
        names[f"window{rank}"] = lambda base, start, *shape: Window(base.memory, base.dtype, base.start + start, shape)
    names["prefetch"] = lambda table, row, byte: None
    exec(compile(text, "<generated>", "exec"), names)
    return names["launch"]


Rows: TypeAlias = dict[int, list[tuple[int, int]]]
"""First and one-past-last byte of each row of a matrix, by the identity of the window that shows it."""
GIVING = {"total", "norm", *(function.__name__ for function in FUNCTIONS)}
"""Functions that write nothing, and give a number."""


def _watched(name: str, function: Any) -> Any:
    """A library function that is told of windows: it sees their arrays, and what it may touch is recorded.

    It reads all that it is shown, and writes the last of it, its thread's scratch apart; if that is a tuple, all of it.
    Of the matrices of a product these are their rows, not what lies between them.
    """
    if not is_kernel(function) and loader_of(function) is None:
        return function

    def call(*arguments: Any) -> Any:
        *first, last = arguments
        several = last if isinstance(last, tuple) else (last,)
        windows = [a for a in (*first, *several) if isinstance(a, Window)]
        if not windows:
            return compiled_calls.result(name, *arguments)
        shown = [w for w in windows if w.memory.name != SCRATCH]
        written = [] if name in GIVING else several if several is last else shown[-1:]
        with windows[0].memory.record.writing:
            before = [w.array.copy() for w in windows]
            given = [_array(a) for a in arguments]
            result = compiled_calls.result(name, *given) if name in GIVING else compiled_calls.call(name, *given)
            after = [w.array.copy() for w in windows]
        rows = _rows_of_product(*arguments) if name == "gemm" else {}
        for window, old, new in zip(windows, before, after, strict=True):
            memory = window.memory
            touched = rows.get(id(window), [(window.first, window.stop)])
            for start, stop in touched:
                memory.touch(memory.record.reads, start, stop)
            if any(window is w for w in written):
                for start, stop in touched:
                    memory.touch(memory.record.writes, start, stop)
                between = np.ones(window.array.nbytes, bool)
                for start, stop in touched:
                    between[start - window.first : stop - window.first] = False
                same = old.reshape(-1).view(np.uint8) == new.reshape(-1).view(np.uint8)
                assert same[between].all(), f"{name} writes between rows of {memory.name}"
            elif memory.name != SCRATCH:
                shared = any(w.memory is memory for w in written)
                assert shared or np.array_equal(old, new, equal_nan=True), f"{name} writes {memory.name}"
        return result

    return call


def _rows_of_product(ta: int, tb: int, m: int, n: int, k: int, alpha: Any, a: Window, lda: int, b: Window, ldb: int,
                     beta: Any, c: Window, ldc: int, scratch: Any) -> Rows:  # fmt: skip
    """The bytes of each row of the matrices of a product."""
    if min(m, n, k) <= 0:
        return {}
    matrices = ((a, k if ta else m, m if ta else k, lda), (b, n if tb else k, k if tb else n, ldb), (c, m, n, ldc))
    found: Rows = {}
    for window, rows, width, stride in matrices:
        starts = range(window.first, window.first + 4 * rows * stride, 4 * stride)
        found[id(window)] = [(start, start + 4 * width) for start in starts]
    return found


def _array(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_array(item) for item in value)
    return value.array if isinstance(value, Window) else value
