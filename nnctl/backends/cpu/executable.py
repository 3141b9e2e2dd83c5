"""Loaded steps of the compiled CPU backend: tables of calls over memory, walked by threads, chunk by chunk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.constants import constants_of
from nnctl.backends.contract import Alternative, Pending, Resources, Result
from nnctl.backends.cpu.cycles import seconds_a_cycle
from nnctl.backends.cpu.joint import WALKS, Row
from nnctl.backends.cpu.layouts import LINE
from nnctl.backends.cpu.pace import Crew, Pace
from nnctl.backends.cpu.paging import have_given
from nnctl.backends.cpu.schedule import CpuPlan
from nnctl.backends.cpu.sharing import SharedTables
from nnctl.backends.cpu.tables import Memory, ThreadTable, aligned
from nnctl.backends.cpu.ways import Choice, Trial, Way
from nnctl.backends.limits import product_limit
from nnctl.plan.plan import Plan
from nnctl.process.cores import short_turns, spread

Array = NDArray[Any]
Walk: TypeAlias = Callable[[int], int]
"""A thread's work for a chunk of so many steps; it gives the number of steps completed."""

_BRIEF = 0.02
"""Seconds of a chunk that is not worth a thread of its own: one beginning beside others may wait as long."""
_SLOW = 1e9
"""FLOP/s that any step reaches on any processor."""


class CompiledStep:
    """A compiled plan over its storage. joint: whether its chunks may be rows of calls that trials share."""

    def __init__(
        self, plan: CpuPlan, storage: Mapping[str, Array], choice: Choice, *, timed: bool = False, joint: bool = False
    ) -> None:
        if plan.precision != "float32":
            raise ValueError(f"the cpu backend computes in float32, the plan in {plan.precision}")
        self.plan = plan
        self.threads = choice.way.threads
        self.resources = Resources(self.threads, choice.way.words)
        self.batch = plan.batch
        self.seconds = 0.0
        """Of all chunks that have ended."""
        self._steps = 0
        self._choice = choice
        # Before its code, which may have to be compiled: the system gives the memory meanwhile.
        arena = aligned(max(LINE, plan.arena_bytes))
        have_given(arena)
        self._pace = Pace(self.threads, choice.fastest, shares=not timed)
        self.code = plan.code
        self._walk = self.code.walk
        self._arrays = self.code.arrays
        self.code.require_types(storage)
        self._in_flight = False
        self._counters = aligned(6 * LINE)
        clock = np.zeros(len(plan.launches) + 2, np.int64) if timed else None
        constants = constants_of(plan, storage, np.asarray)
        self._memory = Memory(arena, storage, constants, self._counters, clock)
        self._tables: dict[int, list[ThreadTable]] = {}
        self._tables_of(self.threads)
        self._shared: dict[int, SharedTables] = {}
        self._joint = joint and not timed and self.threads == 1
        if self._joint:
            WALKS.add(self.code.kind, self)

    def start(self, feeds: Mapping[str, Array], steps: int, crew: Crew | None = None) -> Pending:
        """See `Executable` in the contract: the chunk runs on threads of its own.

        crew: these; those that the run's pace asks for if None. One that shares keeps no time.
        """
        if self._in_flight:
            raise RuntimeError(f"the step {self.plan.name!r} is started while its last chunk is in flight")
        held, given = self._arrays.given(feeds, steps)
        outputs, written = self._arrays.made(steps)
        self._counters[:] = 0
        if crew is None and self._joint and WALKS.shared(self.code.kind):
            (table,) = self._tables_of(1)
            table.aim(given, written, steps)
            self._in_flight = True
            row = Row(self, table.walked, steps, held, outputs)
            WALKS.enter(row)
            return row
        crew = crew or self._pace.crew()
        walks = self._walks(crew, given, written, steps)
        self._in_flight = True
        at_once = crew.threads == 1 and self.is_brief(steps)
        return ChunkInFlight(self, crew, walks, steps, held, outputs, at_once=at_once)

    def _walks(self, crew: Crew, feeds: Mapping[str, int], outputs: Mapping[str, int], steps: int) -> list[Walk]:
        """The work of each thread of a crew. feeds, outputs: where each array begins."""
        if crew.parts is not None:
            shared = self._shared_in(crew.parts)
            shared.aim(feeds, outputs, steps)
            return [partial(shared.run, thread, crew.threads) for thread in range(crew.threads)]
        tables = self._tables_of(crew.threads)
        for table in tables:
            table.aim(feeds, outputs, steps)
        return [partial(self._run, table) for table in tables]

    def is_brief(self, steps: int) -> bool:
        """True where so many steps take hardly longer than a thread takes to begin, as those before or FLOPs tell."""
        a_step = self.seconds / self._steps if self._steps else self.plan.flops / _SLOW
        return a_step * steps < _BRIEF

    def _run(self, table: ThreadTable, steps: int) -> int:
        """One thread's part of a chunk; the number of steps completed."""
        return int(self._walk(*table.walked, steps))

    def land(self, crew: Crew, seconds: float, completed: int) -> None:
        """End a chunk: the next may start. seconds, completed: what it took for how many steps."""
        self._in_flight = False
        self.seconds += seconds
        self._steps += completed
        self._pace.took(crew, seconds, completed)

    def _tables_of(self, threads: int) -> list[ThreadTable]:
        if threads not in self._tables:
            layouts = self.code.layouts(threads, timed=self._memory.clock is not None)
            self._tables[threads] = [ThreadTable(layout, self._memory) for layout in layouts]
        return self._tables[threads]

    def _shared_in(self, parts: int) -> SharedTables:
        if parts not in self._shared:
            self._shared[parts] = SharedTables(self.code.parts(parts), self._memory)
        return self._shared[parts]

    def spent(self) -> Array:
        """See `TimedExecutable`; zeros where it was not made to keep time."""
        clock = self._memory.clock
        if clock is None:
            return np.zeros(len(self.plan.launches))
        seconds = clock[: len(self.plan.launches)] * seconds_a_cycle()
        clock[:] = 0
        return seconds

    def elsewhere(self) -> frozenset[int]:
        """See `TimedExecutable`: each launch is by itself."""
        return frozenset()

    def limit(self) -> float:
        """See `TimedExecutable`."""
        return product_limit(self.threads)

    def chosen_from(self) -> tuple[Alternative, ...]:
        """See `TimedExecutable`."""
        taken = self._choice.way
        return tuple(Alternative(way.words, seconds, way == taken) for way, seconds in self._choice.seconds)


