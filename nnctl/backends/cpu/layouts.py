"""Layouts of tables: what each thread calls, in order, and with which numbers, whatever memory the step is over.

A thread has its own table, in which its part of every launch is worked out: nothing is divided while steps run. What
hangs on the memory is left open: words that count from where an array begins, and lengths of data sets.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.cpu.alike import Numbers
from nnctl.backends.cpu.codegen.entries import Barrier, Call, Entry, Pattern
from nnctl.backends.cpu.codegen.parameters import (
    ArrayParameter,
    BoundParameter,
    FloatParameter,
    NumbersParameter,
    ScratchParameter,
    WholeParameter,
)
from nnctl.backends.cpu.codegen.runs import Run
from nnctl.backends.cpu.codegen.source import StepSource
from nnctl.backends.cpu.compilation import Functions
from nnctl.backends.cpu.compiler.types import Number
from nnctl.backends.cpu.walk_ir import CROWDED_SPINS, SPINS
from nnctl.late import dataclass
from nnctl.plan.arena import assign_offsets
from nnctl.plan.plan import Slot
from nnctl.process.cores import cores

Array = NDArray[Any]
LINE = 64
"""Bytes of a cache line."""
WORD = 8
"""Bytes of a word of a table."""

Base: TypeAlias = tuple[
    Literal["arena", "storage", "constant", "scratch", "private", "local", "counters", "clock"], str | int
]
"""Memory that words count from: its place, and its key or number where there are several arrays."""
_ARENA: Base = ("arena", "")
_SCRATCH: Base = ("scratch", "")


class Moving(NamedTuple):
    """A word that holds an address in a feed or an output.

    word: its place in the arguments. offset: bytes from the array's start in the first step. stride: bytes a step.
    """

    word: int
    key: str
    offset: int
    stride: int


@dataclass(frozen=True)
class Length:
    """A word that holds the number of rows of a data set, an array of storage. row: elements of one."""

    word: int
    key: str
    row: int


@dataclass(frozen=True)
class Share:
    """The share of a launch that a call makes: one of so many parts.

    local: the number of the memory of the thread's own that some of it lies in, and where there, in bytes, by its
    place in the arena.
    """

    part: int
    parts: int
    local: tuple[int, Mapping[int, int]] = (0, MappingProxyType({}))


@dataclass(frozen=True)
class _Words:
    """The words of a pattern's calls, but for where arrays begin.

    arrays: of each the place of its word, the bytes from its start to the thread's part, what it is, and the number of
    its slot among a call's. plain: the same of those that lie in the arena for all threads, without what they are.
    scratch: the places of the addresses of scratch. free: places of numbers, and these.
    """

    function: int
    words: list[int] = field(default_factory=list)
    plain: list[tuple[int, int, int]] = field(default_factory=list)
    calls: list[tuple[int, tuple[Slot, ...]]] = field(default_factory=list)
    """The place of each call's first word, and its slots."""
    arrays: list[tuple[int, int, ArrayParameter, int]] = field(default_factory=list)
    scratch: list[int] = field(default_factory=list)
    free: list[tuple[int, float]] = field(default_factory=list)


