"""A device without a GPU: kernels compiled by g++, their threads as fibers on one core. Used in tests alone.

Arrays are NumPy's. Each ends where no page is, and new ones, shared memory and local variables hold nothing of use.
"""

from __future__ import annotations

import ctypes
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.cuda.modules import EmulatedError, compiler, machine, module, taken
from nnctl.backends.contract import Finding
from nnctl.backends.cuda.codegen.functions import DeviceFunction
from nnctl.backends.cuda.device import BRANCHES
from nnctl.backends.cuda.persistent.text import TABLE
from nnctl.backends.cuda.product_library import ProductLibrary
from nnctl.backends.cuda.shared import Shared
from nnctl.backends.limits import product_limit
from nnctl.process import memory

__all__ = ["EmulatedDevice", "EmulatedError", "compiler", "without_barrier"]

POISON = 0xFF
"""Every byte of what nobody has written: NaN, −1, 255."""
AT_ONCE = 16
"""Blocks that the device holds at the same time."""
_SHARED = 227 * 1024
"""Bytes of shared memory that a block can have, as on compute capability 9.0."""


@contextmanager
def without_barrier(text: str, number: int) -> Iterator[None]:
    """Devices run the module of that text as if its barrier of that number, counted from 0, were not written."""
    ignored = ctypes.c_int.in_dll(module(text), "emulated_ignored")
    ignored.value = number
    try:
        yield
    finally:
        ignored.value = -1


class _Memory:
    """Bytes of the device; they go with the last array that shows them."""

    def __init__(self, size: int, poison: int) -> None:
        self._free = machine().emulated_free
        self._start = machine().emulated_allocate(size, poison)
        self.__array_interface__ = {"version": 3, "data": (self._start, False), "shape": (size,), "typestr": "|u1"}

    def __del__(self) -> None:
        self._free(self._start)


class _Loaded:
    """A wrapper that can be launched, and what it takes."""

    def __init__(self, function: DeviceFunction) -> None:
        self.name = function.name
        self.text = function.unit.module
        self.cluster = function.cluster
        self.thunk = getattr(module(self.text), f"thunk_{function.entry}")
        parameters = [" ".join(each.split()) for each in taken(self.text, function.entry).split(",")]
        self.names = [each.rpartition(" ")[2] for each in parameters]
        kinds = ["p" if "*" in each else "t" if "Table" in each else each[0] for each in parameters]
        self.types = [{"p": np.uint64, "i": np.int32, "f": np.float32, "t": np.void}[kind] for kind in kinds]
        self.kinds = "".join(kinds).encode()
        places = {"p": "Q", "i": "i4x", "f": "f4x", "t": f"{8 * TABLE}s"}
        self.layout = struct.Struct("<" + "".join(places[kind] for kind in kinds))


