"""The barrier and the shared walk, as their text is compiled, under every interleaving of a few threads."""

from __future__ import annotations

from typing import Any

import pytest

from backends.interleavings import SHARED, Function, Machine
from nnctl.backends.cpu import sharing_ir, walk_ir
from nnctl.backends.cpu.sharing_ir import PART_HEAD

WALK = walk_ir.module_text("x86_64", linux=True)
SHARE = sharing_ir.module_text("x86_64", linux=True)


def met(text: str, threads: int, spins: int) -> list[tuple[int, ...]]:
    """The counters, and each thread's result, wherever so many threads at a barrier can go no further; None sleeps."""
    machine = Machine(Function.of(text, "nnctl_meet"), [SHARED, threads, spins])
    ends = machine.ends(machine.started([[0]] * threads, bytes(384)))
    return [
        (*(int.from_bytes(end.memory[at : at + 4], "little") for at in (0, 128, 256)), *(t.result for t in end.threads))
        for end in ends
    ]


@pytest.mark.parametrize(("threads", "spins"), [(1, 0), (2, 0), (2, 2), (3, 0), (3, 1)])
def test_all_come_through_the_barrier(threads, spins):
    assert met(WALK, threads, spins) == [(0, 1, 0, *[0] * threads)]


def test_a_thread_that_nobody_wakes_is_found():
    """As where whoever comes last looks for those asleep before the others can see that it came."""
    early = WALK.replace("  %raised = atomicrmw add ptr %generation, i32 1 seq_cst, align 4\n", "")
    early = early.replace(
        "  %some = icmp ne i32 %asleep, 0\n",
        "  %raised = atomicrmw add ptr %generation, i32 1 seq_cst, align 4\n  %some = icmp ne i32 %asleep, 0\n",
    )
    assert any(None in end for end in met(early, 2, 0))


class Launches:
    """Launches that note the pieces of a phase that are done, those that are open, and the number of the phase."""

    def __init__(self, parts: int, phases: int, spoilt: int | None) -> None:
        self.parts, self.phases, self.spoilt = parts, phases, spoilt

    def __call__(self, arguments: int, notes: Any) -> tuple[int, Any]:
        """The beginning of a piece, of odd arguments, or its end."""
        piece, begins = divmod(arguments, 2)
        phase, part = divmod(piece, self.parts)
        done, open_pieces, number = notes or (frozenset(), frozenset(), 0)
        if begins:
            assert number % self.phases == phase, "a phase begins before the one ahead of it has ended"
            assert part not in done | open_pieces, "a piece is done twice"
            return 0, (done, open_pieces | {part}, number)
        done, open_pieces = done | {part}, open_pieces - {part}
        status = int(number == self.spoilt)
        if len(done) == self.parts:
            assert not open_pieces
            return status, (frozenset(), frozenset(), number + 1)
        return status, (done, open_pieces, number)


def shared(
    text: str,
    threads: int,
    parts: int,
    phases: int,
    steps: int,
    *,
    spins: int = 0,
    turn: int = 1,
    spoilt: int | None = None,
) -> set[tuple[object, ...]]:
    """The phases done, and each thread's result, wherever so many threads that share can go no further.

    spoilt: the number of a phase whose launches give an error.
    """
    records_a_part = 2 * phases
    constants = [parts, phases]
    first_record = 2 + parts * (PART_HEAD + phases + 1)
    for part in range(parts):
        records = 8 * (first_record + part * 2 * records_a_part)
        constants += [records, 0, 0, 0, *range(0, records_a_part + 1, 2)]
    for part in range(parts):
        for phase in range(phases):
            piece = phase * parts + part
            constants += [0, 2 * piece + 1, 0, 2 * piece]
    machine = Machine(Function.of(text, "nnctl_share"), constants, Launches(parts, phases, spoilt))
    firsts = [parts * thread // threads for thread in range(threads)]
    start = machine.started([[SHARED, 0, first, spins, turn, steps] for first in firsts], bytes(512))
    return {((end.notes or (0, 0, 0))[2], *(t.result for t in end.threads)) for end in machine.ends(start)}


@pytest.mark.parametrize(
    ("threads", "parts", "phases", "steps"), [(1, 3, 2, 2), (2, 1, 2, 2), (2, 2, 2, 2), (2, 3, 1, 2), (3, 2, 1, 2)]
)
@pytest.mark.parametrize(("spins", "turn"), [(0, 1), (1, -1)])
def test_each_piece_is_done_once_and_all_come_to_the_end(threads, parts, phases, steps, spins, turn):
    ends = shared(SHARE, threads, parts, phases, steps, spins=spins, turn=turn)
    assert ends == {(steps * phases, *[steps] * threads)}


def test_all_stop_behind_the_phase_that_fails():
    assert shared(SHARE, 2, 2, 2, 3, spoilt=2) == {(3, 1, 1)}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        # Who takes a piece does not look whether another has taken it meanwhile.
        ("br i1 %got, label %piece.begin, label %look.again", "br label %piece.begin"),
        # The pieces done are counted from where the next phase may have counted some.
        ("  store atomic i32 0, ptr %done.address monotonic, align 4\n", ""),
        # Nobody is woken.
        ("br i1 %some, label %wake, label %piece.end", "br label %piece.end"),
        # A phase begins when one piece of the last is open.
        ("%others = sub i32 %count, 1", "%others = sub i32 %count, 2"),
    ],
)
def test_what_is_wrong_is_found(right, wrong):
    assert right in SHARE
    try:
        ends = shared(SHARE.replace(right, wrong), 2, 2, 2, 2)
    except AssertionError:
        return
    assert ends != {(4, 2, 2)}
