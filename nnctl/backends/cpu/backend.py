"""The compiled CPU backend: a plan is a table of calls, which one or more threads walk through."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.blas import limit_blas_threads
from nnctl.backends.constants import constants_of
from nnctl.backends.contract import Finding, Resources, Result
from nnctl.backends.cpu.codegen.source import generate, missing
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.backends.cpu.cycles import seconds_a_cycle
from nnctl.backends.cpu.listing import listing
from nnctl.backends.cpu.schedule import lowered
from nnctl.backends.cpu.tables import LINE, Memory, address_of, aligned, tables
from nnctl.backends.limits import product_limit
from nnctl.graph.ir import Graph
from nnctl.plan.dtypes import Precision, element
from nnctl.plan.plan import Plan, Slot
from nnctl.process import memory
from nnctl.process.cores import cores

Array = NDArray[Any]

_FLOPS_WORTH_A_THREAD = 400_000
"""A step below this is done before a second thread has been met at the barrier."""


class CpuBackend:
    """Storage is NumPy arrays in memory.

    threads: at most so many a step; None for one a core.
    """

    name = "cpu"
    takes_any_op = False

    def __init__(self, threads: int | None = None) -> None:
        limit_blas_threads(1)
        self.threads = threads or cores()
        self.resources = Resources(self.threads, f"{_counted(self.threads)} at most")

    def missing(self, graph: Graph) -> tuple[str, ...]:
        """See `Backend`."""
        return missing(graph)

    def to_device(self, array: Array) -> Array:
        """See `Backend`."""
        # Not ascontiguousarray, which gives an array without axes one.
        return _aligned_copy(np.asarray(array, order="C"))

    def to_host(self, placed: Array) -> Array:
        """See `Backend`."""
        return placed.copy()

    def copy_into(self, placed: Array, array: Array, first: int = 0) -> None:
        """See `Backend`."""
        placed[slice(first, first + len(array)) if array.ndim else ...] = array

    def entries(self, placed: Array, first: int, shape: tuple[int, int]) -> Array:
        """See `Backend`."""
        return placed[first : first + math.prod(shape)].reshape(shape)

    def memory_left(self) -> int:
        """See `Backend`."""
        return memory.available()

    def plan(self, graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> Plan:
        """See `Backend`."""
        return lowered(graph, sizes, precision)

    def load(self, plan: Plan, storage: Mapping[str, Array]) -> CompiledStep:
        """See `Backend`. Raises ValueError for another precision than float32."""
        return CompiledStep(plan, storage, threads_of(plan, self.threads))

    def load_timed(self, plan: Plan, storage: Mapping[str, Array]) -> CompiledStep:
        """See `Backend`."""
        return CompiledStep(plan, storage, threads_of(plan, self.threads), timed=True)

    def listing(self, plan: Plan) -> str:
        """See `Backend`."""
        return listing(plan)

    def describe(self) -> tuple[Finding, ...]:
        """See `Backend`."""
        words = "cores that this process may use; fewer with backend: {type: cpu, threads: n}"
        return (Finding("threads", str(self.threads), words),)


def _counted(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


def threads_of(plan: Plan, most: int) -> int:
    """The number of threads that a step of this size is worth."""
    return max(1, min(most, plan.flops // _FLOPS_WORTH_A_THREAD))


class CompiledStep:
    """A compiled plan over its storage."""

    def __init__(self, plan: Plan, storage: Mapping[str, Array], threads: int, *, timed: bool = False) -> None:
        if plan.precision != "float32":
            raise ValueError(f"the cpu backend computes in float32, the plan in {plan.precision}")
        self.plan = plan
        self.threads = threads
        self.resources = Resources(threads, _counted(threads))
        _check_types(plan, storage)
        self.outputs = plan.outputs
        self._fed_slots = {slot.key: slot for slot in _slots(plan) if slot.place == "feed"}
        self.batch = plan.batch
        source = generate(plan)
        self._fed = source.keys("feed")
        self._in_flight = False
        self._clock = np.zeros(len(plan.launches) + 2, np.int64) if timed else None
        self._counters = aligned(6 * LINE)
        constants = constants_of(plan, storage, np.asarray)
        memory = Memory(aligned(max(LINE, plan.arena_bytes)), storage, constants, source.scratch)
        what = f"the step {plan.name!r} on batches of {self.batch:,} ({len(plan.launches)} launches)"
        functions = compiled_step(source.kinds, what)
        self._walk = functions.walk
        self._tables = list(tables(source, memory, threads))
        for table in self._tables:
            table.build(source, functions, self._counters, self._clock)

    def start(self, feeds: Mapping[str, Array], steps: int) -> ChunkInFlight:
        """See `Executable` in the contract: the chunk runs on threads of its own."""
        if self._in_flight:
            raise RuntimeError(f"the step {self.plan.name!r} is started while its last chunk is in flight")
        given = {key: self._checked(key, feeds[key], steps) for key in self._fed}
        outputs = self._empty_outputs(steps)
        self._counters[:] = 0
        begins = (
            {key: address_of(array) for key, array in given.items()},
            {n: address_of(a) for n, a in outputs.items()},
        )
        for table in self._tables:
            table.aim(*begins, steps)
        shaped = {name: a.reshape(steps, *self.outputs[name].shape) for name, a in outputs.items()}
        self._in_flight = True
        return ChunkInFlight(self, steps, given, shaped)

    def run(self, thread: int, steps: int) -> int:
        """One thread's share of a chunk; the number of steps completed."""
        table = self._tables[thread]
        return int(self._walk(address_of(table.records), table.count, address_of(table.moves), table.plain,
                              table.ahead, steps))  # fmt: skip

    def land(self) -> None:
        """End a chunk: the next may start."""
        self._in_flight = False

    def _empty_outputs(self, steps: int) -> dict[str, Array]:
        return {name: np.empty(steps * math.prod(s.shape), element(s.dtype).host) for name, s in self.outputs.items()}

    def spent(self) -> Array:
        """See `TimedExecutable`; zeros where it was not made to keep time."""
        if self._clock is None:
            return np.zeros(len(self.plan.launches))
        seconds = self._clock[: len(self.plan.launches)] * seconds_a_cycle()
        self._clock[:] = 0
        return seconds

    def elsewhere(self) -> frozenset[int]:
        """See `TimedExecutable`: each launch is by itself."""
        return frozenset()

    def limit(self) -> float:
        """See `TimedExecutable`."""
        return product_limit(self.threads)

    def _checked(self, key: str, array: Array, steps: int) -> Array:
        """A feed as the functions take it: flat, in C order, of the type that the plan is for."""
        size = math.prod(self._fed_slots[key].shape)
        flat: Array = np.require(array, element(self._fed_slots[key].dtype).host, ["C"]).reshape(-1)
        if flat.size != steps * size:
            raise ValueError(f"feed {key} has {flat.size} elements, {steps} steps of {size} need {steps * size}")
        return flat