class EmulatedDevice:
    """See `nnctl.backends.cuda.device.Device`.

    order: of threads, warps, blocks and branches, 0 up, 1 down, from 2 on shuffled. poison: each byte of memory that
    is new. shared: with other streams of the same device; nothing if None.
    """

    arrays: ModuleType = np
    multiprocessors = AT_ONCE
    sharers = 1
    largest_cluster = 0
    products: ProductLibrary | None = None

    def __init__(self, order: int = 0, poison: int = POISON, shared: Shared | None = None) -> None:
        self.order = order
        self._shuffled = np.random.default_rng(order)
        self.poison = poison
        self.shared = shared or Shared()
        self.most_shared = _SHARED
        self._capturing: list[Callable[[], None]] | None = None

    # -- memory ------------------------------------------------------------------------

    def empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        self._outside_of_graphs("memory is asked for")
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=int)) * kind.itemsize
        return np.asarray(_Memory(size, self.poison)).view(kind).reshape(shape)

    def upload(self, array: NDArray[Any]) -> NDArray[Any]:
        placed = self.empty(array.shape, array.dtype)
        placed[...] = array
        return placed

    def download(self, array: NDArray[Any]) -> NDArray[Any]:
        self._outside_of_graphs("an array is read")
        return np.array(array, order="C")

    def write(self, array: NDArray[Any], values: NDArray[Any], first: int = 0) -> None:
        self._outside_of_graphs("an array is written")
        array[slice(first, first + len(values)) if values.ndim else ...] = values

    def copy(self, array: NDArray[Any], other: NDArray[Any]) -> None:
        self._outside_of_graphs("an array is copied")
        array[: len(other)] = other

    def memory_left(self) -> int:
        return memory.available()

    def address(self, array: NDArray[Any]) -> int:
        return array.ctypes.data

    # -- work --------------------------------------------------------------------------

    def load(self, function: DeviceFunction) -> _Loaded:
        return _Loaded(function)

    def ready(self, function: DeviceFunction, *, begin: bool) -> bool:
        return True

    def blocks_together(self, loaded: _Loaded, threads: int, shared: int) -> int:
        return AT_ONCE if shared <= self.most_shared else 0

    def launch(
        self,
        loaded: _Loaded,
        blocks: int,
        threads: int,
        shared: int,
        arguments: Sequence[Any],
        cooperative: bool = False,
        rows: int = 1,
    ) -> None:
        if len(arguments) != len(loaded.types):
            raise EmulatedError(f"{loaded.name} takes {len(loaded.types)} arguments, {len(arguments)} are given")
        for name, kind, argument in zip(loaded.names, loaded.types, arguments, strict=True):
            if type(argument) is not kind:
                raise EmulatedError(f"{loaded.name} takes {name} as {kind.__name__}, {argument!r} is given")
        if not (0 < blocks < 2**31 and 0 < rows < 2**16 and 0 < threads <= 1024 and 0 <= shared <= self.most_shared):
            raise EmulatedError(f"{loaded.name} cannot run as {blocks} blocks of {threads} threads and {shared} bytes")
        many = blocks * rows
        if loaded.cluster and blocks != loaded.cluster:
            raise EmulatedError(f"{loaded.name}: {blocks} blocks are no cluster of {loaded.cluster}")
        # Clusters may run one after the other; here they all run at once.
        cooperative = cooperative or loaded.cluster > 0
        if cooperative and many > AT_ONCE:
            raise EmulatedError(f"{loaded.name}: {many} blocks are to run at the same time, the device has {AT_ONCE}")
        packed = loaded.layout.pack(*(a.tobytes() if isinstance(a, np.void) else a for a in arguments))
        at_once = many if cooperative else 1

        def run() -> None:
            problem = machine().emulated_launch(
                loaded.thunk, packed, loaded.kinds, blocks, rows, threads, shared, self.order, at_once, self.poison
            )
            if problem is not None:
                raise EmulatedError(f"{loaded.name}: {problem.decode()}")

        self.in_stream(run)

    def in_stream(self, work: Callable[[], None]) -> None:
        """Run it now, or whenever the graph that is captured is replayed."""
        if self._capturing is None:
            work()
        else:
            self._capturing.append(work)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        self._outside_of_graphs("another is captured")
        self._capturing = launches = []
        try:
            work()
        finally:
            self._capturing = None

        def replay() -> None:
            for launch in launches:
                launch()

        return replay

    def in_branches(self, works: Sequence[Callable[[], None]]) -> None:
        """One work after another, in the order of threads."""
        if not 0 < len(works) <= BRANCHES:
            raise EmulatedError(f"{len(works)} branches lie beside each other, and {BRANCHES} at most are to")
        orders = {0: range(len(works)), 1: range(len(works) - 1, -1, -1)}
        for number in orders[self.order] if self.order in orders else self._shuffled.permutation(len(works)):
            works[number]()

    def _outside_of_graphs(self, what: str) -> None:
        if self._capturing is not None:
            raise EmulatedError(f"{what} while a graph is captured")

    @contextmanager
    def current(self) -> Iterator[None]:
        self._outside_of_graphs("arrays are computed with")
        yield

    def synchronize(self) -> None:
        self._outside_of_graphs("the host waits")

    def mark(self) -> float:
        return time.perf_counter()

    def wait_for(self, mark: float) -> None:
        self._outside_of_graphs("another stream is waited for")

    def seconds(self, first: float, last: float) -> float:
        return last - first

    def product_limit(self) -> float:
        return product_limit(1)

    def describe(self) -> Sequence[Finding]:
        return (Finding("device", "emulated", "fibers on one core"),)
