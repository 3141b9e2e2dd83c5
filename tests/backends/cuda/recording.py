"""Launches written down, to be run again: with threads in another order, with a barrier taken out."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.cuda.emulator import EmulatedDevice, EmulatedError, without_barrier
from backends.cuda.modules import BARRIER, machine, module

ORDERS = (0, 1, 2, 3)
MOST = 60
"""Launches of a function that are kept."""
_FUNCTION = re.compile(r"^(?:template.*>\s+)?(?:KERNEL|DEVICE|extern)\b.*?(\w+)\((?!THREADS)", re.MULTILINE)


@dataclass(frozen=True)
class Barrier:
    """A barrier of a module's text. number: there.

    function: that it stands in. before: the text of the function up to it, which tells it from all others, also
    where several modules have the function.
    """

    text: str
    number: int
    function: str
    before: str

    def __str__(self) -> str:
        return f"{self.function}, line {1 + self.before.count(chr(10))}: {self.before.splitlines()[-1].strip()}"


def barriers(text: str) -> list[Barrier]:
    """The barriers of a module's text, in order."""
    functions = list(_FUNCTION.finditer(text))
    found: list[Barrier] = []
    for number, match in enumerate(BARRIER.finditer(text)):
        around = [f for f in functions if f.start() < match.start()][-1]
        found.append(Barrier(text, number, around[1], text[around.start() : match.end()]))
    return found


@dataclass(frozen=True)
class Recorded:
    """A launch of a wrapper, and how: its blocks, threads, bytes of shared memory, whether it is cooperative, its rows.

    places: of each argument that is an address, and of each in a table, by its number and the entry's, which memory
    holds it and how far from its start. before, after: the bytes of each memory. met: the numbers of the barriers
    that a thread came to.
    """

    loaded: Any
    way: tuple[int, int, int]
    cooperative: bool
    rows: int
    arguments: Sequence[Any]
    places: dict[tuple[int, int], tuple[int, int]]
    before: list[NDArray[np.uint8]]
    after: list[NDArray[np.uint8]]
    met: frozenset[int]

    def repeats(self, order: int) -> bool:
        """Run it again, in other memory; True where it gives the same bits."""
        device = EmulatedDevice(order)
        placed = [device.upload(array) for array in self.before]
        entries = [_entries(argument) for argument in self.arguments]
        for (position, entry), (memory, distance) in self.places.items():
            entries[position][entry] = device.address(placed[memory]) + distance
        moved = [array.view(argument.dtype)[0] for array, argument in zip(entries, self.arguments, strict=True)]
        device.launch(self.loaded, *self.way, moved, self.cooperative, self.rows)
        return all(map(np.array_equal, placed, self.after))

    def notices(self, barrier: Barrier) -> bool:
        """True where without the barrier it fails, or gives other bits, in some order of threads."""
        with without_barrier(barrier.text, barrier.number):
            for order in ORDERS:
                try:
                    if not self.repeats(order):
                        return True
                except EmulatedError:
                    return True
        return False


@dataclass
class Record:
    """Launches that came to barriers, each kind of them once: of equal functions, grids and numbers."""

    launches: list[Recorded] = field(default_factory=list)
    kinds: set[Any] = field(default_factory=set)
    kept: Counter[str] = field(default_factory=Counter)


class RecordingDevice(EmulatedDevice):
    """An emulated device that writes down what it launches."""

    def __init__(self, record: Record, *way: int) -> None:
        super().__init__(*way)
        self.record = record

    def launch(
        self,
        loaded: Any,
        blocks: int,
        threads: int,
        shared: int,
        arguments: Sequence[Any],
        cooperative: bool = False,
        rows: int = 1,
    ) -> None:
        kind = (loaded.text, loaded.name, blocks, rows, *(a for a in arguments if not _addresses(a)))
        if kind in self.record.kinds or self.record.kept[loaded.name] >= MOST or not BARRIER.search(loaded.text):
            super().launch(loaded, blocks, threads, shared, arguments, cooperative, rows)
            return
        places: dict[tuple[int, int], tuple[int, int]] = {}
        memories: dict[int, NDArray[np.uint8]] = {}
        for position, argument in enumerate(arguments):
            for entry, address in enumerate(_entries(argument) if _addresses(argument) else ()):
                if (found := _memory(int(address))) is not None:
                    start, array = found
                    memories.setdefault(start, array)
                    places[position, entry] = (list(memories).index(start), int(address) - start)
        before = [array.copy() for array in memories.values()]
        count = len(BARRIER.findall(loaded.text))
        met = (ctypes.c_ubyte * count).in_dll(module(loaded.text), "emulated_met")
        ctypes.memset(met, 0, count)
        super().launch(loaded, blocks, threads, shared, arguments, cooperative, rows)
        if any(met):
            self.record.kinds.add(kind)
            self.record.kept[loaded.name] += 1
            after = [array.copy() for array in memories.values()]
            reached = frozenset(np.flatnonzero(list(met)).tolist())
            way = (blocks, threads, shared)
            self.record.launches.append(
                Recorded(loaded, way, cooperative, rows, list(arguments), places, before, after, reached)
            )

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """The work itself: what a graph holds is written down whenever it runs."""
        return work


def _addresses(argument: Any) -> bool:
    """True for an address, and for a table, which may have some."""
    return isinstance(argument, np.uint64 | np.void)


def _entries(argument: Any) -> NDArray[Any]:
    """The entries of a table; of another argument the one that it is."""
    array = np.array([argument])
    return array.view(np.int64) if isinstance(argument, np.void) else array


def _memory(address: int) -> tuple[int, NDArray[np.uint8]] | None:
    """Where the memory that holds an address begins, and its bytes; None where none does."""
    size = ctypes.c_size_t()
    start = machine().emulated_memory(address, ctypes.byref(size))
    return None if start is None else (start, np.ctypeslib.as_array((ctypes.c_ubyte * size.value).from_address(start)))
