"""Steps in parts that threads share: each piece once, no phase before the one ahead of it, whoever is there."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from backends.test_walk import ALL, FEED, SPENT, call, counting, guarded, number_of, output_of
from nnctl.backends.cpu.codegen.entries import Barrier, Entry
from nnctl.backends.cpu.codegen.parameters import ArrayParameter, WholeParameter
from nnctl.backends.cpu.codegen.source import StepSource
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.backends.cpu.layouts import LINE, TableLayout, address_of
from nnctl.backends.cpu.sharing import SharedTables
from nnctl.backends.cpu.tables import Memory, aligned
from nnctl.plan.plan import Slot

pytestmark = pytest.mark.compile

NEVER, ALWAYS = 10**18, 0
"""Turns after which threads never give their core away, and after each piece."""


@dataclass
class Run:
    """Entries in so many parts, as threads share them."""

    entries: list[Entry]
    parts: int
    turn: int = NEVER
    outputs: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.storage = {"counts": np.zeros(32, np.int64), "spent": np.zeros(32, np.float32)}
        source = StepSource(tuple(self.entries), 16, ())
        functions = compiled_step(source.kinds, "a test")
        memory = Memory(aligned(LINE), self.storage, {}, aligned(LINE))
        layouts = [TableLayout(part, self.parts, source, functions, meets=False) for part in range(self.parts)]
        self.shared = SharedTables(layouts, memory, turn=self.turn)

    def completed(self, threads: int, steps: int, feed: np.ndarray | None = None) -> list[int]:
        """The steps completed, as so many threads tell."""
        feeds = {} if feed is None else {"feed": address_of(feed)}
        self.shared.aim(feeds, {name: address_of(array) for name, array in self.outputs.items()}, steps)
        found = [-1] * threads

        def share(number: int) -> None:
            found[number] = self.shared.run(number, threads, steps)

        workers = [threading.Thread(target=share, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return found


@pytest.mark.parametrize("turn", [NEVER, ALWAYS])
@pytest.mark.parametrize(("threads", "parts"), [(1, 1), (1, 5), (2, 2), (2, 8), (3, 4), (3, 15), (4, 3)])
def test_each_piece_is_done_once_and_none_before_those_it_waits_for(threads, parts, turn):
    """Also where a part takes long, so that others wait asleep."""
    rounds = 200
    for every, turns in ((rounds // 4, 400_000), (rounds, 0)):
        run = Run(counting(parts, parts - 1, every, turns), parts, turn)
        assert run.completed(threads, rounds) == [rounds] * threads
        assert list(run.storage["counts"][: parts + 1]) == [rounds] * parts + [0]
        assert run.completed(threads, 7) == [7] * threads


def test_without_a_barrier_a_part_is_behind_the_others():
    """The check that the test above relies on."""
    entries = [entry for entry in counting(4, 3, 1000, 0) if not isinstance(entry, Barrier)]
    assert Run(entries, 4).completed(1, 3) == [0]


def test_a_thread_that_never_comes_keeps_nobody_waiting():
    """What would be another's is done by whoever is there."""
    run = Run(counting(6, 5, 1000, 0), 6)
    run.shared.aim({}, {}, 40)
    assert run.shared.run(1, 3, 40) == 40
    assert list(run.storage["counts"][:7]) == [40] * 6 + [0]
    # It finds nothing left to do where it comes at last.
    assert run.shared.run(0, 3, 40) == 40
    assert list(run.storage["counts"][:7]) == [40] * 6 + [0]


@pytest.mark.parametrize(
    ("thread", "order"), [(0, [0, 1, 2, 3, 4, 5]), (1, [2, 3, 4, 5, 0, 1]), (2, [4, 5, 0, 1, 2, 3])]
)
def test_threads_begin_with_parts_of_their_own(thread, order):
    """So that what a part reads again is in the cache of the same core."""
    lines = ["counts[mine] = counts[31]", "counts[31] = counts[31] + 1"]
    run = Run([call(lines, counts=ALL, mine=number_of(6))], 6)
    run.shared.aim({}, {}, 1)
    assert run.shared.run(thread, 3, 1) == 1
    assert [int(n) for n in np.argsort(run.storage["counts"][:6], kind="stable")] == order


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_feeds_and_outputs_move_and_the_last_step_has_no_next(steps, threads):
    both = {"now": ArrayParameter(FEED), "later": ArrayParameter(FEED, of="following")}
    kept = np.full((steps + 1, 2), -1.0, np.float32)
    out = output_of(Slot("pair", "storage", (2,), "real", "pair"), "out")
    entries = [
        call(["out[0] = now[0]", "out[1] = later[1]"], alone=True, out=out, **both),
        Barrier(),
        call(["counts[mine] = counts[mine] + 1"], counts=ALL, mine=number_of(3)),
        Barrier(),
    ]
    run = Run(entries, 3, outputs={"out": kept})
    feed = np.arange(2.0 * steps, dtype=np.float32).reshape(steps, 2)
    for _ in range(2):
        assert run.completed(threads, steps, feed) == [steps] * threads
        np.testing.assert_array_equal(kept[:steps, 0], feed[:, 0])
        np.testing.assert_array_equal(kept[:steps, 1], [*feed[1:, 1], feed[-1, 1]])
        np.testing.assert_array_equal(kept[steps], -1.0)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_all_parts_stop_in_the_step_whose_cost_is_no_number(threads, bad):
    """And the next chunk begins as any other."""
    run = Run(guarded(4), 4)
    feed = np.ones((50, 2), np.float32)
    for step in (0, 1, 31, 49):
        spoilt = feed.copy()
        spoilt[step:, 0] = bad
        run.storage["counts"][:] = 0
        assert run.completed(threads, 50, spoilt) == [step] * threads
        np.testing.assert_array_equal(run.storage["counts"][:4], step)
        assert run.completed(threads, 50, feed) == [50] * threads


def test_no_steps_no_calls_and_as_many_parts_as_there_are_bits():
    assert Run(guarded(4), 4).completed(2, 0, np.ones((1, 2), np.float32)) == [0, 0]
    assert Run([], 4).completed(2, 5) == [5, 5]
    lines = ["spent[mine] = spent[mine] + F(parts)"]
    known = WholeParameter(31)
    run = Run([call(lines, spent=ArrayParameter(SPENT), mine=number_of(31), parts=known), Barrier()], 31)
    assert run.completed(2, 9) == [9, 9]
    assert list(run.storage["spent"]) == [9 * 31] * 31 + [0]