class TableLayout:
    """The layout of one thread's table.

    words: int64 (n,), addresses as bytes from where their memory begins. counted: the places of these words; bases:
    of each, the number of its memory among `memories`. calls: int64 (calls, 2), the address of a function and the
    place of its arguments in bytes. moves: int64 (m, 2), the place of a word that moves and its stride, in bytes;
    `plain` of them, then `ahead`, which see the next step. local: bytes of each memory that a run needs for what
    nothing else reads. scratch: floats that nothing else may use meanwhile. private: numbers that the thread has for
    itself. bounds: the calls that phases begin with, and the number of all.
    timed: launches of a step that keeps time, None for one that does not. meets: whether threads meet at barriers.
    """

    def __init__(
        self,
        thread: int,
        threads: int,
        source: StepSource,
        functions: Functions,
        timed: int | None = None,
        *,
        meets: bool = True,
    ) -> None:
        self._thread, self._threads = thread, threads
        self.scratch, self._private = source.scratch, source.private
        self.private = len(source.private)
        self._words: list[int] = []
        self._known: dict[tuple[Pattern, int, int], _Words] = {}
        self._calls: list[tuple[int, int]] = []
        self._counted: list[int] = []
        self._bases: list[int] = []
        self._numbers: dict[Base, int] = {_ARENA: 0}
        """Of memories."""
        self.numbers: list[Array] = []
        """Arrays of constants, which words hold the addresses of."""
        self.free: list[tuple[int, float]] = []
        """Words that hold numbers of formulas, and these."""
        self.feeds: list[Moving] = []
        self.following: list[Moving] = []
        self.outputs: list[Moving] = []
        self.lengths: list[Length] = []
        self.local: list[int] = []
        self.bounds: list[int] = [0]
        waiting = spins(threads)
        for entry, share in self._shared(source):
            if isinstance(entry, Barrier):
                self.bounds.append(len(self._calls))
                if self._threads > 1 and meets:
                    self._add(functions.meet, [self._at(("counters", "")), self._threads, waiting])
                continue
            if entry.alone and self._thread > 0:
                continue
            if timed is None or entry.launch is None:
                self._call(functions, entry, share)
                continue
            self._time(functions, timed + 1, timed)
            self._call(functions, entry, share)
            self._time(functions, timed + 1, entry.launch)
        if not source.entries or not isinstance(source.entries[-1], Barrier):
            self.bounds.append(len(self._calls))
        self.words = np.array(self._words or [0], np.int64)
        for known in self._known.values():
            self._place_in_bulk(known)
        self.memories = tuple(self._numbers)
        self.counted = np.array(self._counted, np.intp)
        self.bases = np.array(self._bases, np.intp)
        self.count = len(self._calls)
        self.calls = np.array([(function, WORD * place) for function, place in self._calls] or [(0, 0)], np.int64)
        moving = [*self.feeds, *self.outputs, *self.following]
        self.plain, self.ahead = len(self.feeds) + len(self.outputs), len(self.following)
        self.moves = np.array([(WORD * m.word, m.stride) for m in moving] or [(0, 0)], np.int64)

    def with_numbers(self, instead: Numbers) -> TableLayout:
        """The same layout with other numbers in its formulas."""
        other = copy(self)
        other.words = self.words.copy()
        other.free = [(word, instead[repr(value)]) for word, value in self.free]
        for word, value in other.free:
            other.words[word] = _word_of(value)
        return other

    def _at(self, base: Base, offset: int = 0, word: int | None = None) -> int:
        """The word for a place in memory. word: its number; the next one's if None."""
        self._counted.append(len(self._words) if word is None else word)
        self._bases.append(self._numbers.setdefault(base, len(self._numbers)))
        return offset

    def _add(self, function: int, arguments: Sequence[int]) -> None:
        self._calls.append((function, len(self._words)))
        self._words += arguments

    def _time(self, functions: Functions, last: int, place: int) -> None:
        """Let the time since the count at `last` be added to the sum at `place` of the clock."""
        word = len(self._words)
        clock: Base = ("clock", "")
        self._add(functions.clock, [self._at(clock, WORD * last, word), self._at(clock, WORD * place, word + 1)])

    def _shared(self, source: StepSource) -> Iterator[tuple[Entry, Share]]:
        """All entries in order, those of runs again and again, with what this thread makes of each."""
        whole = Share(self._thread, self._threads)
        done = 0
        for run in source.runs_on(self._threads):
            yield from ((entry, whole) for entry in source.entries[done : run.first])
            for share in self._blocks(run):
                yield from ((entry, share) for entry in source.entries[run.first : run.last])
            done = run.last
        yield from ((entry, whole) for entry in source.entries[done:])

    def _blocks(self, run: Run) -> Iterator[Share]:
        """The blocks of examples that this thread goes through."""
        blocks, examples = run.blocks(self._threads), run.examples(self._threads)
        offsets, size = assign_offsets(
            {place: (local.first, local.last) for place, local in run.local},
            {place: local.size * examples for place, local in run.local},
        )
        self.local.append(size)
        local = len(self.local) - 1, offsets
        return (Share(self._thread * blocks + n, self._threads * blocks, local) for n in range(blocks))

    def _call(self, functions: Functions, call: Call, share: Share) -> None:
        key = call.pattern, share.part, share.parts
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._written(functions, call.pattern, share)
        words, slots, start = self._words, call.slots, len(self._words)
        self._add(known.function, known.words)
        known.calls.append((start, slots))
        if known.free:
            self.free += [(start + word, value) for word, value in known.free]
        for word, offset, parameter, place in known.arrays:
            words[start + word] = self._array(parameter, slots[place], offset, start + word, share)

    def _place_in_bulk(self, known: _Words) -> None:
        """Write where the plain arrays, and scratch, of all calls of a pattern begin."""
        starts = [start for start, _ in known.calls]
        for word, offset, place in known.plain:
            at = [start + word for start in starts]
            self.words[at] = [slots[place].offset + offset for _, slots in known.calls]
            self._counted += at
            self._bases += [0] * len(at)
        scratch = self._numbers.setdefault(_SCRATCH, len(self._numbers)) if known.scratch else 0
        for word in known.scratch:
            self._counted += [start + word for start in starts]
            self._bases += [scratch] * len(starts)

    def _written(self, functions: Functions, pattern: Pattern, share: Share) -> _Words:
        """The words of a pattern's calls for a share."""
        written = _Words(functions.kinds[pattern.kind])
        words = written.words
        for parameter, place in zip(pattern.passed, pattern.places, strict=True):
            match parameter:
                case ArrayParameter():
                    assert place is not None
                    first, last = (0, parameter.slot.shape[0] if parameter.slot.shape else 1)
                    if parameter.cut is not None:
                        first, last = parameter.cut.bounds(share.part, share.parts)
                    offset = first * parameter.inner * _bytes(parameter.element)
                    # Slots of one pattern are of one place; in a run some of them lie elsewhere.
                    if (
                        parameter.of == "slot"
                        and parameter.slot.place == "arena"
                        and not (parameter.private or share.local[1])
                    ):
                        written.plain.append((len(words), offset, place))
                    else:
                        written.arrays.append((len(words), offset, parameter, place))
                    rest = max(1, math.prod(parameter.lengths))
                    entries = 0 if parameter.of == "table" else (last - first) * parameter.inner // rest
                    words += [0, entries, *parameter.lengths]
                case WholeParameter():
                    words.append(parameter.value)
                case FloatParameter():
                    if parameter.free:
                        written.free.append((len(words), parameter.value))
                    words.append(_word_of(parameter.value))
                case BoundParameter():
                    words.append(parameter.cut.bounds(share.part, share.parts)[int(parameter.last)])
                case ScratchParameter():
                    written.scratch.append(len(words))
                    words += [0, self.scratch]
                case NumbersParameter():
                    numbers = np.array(parameter.values, np.float32)
                    self.numbers.append(numbers)
                    words += [address_of(numbers), len(numbers)]
        return written

    def _array(self, parameter: ArrayParameter, slot: Slot, offset: int, word: int, share: Share) -> int:
        """The word for where an array begins. offset: of the thread's part in it. word: its place."""
        if parameter.of == "table":
            self.lengths.append(Length(word + 1, slot.key, max(1, math.prod(parameter.lengths))))
            return self._at(("storage", slot.key), 0, word)
        if parameter.of == "output" or slot.place == "feed":
            step = math.prod(slot.shape) * _bytes(parameter.element)
            if parameter.of == "output":
                self.outputs.append(Moving(word, parameter.output, offset, step))
            else:
                moving = self.following if parameter.of == "following" else self.feeds
                moving.append(Moving(word, slot.key, offset, step))
            return 0
        number, places = share.local
        if slot.place == "arena" and slot.offset in places:
            return self._at(("local", number), places[slot.offset], word)
        if parameter.private:
            return self._at(("private", ""), LINE * self._private.index(slot.offset) + offset, word)
        match slot.place:
            case "arena":
                return self._at(_ARENA, slot.offset + offset, word)
            case "storage" | "constant":
                return self._at((slot.place, slot.key), offset, word)
        raise ValueError(f"{slot.name} has no memory: it is {slot.place}")


_Byte = ctypes.c_char


def spins(threads: int) -> int:
    """The turns of a thread that waits for others, before it sleeps."""
    return SPINS if threads <= cores() else CROWDED_SPINS


def _word_of(value: float) -> int:
    """The word of a number in float32."""
    return int(struct.unpack("<i", struct.pack("<f", np.float32(value)))[0])


def _bytes(element: Number) -> int:
    return 1 if element.memory else element.bits // 8


def address_of(array: Array) -> int:
    """The address of an array."""
    try:
        return ctypes.addressof(_Byte.from_buffer(array.data))
    except (TypeError, ValueError):
        # Empty, in pieces or not to be written. NumPy's own answer tells all about it, and takes four times as long.
        return int(array.__array_interface__["data"][0])