class ChunkInFlight:
    """A chunk of steps on threads of its own; the `Pending` of this backend."""

    def __init__(
        self, executable: CompiledStep, steps: int, feeds: Mapping[str, Array], outputs: dict[str, Array]
    ) -> None:
        self._executable = executable
        self._steps = steps
        self._feeds = feeds
        """Kept, as the outputs are: compiled code knows addresses alone."""
        self._outputs = outputs
        self._completed = 0
        self._raised: BaseException | None = None
        self._gate = threading.Event()
        self._abandoned = False
        # No daemons: a process that ends with a chunk in flight waits for it, for its code and memory must outlive it.
        self._threads: list[threading.Thread] = []
        try:
            for number in range(executable.threads):
                self._threads.append(threading.Thread(target=self._work, args=(number,)))
                self._threads[-1].start()
        except BaseException:
            # At a barrier those that are here would wait for the others for ever.
            self._abandoned = True
            executable.land()
            raise
        finally:
            self._gate.set()

    def result(self) -> Result:
        """See `Pending`. What a signal raises is raised when the chunk has ended: compiled code cannot be stopped."""
        try:
            self._join()
        except BaseException:
            self._join()
            raise
        if self._raised is not None:
            raise self._raised
        return Result(self._completed, {name: array[: self._completed] for name, array in self._outputs.items()})

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()
        if self._threads:
            self._threads = []
            self._executable.land()

    def _work(self, thread: int) -> None:
        self._gate.wait()
        if self._abandoned:
            return
        try:
            completed = self._executable.run(thread, self._steps)
        except BaseException as error:  # noqa: BLE001 — raised again where the result is taken
            self._raised = error
        else:
            if thread == 0:
                self._completed = completed


def _slots(plan: Plan) -> list[Slot]:
    """All slots, those that inlined launches read among them."""
    return [*plan.slots, *(s for launch in plan.inlined.values() for s in launch.inputs)]


def _check_types(plan: Plan, storage: Mapping[str, Array]) -> None:
    """Raise TypeError for storage of another type than the plan is for."""
    for slot in _slots(plan):
        if slot.place == "storage" and storage[slot.key].dtype != element(slot.dtype, plan.precision).host:
            wanted = element(slot.dtype, plan.precision).name
            raise TypeError(f"{slot.key} is stored as {storage[slot.key].dtype}, the plan is for {wanted}")


def _aligned_copy(array: Array) -> Array:
    copy = aligned(max(8, array.nbytes))[: array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
