"""Branches of a phase: what lies in which, that none needs what another makes, and steps with one order too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.cuda.emulator import EmulatedDevice, EmulatedError, compiler
from backends.cuda.test_phases import SPECS, Span, span
from backends.spec_steps import FOLDER, spec_steps
from nnctl.backends.cuda import product_library
from nnctl.backends.cuda.branches import branches_of, phases_of
from nnctl.backends.cuda.calls import Call, Scratch
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.device import BRANCHES
from nnctl.backends.cuda.executable import CapturedWay
from nnctl.backends.cuda.product_library import LibraryCall, Piece, Product, pieces_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.plan.plan import Plan, Slot

emulated = pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")
GRAPHS = ("training_step", "evaluation", "prediction")


class Library:
    """A library that is there."""

    def prepared(self, product: Product, a: int, b: int, c: int, beside: int = 0) -> Callable[[], None]:
        raise NotImplementedError


# -- what lies where -------------------------------------------------------------------------


def grid(blocks: int, shared: int = 0, *, cooperative: bool = False) -> Call:
    arguments = (Scratch(1), Scratch(1, key="other"), 1)
    return Call(function("steps.cu", "copy_real"), blocks, arguments, shared, cooperative=cooperative)


def product() -> LibraryCall:
    slot = Slot("x", "arena", (4, 4), "real")
    return LibraryCall(Library(), Product(4, 4, 4, False, False, "float32"), slot, slot, slot)


@pytest.mark.parametrize(
    ("pieces", "branches"),
    [
        ({}, []),
        ({3: [grid(1)]}, [[3]]),
        ({3: [grid(1)], 5: [grid(2)]}, [[5], [3]]),
        ({3: [grid(1), grid(2)], 5: [grid(2)]}, [[3], [5]]),
        # Shared memory is room, too.
        ({3: [grid(1, 8 << 10)], 5: [grid(2)]}, [[3], [5]]),
        ({i: [grid(1 + i % 3)] for i in range(7)}, [[2], [0, 4], [1, 5], [3, 6]]),
        # What cannot run beside its like is in one branch, however small.
        ({0: [grid(99)], 1: [grid(1, cooperative=True)], 2: [grid(1)], 3: [grid(1), grid(2, cooperative=True)]},
         [[1, 3], [0], [2]]),
        ({0: [grid(9)], 1: [product()], 2: [grid(7, cooperative=True)], 3: [product(), grid(1)]}, [[1, 2, 3], [0]]),
        ({0: [product()], 1: [product()]}, [[0, 1]]),
    ],
)  # fmt: skip
def test_the_first_branch_has_the_largest_or_what_stays_in_the_stream(
    pieces: Mapping[int, Sequence[Piece]], branches: list[list[int]]
) -> None:
    assert branches_of(pieces) == branches
    assert len(branches) <= BRANCHES


def test_a_phase_ends_at_the_guard() -> None:
    steps = spec_steps(FOLDER / "digits.yaml", 5, 9)
    plan = lowered(steps.network.training_step, steps.sizes)
    phases = phases_of(plan)
    assert [i for phase in phases for i in phase] == list(range(len(plan.launches)))
    assert any(phase[0] == plan.guarded for phase in phases)
    for before, behind in pairwise(phases):
        same = plan.launches[before[-1]].phase == plan.launches[behind[0]].phase
        assert not same or behind[0] == plan.guarded
    assert phases_of(replace(plan, launches=(), guarded=0)) == []


# -- no branch needs what another makes ------------------------------------------------------


def touched(piece: Piece) -> Iterator[tuple[Span, bool]]:
    """The memory of a piece and of what may run instead, and whether it is written. Scratch is of its launch alone."""
    if isinstance(piece, LibraryCall):
        yield from ((span(each), False) for each in (piece.a, piece.b))
        yield from ((span(each), True) for each in (piece.c, piece.beside) if isinstance(each, Slot))
    else:
        for parameter, argument in zip(piece.function.parameters, piece.arguments, strict=True):
            if isinstance(argument, Slot):
                yield span(argument), parameter.written
    for other in piece.instead:
        yield from touched(other)


def races(plan: Plan, pieces: Sequence[Sequence[Piece] | None]) -> list[str]:
    """In words: branches that meet where one of them writes."""
    found = []
    for phase in phases_of(plan):
        made = {i: of_launch for i in phase if (of_launch := pieces[i])}
        branches = [
            [(i, *each) for i in branch for p in made[i] for each in touched(p)] for branch in branches_of(made)
        ]
        for one, other in combinations(branches, 2):
            for i, a, writes in one:
                found += [f"launches {i} and {j} meet" for j, b, w in other if (writes or w) and a.meets(b)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_no_spec_has_branches_that_meet(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a library that makes all products, too, and sums beside them."""
    monkeypatch.setattr(product_library, "worth_a_library", lambda m, n, k: True)
    steps = spec_steps(path, 5, 9)
    for name in GRAPHS:
        plan = lowered(getattr(steps.network, name), steps.sizes)
        for library in (None, Library()):
            assert races(plan, pieces_of(plan, "float32", library)) == [], (name, library)


