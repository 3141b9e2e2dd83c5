"""The persistent kernel against the captured launches that it stands for, and its rounds against their meaning."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as pairs
from typing import Any

import numpy as np
import pytest
from graph.nets import Case, cases
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backends.cuda.emulator import EmulatedDevice, compiler
from backends.spec_steps import FOLDER, spec_steps
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.calls import Call
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.persistent.choice import blocks_for_grid, complete, obstacle
from nnctl.backends.cuda.persistent.pieces import Piece, Pointer, Region, pieces_of
from nnctl.backends.cuda.persistent.rounds import Rounds, rounds_of
from nnctl.backends.cuda.persistent.steps import PersistentSteps
from nnctl.graph.network import Network
from nnctl.plan.plan import Plan

needs_compiler = pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")

# -- rounds ------------------------------------------------------------------------------


@st.composite
def steps(draw: Any) -> list[Piece]:
    """Pieces of any size that read and write a few regions, a check of the guard among them."""
    values = [Region("value", str(n), 4) for n in range(5)]
    stored = [Region("storage", str(n), 4) for n in range(3)]
    copy = function("steps.cu", "copy_real")
    found = []
    checked = draw(st.integers(0, 6))
    for number in range(draw(st.integers(1, 9))):
        if number == checked:
            found.append(Piece(None, 1, 0, (Pointer(draw(st.sampled_from(values)), "real"),)))
        reads = draw(st.lists(st.sampled_from(values + stored), max_size=3))
        writes = draw(st.lists(st.sampled_from(values + (stored if number >= checked else [])), min_size=1, max_size=2))
        operands = [*(Pointer(r, "real") for r in reads), *(Pointer(r, "real", written=True) for r in writes)]
        found.append(Piece(copy, draw(st.sampled_from([1, 4, 5, 40])), 0, tuple(operands), guarded=number >= checked))
    return found


def conflict(a: Piece, b: Piece) -> set[Region]:
    """The memory on which the order of two pieces matters."""
    return set((a.writes & (b.reads | b.writes)) | (a.reads & b.writes))


def hands(rounds: Rounds, piece: Piece, grid: int) -> set[tuple[int, int]]:
    """Which block of the grid runs which block of a piece, wherever its level begins to deal them."""
    placement = rounds.placements[piece]
    by = range(grid) if isinstance(placement, str) else [placement % grid]
    return set(pairs(by, range(piece.blocks)))


@pytest.mark.parametrize("grid", [1, 3])
@settings(max_examples=100, deadline=None)
@given(pieces=steps())
def test_blocks_meet_wherever_one_needs_what_another_has_made(grid: int, pieces: Sequence[Piece]) -> None:
    rounds = rounds_of(pieces, alone=grid == 1)
    places = {p: (r, d) for r, levels in enumerate(rounds.levels) for d, level in enumerate(levels) for p in level}
    assert set(places) == set(pieces)
    for later, piece in enumerate(pieces):
        for before in pieces[:later]:
            if conflict(before, piece):
                assert places[before] < places[piece]
                if parted(rounds, before, piece, grid):
                    assert places[before][0] < places[piece][0]
            if before.function is None and any(r.place == "storage" for r in piece.writes):
                assert places[before] < places[piece]
    # The next step comes behind a barrier, unless what touches it at the seam is one block's own.
    if not rounds.meets:
        last = [p for p in pieces if places[p][0] == len(rounds.levels) - 1]
        first = [p for p in pieces if places[p][0] == 0]
        assert not any(conflict(a, b) and parted(rounds, a, b, grid) for a, b in pairs(last, first))


def parted(rounds: Rounds, a: Piece, b: Piece, grid: int) -> bool:
    """Whether two blocks of the grid may share memory that one of two pieces writes."""
    if grid == 1 or conflict(a, b) <= rounds.own:
        return False
    return len({block for p in (a, b) for block, _ in hands(rounds, p, grid)}) > 1


@settings(max_examples=100, deadline=None)
@given(pieces=steps())
def test_what_a_block_keeps_for_itself_is_made_where_it_is_read(pieces: Sequence[Piece]) -> None:
    rounds = rounds_of(pieces)
    for writer, reader in pairs(pieces, pieces):
        for region in (writer.writes & (reader.reads | reader.writes)) & rounds.own:
            assert rounds.placements[writer] in ("everywhere", rounds.placements[reader]), region
            assert rounds.placements[writer] != "spread"
    for piece in pieces:
        if rounds.placements[piece] == "everywhere":
            assert piece.writes <= rounds.own


# -- steps -------------------------------------------------------------------------------


def after(executable: Any, device: EmulatedDevice, storage: dict[str, Any], feeds: Any, chunks: Sequence[int]) -> Any:
    """The bits of all outputs and of storage after chunks of so many steps."""
    first, found = 0, []
    for count in chunks:
        result = executable.start({k: v[first : first + count] for k, v in feeds.items()}, count).result()
        found.append((result.completed, {name: array.tobytes() for name, array in result.outputs.items()}))
        first += count
    return found, {name: device.download(array).tobytes() for name, array in storage.items()}


def both_ways(plan: Plan, calls: Sequence[Sequence[Call]], stored: Any, feeds: Any, chunks: Sequence[int]) -> None:
    """Compare grids of several sizes, their threads in several orders, with captured launches."""
    device = EmulatedDevice()
    storage = {name: device.upload(array) for name, array in stored.items()}
    expected = after(CudaBackend(device).load(plan, storage), device, storage, feeds, chunks)
    for blocks, order in ((1, 0), (1, 1), (2, 7), (3, 1), (5, 0), (5, 9)):
        device = EmulatedDevice(order)
        storage = {name: device.upload(array) for name, array in stored.items()}
        found = after(PersistentSteps(plan, storage, device, calls, blocks), device, storage, feeds, chunks)
        assert found == expected, f"{blocks} blocks, order {order}"


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", ["sine", "xor", "book/ch1-30"])
def test_specs_train_as_by_captured_launches(name: str) -> None:
    spec = spec_steps(FOLDER / f"{name}.yaml", 4, 20)
    backend = CudaBackend(EmulatedDevice())
    plan = backend.plan(spec.network.training_step, spec.sizes)
    calls = calls_of(plan)
    if not complete(calls):
        pytest.skip(obstacle(plan, calls))
    both_ways(plan, calls, spec.storage, spec.feeds(5), (3, 2))


@needs_compiler
@pytest.mark.slow
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(case=cases())
def test_nets_train_as_by_captured_launches(case: Case) -> None:
    plan = CudaBackend(EmulatedDevice()).plan(Network(case.spec, case.signature).training_step, case.sizes())
    calls = calls_of(plan)
    assume(complete(calls))
    both_ways(plan, calls, {k: narrow(v) for k, v in case.storage().items()}, case.feeds(3, np.float32), (2, 1))


def narrow(array: Any) -> Any:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def test_a_small_net_meets_a_few_times_a_step_at_most() -> None:
    """Each barrier costs as much as the arithmetic between two of them."""
    spec = spec_steps(FOLDER / "book/ch1-30.yaml", 10, 20)
    plan = CudaBackend(EmulatedDevice()).plan(spec.network.training_step, spec.sizes)
    pieces = pieces_of(plan, [calls or [] for calls in calls_of(plan)])
    assert rounds_of(pieces).barriers <= 3
    assert blocks_for_grid(pieces, 132) > 1
    assert blocks_for_grid(pieces, 1) == 1
