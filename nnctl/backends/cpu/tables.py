"""Tables of a step: what each thread calls, in order, and with which addresses and numbers.

A thread has its own table, in which its part of every launch is worked out: nothing is divided while steps run.
Addresses in the feeds and in the outputs move from step to step; all others stay.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.cpu.codegen.entries import Barrier, Call, Entry
from nnctl.backends.cpu.codegen.parameters import (
    ArrayParameter,
    BoundParameter,
    FloatParameter,
    NumbersParameter,
    Parameter,
    ScratchParameter,
    WholeParameter,
)
from nnctl.backends.cpu.codegen.runs import Run
from nnctl.backends.cpu.codegen.source import StepSource
from nnctl.backends.cpu.compilation import Functions
from nnctl.backends.cpu.compiler.types import Number
from nnctl.plan.arena import assign_offsets
from nnctl.plan.plan import Slot

Array = NDArray[Any]
LINE = 64
"""Bytes of a cache line."""
_WORD = 8


@dataclass(frozen=True)
class Memory:
    """Arrays that the slots of a step lie in. storage, constants: arrays by key, which must outlive the tables."""

    arena: Array
    storage: Mapping[str, Array]
    constants: Mapping[str, Array]
    scratch: int
    """Floats for each thread."""


@dataclass(frozen=True)
class Moving:
    """A word that holds an address in a feed or an output.

    word: its place in the arguments. offset: bytes from the array's start in the first step. stride: bytes a step.
    """

    word: int
    key: str
    offset: int
    stride: int


@dataclass(frozen=True)
class Share:
    """The share of a launch that a call makes: one of so many parts.

    places: addresses of what lies in memory of the thread's own, by its place in the arena.
    """

    part: int
    parts: int
    places: Mapping[int, int]


class ThreadTable:
    """The table of one thread: `records`, the words that they point to, and the words that move."""

    def __init__(self, thread: int, threads: int, source: StepSource, memory: Memory) -> None:
        self._thread, self._threads = thread, threads
        self._memory = memory
        self._words: list[int] = []
        self._calls: list[tuple[int, int]] = []
        """(function, place of its arguments among the words), in order."""
        self._numbers: list[Array] = []
        self.feeds: list[Moving] = []
        self.following: list[Moving] = []
        self.outputs: list[Moving] = []
        self._scratch = aligned(4 * memory.scratch)
        self._private = aligned(LINE * max(1, len(source.private)))
        private = address_of(self._private)
        self._private_place = {offset: private + LINE * i for i, offset in enumerate(source.private)}
        self._scratch_place = address_of(self._scratch)
        self._arena_place = address_of(memory.arena)
        self._local: list[Array] = []
        """Memory of what a run makes and nothing else reads."""
        self.steps = 0

    def build(self, source: StepSource, functions: Functions, counters: Array, clock: Array | None) -> None:
        """Fill the table. clock: int64, a sum for each launch, one for the rest, and the last count; or None."""
        meeting = [address_of(counters), self._threads]
        for entry, share in self._shared(source):
            if isinstance(entry, Barrier):
                if self._threads > 1:
                    self._add(functions.meet, meeting)
                continue
            if entry.alone and self._thread > 0:
                continue
            if clock is None or entry.launch is None:
                self._call(functions.kinds[entry.kind], entry, share)
                continue
            self._time(functions, clock, len(clock) - 2)
            self._call(functions.kinds[entry.kind], entry, share)
            self._time(functions, clock, entry.launch)
        # Words move in every step: in a line with another thread's they would slow it down.
        self._arguments = aligned(_WORD * max(1, len(self._words))).view(np.int64)
        self._arguments[: len(self._words)] = self._words
        base = address_of(self._arguments)
        self.records = np.array(
            [(function, base + _WORD * place) for function, place in self._calls] or [(0, 0)], np.int64
        )
        self.count = len(self._calls)
        moving = [*self.feeds, *self.outputs, *self.following]
        self.plain, self.ahead = len(self.feeds) + len(self.outputs), len(self.following)
        self.moves = np.array([(base + _WORD * m.word, m.stride) for m in moving] or [(0, 0)], np.int64)

    def aim(self, feeds: Mapping[str, int], outputs: Mapping[str, int], steps: int) -> None:
        """Let the moving addresses be those of a chunk's first step. feeds, outputs: where each array begins."""
        for moving in self.feeds:
            self._arguments[moving.word] = feeds[moving.key] + moving.offset
        for moving in self.outputs:
            self._arguments[moving.word] = outputs[moving.key] + moving.offset
        for moving in self.following:
            next_step = moving.stride if steps > 1 else 0
            self._arguments[moving.word] = feeds[moving.key] + moving.offset + next_step

    def _add(self, function: int, arguments: Sequence[int]) -> None:
        self._calls.append((function, len(self._words)))
        self._words += arguments

    def _time(self, functions: Functions, clock: Array, place: int) -> None:
        base = address_of(clock)
        self._add(functions.clock, [base + _WORD * (len(clock) - 1), base + _WORD * place])

    def _shared(self, source: StepSource) -> Iterator[tuple[Entry, Share]]:
        """All entries in order, those of runs again and again, with what this thread makes of each."""
        whole = Share(self._thread, self._threads, {})
        done = 0
        for run in source.runs:
            yield from ((entry, whole) for entry in source.entries[done : run.first])
            for share in self._blocks(run) if run.blocks(self._threads) > 1 else (whole,):
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
        self._local.append(aligned(size))
        base = address_of(self._local[-1])
        places = {place: base + offset for place, offset in offsets.items()}
        return (Share(self._thread * blocks + n, self._threads * blocks, places) for n in range(blocks))

    def _call(self, function: int, call: Call, share: Share) -> None:
        start = len(self._words)
        arguments: list[int] = []
        for parameter in call.passed:
            arguments += self._words_of(parameter, start + len(arguments), share)
        self._add(function, arguments)

    def _words_of(self, parameter: Parameter, word: int, share: Share) -> list[int]:
        """Words that this thread passes for a parameter. word: the place of its first word."""
        match parameter:
            # First those that there are most of.
            case ArrayParameter():
                return self._array(parameter, word, share)
            case WholeParameter():
                return [parameter.value]
            case FloatParameter():
                (bits,) = struct.unpack("<i", struct.pack("<f", np.float32(parameter.value)))
                return [bits]
            case BoundParameter():
                return [parameter.cut.bounds(share.part, share.parts)[int(parameter.last)]]
            case ScratchParameter():
                return [self._scratch_place, self._memory.scratch]
            case NumbersParameter():
                numbers = np.array(parameter.values, np.float32)
                self._numbers.append(numbers)
                return [address_of(numbers), len(numbers)]

    def _array(self, parameter: ArrayParameter, word: int, share: Share) -> list[int]:
        slot = parameter.slot
        size = _bytes(parameter.element)
        first, last = 0, slot.shape[0] if slot.shape else 1
        if parameter.cut is not None:
            first, last = parameter.cut.bounds(share.part, share.parts)
        rest = math.prod(parameter.lengths)
        entries = (last - first) * parameter.inner // max(1, rest)
        offset = first * parameter.inner * size
        if parameter.of == "table":
            array = self._memory.storage[slot.key]
            return [address_of(array), array.size // max(1, rest), *parameter.lengths]
        lengths = [entries, *parameter.lengths]
        step = math.prod(slot.shape) * size
        if parameter.of == "output":
            self.outputs.append(Moving(word, parameter.output, offset, step))
            return [0, *lengths]
        if slot.place == "feed":
            (self.following if parameter.of == "following" else self.feeds).append(Moving(word, slot.key, offset, step))
            return [0, *lengths]
        if slot.place == "arena" and slot.offset in share.places:
            return [share.places[slot.offset], *lengths]
        return [self._base(parameter) + offset, *lengths]

    def _base(self, parameter: ArrayParameter) -> int:
        slot: Slot = parameter.slot
        if parameter.private:
            return self._private_place[slot.offset]
        match slot.place:
            case "arena":
                return self._arena_place + slot.offset
            case "storage":
                return address_of(self._memory.storage[slot.key])
            case "constant":
                return address_of(self._memory.constants[slot.key])
        raise ValueError(f"{slot.name} has no memory: it is {slot.place}")


def _bytes(element: Number) -> int:
    return 1 if element.memory else element.bits // 8


def address_of(array: Array) -> int:
    """The address of an array."""
    return int(array.__array_interface__["data"][0])


def aligned(size: int) -> Array:
    """Zeroed bytes, a multiple of eight of them, in cache lines that hold nothing else."""
    size = -(-size // _WORD) * _WORD
    raw = np.zeros(size + 2 * LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size]