def with_a_phase_too_few(plan: Plan, last: int) -> Plan:
    launches = (replace(launch, phase=launch.phase - (launch.phase >= last)) for launch in plan.launches)
    return replace(plan, launches=tuple(launches))


def test_branches_that_meet_are_seen() -> None:
    steps = spec_steps(FOLDER / "digits.yaml", 5, 9)
    plan = lowered(steps.network.training_step, steps.sizes)
    pieces = pieces_of(plan, "float32", None)
    assert races(plan, pieces) == []
    for last in range(1, max(launch.phase for launch in plan.launches) + 1):
        wrong = with_a_phase_too_few(plan, last)
        # The guard keeps the two that it lies between apart.
        assert races(wrong, pieces) or len(phases_of(wrong)) == len(phases_of(plan)), last


# -- on a device -----------------------------------------------------------------------------


def trained(plan: Plan, storage: Mapping[str, Any], feeds: Mapping[str, Any], order: int) -> dict[str, bytes]:
    device = EmulatedDevice(order)
    placed = {name: device.upload(array) for name, array in storage.items()}
    CapturedWay(plan).steps(placed, device).start(feeds, 3).result()
    return {name: device.download(array).tobytes() for name, array in placed.items()}


@emulated
@pytest.mark.slow
def test_branches_run_in_any_order_and_those_of_a_wrong_phase_do_not() -> None:
    """Every two neighbouring phases as one: what another branch needs is not there in one order of branches."""
    steps = spec_steps(FOLDER / "digits.yaml", 5, 9)
    plan, feeds = lowered(steps.network.training_step, steps.sizes), steps.feeds(3)
    right = trained(plan, steps.storage, feeds, 0)
    assert all(trained(plan, steps.storage, feeds, order) == right for order in (1, 2, 3))
    unseen = []
    for last in range(1, max(launch.phase for launch in plan.launches) + 1):
        wrong = with_a_phase_too_few(plan, last)
        if len(phases_of(wrong)) < len(phases_of(plan)):
            found = [trained(wrong, steps.storage, feeds, order) for order in (0, 1)]
            unseen += [last] if found == [right, right] else []
    assert unseen == []


@emulated
def test_a_device_runs_so_many_branches() -> None:
    device = EmulatedDevice(1)
    ran: list[int] = []
    device.in_branches([lambda i=i: ran.append(i) for i in range(BRANCHES)])
    assert ran == [3, 2, 1, 0]
    for count in (0, BRANCHES + 1):
        with pytest.raises(EmulatedError, match=f"{count} branches lie beside each other"):
            device.in_branches([lambda: None] * count)


@emulated
@pytest.mark.slow
def test_steps_are_captured_in_branches() -> None:
    steps = spec_steps(FOLDER / "digits.yaml", 5, 9)
    plan = lowered(steps.network.training_step, steps.sizes)
    counts: list[int] = []

    class Counting(EmulatedDevice):
        def in_branches(self, works: Sequence[Callable[[], None]]) -> None:
            counts.append(len(works))
            super().in_branches(works)

    device = Counting()
    placed = {name: device.upload(array) for name, array in steps.storage.items()}
    CapturedWay(plan).steps(placed, device).start(steps.feeds(2), 2).result()
    made = [[i for i in phase if pieces_of(plan, "float32", None)[i]] for phase in phases_of(plan)]
    assert counts == [min(len(phase), BRANCHES) for phase in made if len(phase) > 1]
    assert counts
    assert np.isfinite(device.download(placed[min(placed)])).all()
