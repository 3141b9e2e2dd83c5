"""The walk through a step's tables: the barrier, what moves from step to step, the guard."""

from __future__ import annotations

import ctypes
import platform
import sys
import threading
import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from nnctl.backends.cpu import layouts as module_of_layouts
from nnctl.backends.cpu import walk_ir
from nnctl.backends.cpu.codegen.entries import Barrier, Call, Entry, Pattern
from nnctl.backends.cpu.codegen.kinds import kind_of
from nnctl.backends.cpu.codegen.parameters import ArrayParameter, BoundParameter, Cut, WholeParameter
from nnctl.backends.cpu.codegen.source import StepSource
from nnctl.backends.cpu.codegen.vocabulary import vocabulary
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.backends.cpu.compiler.objects import AS_WRITTEN, addresses, object_code
from nnctl.backends.cpu.layouts import LINE, TableLayout, address_of
from nnctl.backends.cpu.tables import Memory, ThreadTable, aligned
from nnctl.backends.cpu.walk_ir import CROWDED_SPINS, SPINS
from nnctl.plan.plan import Slot

pytestmark = pytest.mark.compile

COUNTS = Slot("counts", "storage", (16,), "index", "counts")
SPENT = Slot("spent", "storage", (16,), "real", "spent")
COST = Slot("cost", "arena", (), "real")
FEED = Slot("feed", "feed", (2,), "real", "feed")
ALL = ArrayParameter(COUNTS)


def call(lines: list[str], *, alone: bool = False, **parameters) -> Call:
    kind, passed = kind_of(lines, parameters, frozenset(vocabulary()))
    slots = tuple(p.slot for p in passed if isinstance(p, ArrayParameter))
    return Call(Pattern(kind, passed, slots), slots, alone, None)


def number_of(threads: int) -> BoundParameter:
    """The number of the thread that asks."""
    return BoundParameter(Cut(threads), last=False)


