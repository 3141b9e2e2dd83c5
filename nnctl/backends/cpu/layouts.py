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

    starts, slots: the place of each call's first word, and its slots.
    arrays: of each the place of its word, the bytes from its start to the thread's part, what it is, and the number of
    its slot among a call's. plain, stored: the same of those that lie in the arena for all threads, or outlive a
    step and where, without what they are. fixed: places of addresses that all calls have in common, and these. free:
    places of numbers, and these.
    """

    function: int
    words: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    slots: list[tuple[Slot, ...]] = field(default_factory=list)
    plain: list[tuple[int, int, int]] = field(default_factory=list)
    stored: list[tuple[int, int, int, Literal["storage", "constant"]]] = field(default_factory=list)
    arrays: list[tuple[int, int, ArrayParameter, int]] = field(default_factory=list)
    fixed: list[tuple[int, Base]] = field(default_factory=list)
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
        self._size = 0
        """Words so far."""
        self._written: dict[tuple[int, int, bool], dict[Pattern, _Words]] = {}
        """Of each share, whether memory of the thread's own is in it or not."""
        self._calls: list[tuple[int, int]] = []
        self._single: list[tuple[int, int]] = []
        """Words that are of one call alone, and what they are."""
        self._counted: list[NDArray[np.intp]] = []
        self._bases: list[NDArray[np.intp]] = []
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
        barrier = _Words(functions.meet, [0, threads, spins(threads)], fixed=[(0, ("counters", ""))])
        for entries, share in self._shared(source):
            written = self._written.setdefault((share.part, share.parts, bool(share.local[1])), {})
            for entry in entries:
                if isinstance(entry, Barrier):
                    self.bounds.append(len(self._calls))
                    if threads > 1 and meets:
                        self._add(barrier)
                elif not entry.alone or thread == 0:
                    self._call(functions, written, entry, share, timed)
        if not source.entries or not isinstance(source.entries[-1], Barrier):
            self.bounds.append(len(self._calls))
        self.words = np.zeros(max(1, self._size), np.int64)
        for known in (barrier, *(each for written in self._written.values() for each in written.values())):
            self._write(known)
        for word, value in self._single:
            self.words[word] = value
        self.memories = tuple(self._numbers)
        self.counted = np.concatenate([*self._counted, _NONE])
        self.bases = np.concatenate([*self._bases, _NONE])
        self.count = len(self._calls)
        self.calls = np.array(self._calls or [(0, 0)], np.int64)
        self.calls[:, 1] *= WORD
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

    def _number(self, base: Base) -> int:
        """The number of a memory."""
        return self._numbers.setdefault(base, len(self._numbers))

    def _point(self, words: NDArray[np.intp], bases: NDArray[np.intp] | int) -> None:
        """Let words count from where memories begin, which are given by their numbers."""
        self._counted.append(words)
        self._bases.append(np.broadcast_to(np.asarray(bases, np.intp), words.shape))

    def _add(self, known: _Words) -> int:
        """Append a call; the place of its first word."""
        start = self._size
        self._calls.append((known.function, start))
        known.starts.append(start)
        self._size += len(known.words)
        return start

    def _time(self, functions: Functions, last: int, place: int) -> None:
        """Let the time since the count at `last` be added to the sum at `place` of the clock."""
        word = self._add(_Words(functions.clock, [0, 0]))
        self._at(("clock", ""), WORD * last, word)
        self._at(("clock", ""), WORD * place, word + 1)

    def _shared(self, source: StepSource) -> Iterator[tuple[Sequence[Entry], Share]]:
        """All entries in order, those of runs again and again, with what this thread makes of them."""
        whole = Share(self._thread, self._threads)
        done = 0
        for run in source.runs_on(self._threads):
            yield source.entries[done : run.first], whole
            for share in self._blocks(run):
                yield source.entries[run.first : run.last], share
            done = run.last
        yield source.entries[done:], whole

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

    def _call(
        self, functions: Functions, written: dict[Pattern, _Words], call: Call, share: Share, timed: int | None
    ) -> None:
        pattern, slots = call.pattern, call.slots
        known = written.get(pattern)
        if known is None:
            known = written[pattern] = self._words_of(functions, pattern, share)
        if timed is not None and call.launch is not None:
            self._time(functions, timed + 1, timed)
        start = self._add(known)
        known.slots.append(slots)
        for word, offset, parameter, place in known.arrays:
            self._array(parameter, slots[place], offset, start + word, share)
        if timed is not None and call.launch is not None:
            self._time(functions, timed + 1, call.launch)

    def _write(self, known: _Words) -> None:
        """Write the words of all calls of a pattern, but for arrays that are looked at one by one."""
        starts = np.array(known.starts, np.intp)
        self.words[starts[:, None] + np.arange(len(known.words))] = np.array(known.words, np.int64)
        for word, base in known.fixed:
            self._point(starts + word, self._number(base))
        for word, offset, place in known.plain:
            self.words[starts + word] = [slots[place].offset + offset for slots in known.slots]
            self._point(starts + word, 0)
        for word, offset, place, where in known.stored:
            self.words[starts + word] = offset
            bases = [self._number((where, slots[place].key)) for slots in known.slots]
            self._point(starts + word, np.array(bases, np.intp))
        for word, value in known.free:
            self.free += [(start + word, value) for start in known.starts]

    def _words_of(self, functions: Functions, pattern: Pattern, share: Share) -> _Words:
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
                    where = parameter.slot.place if parameter.of == "slot" else parameter.of
                    match where:
                        case "arena" if not (parameter.private or share.local[1]):
                            written.plain.append((len(words), offset, place))
                        case "storage" | "constant":
                            written.stored.append((len(words), offset, place, where))
                        case _:
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
                    written.fixed.append((len(words), _SCRATCH))
                    words += [0, self.scratch]
                case NumbersParameter():
                    numbers = np.array(parameter.values, np.float32)
                    self.numbers.append(numbers)
                    words += [address_of(numbers), len(numbers)]
        return written

    def _array(self, parameter: ArrayParameter, slot: Slot, offset: int, word: int, share: Share) -> None:
        """Note where an array begins. offset: of the thread's part in it. word: the place of its word."""
        if parameter.of == "table":
            self.lengths.append(Length(word + 1, slot.key, max(1, math.prod(parameter.lengths))))
            self._at(("storage", slot.key), 0, word)
            return
        if parameter.of == "output" or slot.place == "feed":
            step = math.prod(slot.shape) * _bytes(parameter.element)
            if parameter.of == "output":
                self.outputs.append(Moving(word, parameter.output, offset, step))
            else:
                moving = self.following if parameter.of == "following" else self.feeds
                moving.append(Moving(word, slot.key, offset, step))
            return
        number, places = share.local
        if slot.place != "arena":
            raise ValueError(f"{slot.name} has no memory: it is {slot.place}")
        if slot.offset in places:
            self._at(("local", number), places[slot.offset], word)
        elif parameter.private:
            self._at(("private", ""), LINE * self._private.index(slot.offset) + offset, word)
        else:
            self._at(_ARENA, slot.offset + offset, word)

    def _at(self, base: Base, offset: int, word: int) -> None:
        """Let a word be a place in memory."""
        self._single.append((word, offset))
        self._point(np.array([word], np.intp), self._number(base))


_NONE = np.empty(0, np.intp)
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