class ChunkInFlight:
    """A chunk of steps on threads of its own, or `at_once` on the calling one; the `Pending` of this backend."""

    def __init__(
        self,
        executable: CompiledStep,
        crew: Crew,
        walks: Sequence[Walk],
        steps: int,
        feeds: Sequence[Array],
        outputs: dict[str, Array],
        *,
        at_once: bool,
    ) -> None:
        self._executable = executable
        self._crew = crew
        self._steps = steps
        self._feeds = feeds
        """Kept, as the outputs are: compiled code knows addresses alone."""
        self._outputs = outputs
        self._completed = 0
        self._raised: BaseException | None = None
        self._began = time.perf_counter()
        self._seconds = 0.0
        # No daemons: a process that ends with a chunk in flight waits for it, for its code and memory must outlive it.
        self._threads: list[threading.Thread] = []
        if at_once:
            self._walk(0, walks[0])
            executable.land(crew, self._seconds, self._completed)
            return
        self._gate = threading.Event()
        self._abandoned = False
        try:
            with short_turns():
                for number, walk in enumerate(walks):
                    self._threads.append(threading.Thread(target=self._work, args=(number, walk)))
                    self._threads[-1].start()
        except BaseException:
            # At a barrier those that are here would wait for the others for ever.
            self._abandoned = True
            executable.land(crew, 0.0, 0)
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
        outputs = self._outputs
        if self._completed < self._steps:
            outputs = {name: array[: self._completed] for name, array in outputs.items()}
        return Result(self._completed, outputs, self._seconds)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()
        if self._threads:
            self._threads = []
            self._executable.land(self._crew, self._seconds, self._completed)

    def _work(self, thread: int, walk: Walk) -> None:
        self._gate.wait()
        if self._abandoned:
            return
        if self._crew.threads > 1:
            spread(thread)
        self._walk(thread, walk)

    def _walk(self, thread: int, walk: Walk) -> None:
        try:
            completed = walk(self._steps)
        except BaseException as error:  # noqa: BLE001 — raised again where the result is taken
            self._raised = error
        else:
            if thread == 0:
                self._completed = completed
                self._seconds = time.perf_counter() - self._began


class Trials:
    """Runs of a plan in several ways, on copies of what it changes."""

    def __init__(self, plan: CpuPlan, storage: Mapping[str, Array]) -> None:
        self._plan = plan
        self._given = storage
        self._loaded: dict[bool, CompiledStep] = {}

    @cached_property
    def _storage(self) -> dict[str, Array]:
        """Storage that may be changed. Copied when the first way is tried: mostly the choice was made before."""
        changed = changed_by(run_as(self._plan, Way(1))) | changed_by(run_as(self._plan, Way(1, owned=True)))
        return {key: array.copy() if key in changed else array for key, array in self._given.items()}

    def run(self, way: Way, steps: int) -> Trial | None:
        """A chunk of so many steps; None where they do not come to their end.

        Rates are 0 and indices are of the first example: what is timed is arithmetic, and where it takes place.
        """
        if way.owned not in self._loaded:
            self._loaded[way.owned] = CompiledStep(run_as(self._plan, way), self._storage, Choice(way))
        loaded = self._loaded[way.owned]
        feeds = loaded.plan.code.zeros(steps)
        began, used = time.perf_counter(), time.process_time()
        completed = loaded.start(feeds, steps, Crew(way.threads)).result().completed
        seconds, used = time.perf_counter() - began, time.process_time() - used
        return Trial(seconds, used / seconds / way.threads) if completed == steps else None


def run_as(plan: CpuPlan, way: Way) -> CpuPlan:
    """The plan that a plan is run as in a way; itself where no thread can own weights."""
    return plan.owned if way.owned and plan.owned is not None else plan.shared


def changed_by(plan: Plan) -> set[str]:
    """The keys of what a plan changes in storage."""
    written = [slot for launch in plan.launches for slot in launch.outputs]
    return {slot.key for slot in (*written, *(old for _, old in plan.copies)) if slot.place == "storage"}