@dataclass
class Run:
    """Entries as threads walk through them."""

    entries: list[Entry]
    threads: int = 1
    outputs: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.storage = {"counts": np.zeros(16, np.int64), "spent": np.zeros(16, np.float32)}
        self.counters = aligned(4 * 128).view(np.int32)
        source = StepSource(tuple(self.entries), 16, ())
        self.functions = compiled_step(source.kinds, "a test")
        memory = Memory(aligned(LINE), self.storage, {}, self.counters)
        layouts = [TableLayout(number, self.threads, source, self.functions) for number in range(self.threads)]
        self.tables = [ThreadTable(layout, memory) for layout in layouts]

    def completed(self, steps: int, feed: np.ndarray | None = None) -> list[int]:
        """Steps that each thread has completed, of a chunk of so many."""
        feeds = {} if feed is None else {"feed": address_of(feed)}
        found = [-1] * self.threads
        self.counters[:] = 0

        def walk(number: int) -> None:
            table = self.tables[number]
            found[number] = self.functions.walk(*table.walked, steps)

        for table in self.tables:
            table.aim(feeds, {name: address_of(array) for name, array in self.outputs.items()}, steps)
        workers = [threading.Thread(target=walk, args=(number,)) for number in range(self.threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return found


def counting(threads: int, late: int, every: int, turns: int) -> list[Entry]:
    """Each thread counts, and leaves where another has counted further, or not as far, when all should be there.

    late: the thread that in every so many steps takes so many turns first.
    """
    lines = [
        f"if mine == late and counts[mine] % {every} == 0:",
        "    for i in range(turns):",
        "        spent[mine] = spent[mine] * F(0.5) + F(1.0)",
        "counts[mine] = counts[mine] + 1",
    ]
    mine, known = number_of(threads), WholeParameter(threads)
    late_or_turns = {"late": BoundParameter(Cut(late), last=True), "turns": WholeParameter(turns)}
    work = call(lines, counts=ALL, spent=ArrayParameter(SPENT), mine=mine, **late_or_turns)
    check = call(
        ["for i in range(threads):", "    if counts[i] != counts[mine]:", "        return 1", "return 0"],
        counts=ALL, mine=mine, threads=known,
    )  # fmt: skip
    return [work, Barrier(), check, Barrier()]


@pytest.mark.parametrize(("threads", "rounds"), [(2, 3000), (3, 150), (4, 100), (5, 60)])
def test_threads_wait_for_one_another(threads, rounds):
    """Those of each core beside one another, and one that is late by milliseconds: the others sleep and are woken."""
    for every, turns in ((rounds // 4, 400_000), (rounds, 0)):
        run = Run(counting(threads, threads - 1, every, turns), threads)
        assert run.completed(rounds) == [rounds] * threads
        assert list(run.storage["counts"][: threads + 1]) == [rounds] * threads + [0]
        assert list(run.counters[::32]) == [0, 2 * rounds, 0, 0]
        assert run.completed(7) == [7] * threads


@pytest.mark.parametrize(("cores", "spins"), [(3, SPINS), (2, CROWDED_SPINS)])
def test_threads_that_share_cores_sleep_sooner(cores, spins, monkeypatch):
    monkeypatch.setattr(module_of_layouts, "cores", lambda: cores)
    run = Run([Barrier()], 3)
    assert [list(table._arguments[1:3]) for table in run.tables] == [[3, spins]] * 3
    assert run.completed(50) == [50] * 3


@pytest.mark.parametrize(("spins", "offers"), [(SPINS, 1), (CROWDED_SPINS, 0)])
def test_a_thread_that_waits_offers_its_core_once(spins, offers):
    """As the system may have put it beside the thread that all wait for: before it sleeps, unless it sleeps sooner."""
    offered, counters = np.zeros(1, np.int32), aligned(4 * 128).view(np.int32)
    counted = f"""define i32 @counted() {{
  %there = inttoptr i64 {address_of(offered)} to ptr
  %before = atomicrmw add ptr %there, i32 1 seq_cst, align 4
  ret i32 0
}}"""
    text = walk_ir.module_text(platform.machine(), linux=sys.platform == "linux")
    text = text.replace("declare i32 @sched_yield()", counted).replace("call i32 @sched_yield()", "call i32 @counted()")
    (meet,) = addresses([object_code(text, AS_WRITTEN)], ["nnctl_meet"])
    arguments = np.array([address_of(counters), 2, spins])
    waits = threading.Thread(
        target=ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(meet), args=(address_of(arguments),)
    )
    waits.start()
    while counters[64] == 0:  # those asleep
        time.sleep(0.001)
    ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(meet)(address_of(arguments))
    waits.join()
    assert list(counters[::32]) == [0, 1, 0, 0]
    assert offered[0] == offers or sys.platform != "linux"


def test_without_a_barrier_they_do_not():
    """The check that the test above relies on."""
    threads, late = 2, 1
    entries = [entry for entry in counting(threads, late, 1, 4_000_000) if not isinstance(entry, Barrier)]
    assert min(Run(entries, threads).completed(3)) < 3


def output_of(slot: Slot, name: str) -> ArrayParameter:
    return ArrayParameter(slot, of="output", output=name)


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_feeds_and_outputs_move_and_the_last_step_has_no_next(steps):
    pair = Slot("pair", "storage", (2,), "real", "pair")
    both = {"now": ArrayParameter(FEED), "later": ArrayParameter(FEED, of="following")}
    copying = call(["out[0] = now[0]", "out[1] = later[1]"], out=output_of(pair, "out"), **both)
    kept = np.full((steps + 1, 2), -1.0, np.float32)
    run = Run([copying], outputs={"out": kept})
    feed = np.arange(2.0 * steps, dtype=np.float32).reshape(steps, 2)
    for _ in range(2):
        assert run.completed(steps, feed) == [steps]
        np.testing.assert_array_equal(kept[:steps, 0], feed[:, 0])
        np.testing.assert_array_equal(kept[:steps, 1], [*feed[1:, 1], feed[-1, 1]])
        np.testing.assert_array_equal(kept[steps], -1.0)


def guarded(threads: int) -> list[Entry]:
    """The first thread finds the cost, all look at it, and count where it is a number."""
    cost = ArrayParameter(COST)
    return [
        call(["cost[0] = feed[0]"], alone=True, cost=cost, feed=ArrayParameter(FEED)),
        Barrier(),
        call(["if not math.isfinite(cost[0]):", "    return 1", "return 0"], cost=cost),
        call(["counts[mine] = counts[mine] + 1"], counts=ALL, mine=number_of(threads)),
        Barrier(),
    ]


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_all_threads_stop_in_the_step_whose_cost_is_no_number(threads, bad):
    """And the next chunk begins as any other."""
    run = Run(guarded(threads), threads)
    feed = np.ones((50, 2), np.float32)
    for step in (0, 1, 31, 49):
        spoilt = feed.copy()
        spoilt[step:, 0] = bad
        run.storage["counts"][:] = 0
        assert run.completed(50, spoilt) == [step] * threads
        np.testing.assert_array_equal(run.storage["counts"][:threads], step)
        assert run.completed(50, feed) == [50] * threads


@pytest.mark.parametrize("threads", [1, 3])
def test_no_steps_and_no_calls(threads):
    run = Run(guarded(threads), threads)
    assert run.completed(0, np.ones((1, 2), np.float32)) == [0] * threads
    assert not run.storage["counts"].any()
    assert Run([], threads).completed(5) == [5] * threads


def test_a_cut_divides_the_arrays_and_bounds_of_threads():
    """Each has its entries, and all together have each once."""
    cut = Cut(5, 3, 14)
    part = ArrayParameter(Slot("counts", "storage", (14,), "index", "counts"), cut)
    lines = ["for i in range(part.size):", "    part[i] = part[i] + first * 100 + last"]
    bounds = {"first": BoundParameter(cut, last=False), "last": BoundParameter(cut, last=True)}
    run = Run([call(lines, part=part, **bounds)], 3)
    assert run.completed(1) == [1] * 3
    parts = [cut.bounds(thread, 3) for thread in range(3)]
    assert parts == [(0, 3), (3, 9), (9, 14)]
    expected = [first * 100 + last for first, last in parts for _ in range(first, last)]
    assert list(run.storage["counts"]) == [*expected, 0, 0]
