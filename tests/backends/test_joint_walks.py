"""Trials as rows of one call of compiled code: each is to the bit what it is alone, whoever it computes with."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from backends.spec_steps import FOLDER, SpecSteps, compiled_specs, spec_steps
from backends.test_alike import with_other_numbers
from backends.trials import Trial, given, together
from nnctl.backends.cpu import joint
from nnctl.backends.cpu.executable import ChunkInFlight, CompiledStep
from nnctl.backends.cpu.joint import Row
from nnctl.backends.cpu.schedule import CpuPlan, lowered
from nnctl.backends.cpu.ways import Choice, Way
from nnctl.backends.waiting_rows import WaitingRows

pytestmark = pytest.mark.compile

CHUNKS = ((5, 3, 4), (4, 4, 4), (7, 5), (6, 2, 4), (5,), (1, 11))
"""Of each trial. The third diverges in its first chunk; the fifth ends early; lengths differ."""
DIVERGES = 2


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for steps of tests before."""
    monkeypatch.setattr(joint, "WALKS", WaitingRows(joint._launch))
    monkeypatch.setattr("nnctl.backends.cpu.executable.WALKS", joint.WALKS)


class WalkedTrial(Trial):
    """A trial on one thread. number: decides its seed, rate and first weights."""

    def __init__(self, number: int, plan: CpuPlan, steps: SpecSteps, *, rows: bool) -> None:
        storage, feeds = given(number, steps, diverges=number == DIVERGES)
        step = CompiledStep(plan, storage, Choice(Way(1)), joint=rows)
        super().__init__(step, storage, feeds, CHUNKS[number])


def plans_of(steps: SpecSteps) -> list[CpuPlan]:
    """A plan for each trial: some have other numbers in their formulas, as another λ."""
    plan = lowered(steps.network.training_step, steps.sizes)
    other = with_other_numbers(plan)
    return [plan if number % 2 else other for number in range(len(CHUNKS))]


@pytest.mark.slow
@pytest.mark.parametrize("path", compiled_specs(), ids=lambda path: path.stem)
def test_rows_of_one_call_are_to_the_bit_what_each_trial_is_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = spec_steps(path, 4, 20)
    plans = plans_of(steps)
    walks: list[int] = []
    launch = joint._launch

    def counted(rows: Sequence[Row]) -> None:
        walks.append(len(rows))
        launch(rows)

    monkeypatch.setattr(joint.WALKS, "_launch", counted)
    found = together([WalkedTrial(number, plan, steps, rows=True) for number, plan in enumerate(plans)])
    assert max(walks) > 1
    assert sum(walks) == sum(len(bits) for bits, _ in found)
    for number, plan in enumerate(plans):
        alone = WalkedTrial(number, plan, steps, rows=False)
        assert together([alone])[0] == found[number], number
    done = [sum(completed for completed, _ in bits) for bits, _ in found]
    # What diverges stops there, and nobody else does.
    assert [*done[:DIVERGES], *done[DIVERGES + 1 :]] == [12, 12, 12, 5, 12]
    assert done[DIVERGES] == 2 or path.stem != "xor"


def test_long_rows_compute_on_a_thread_while_their_maker_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CompiledStep, "is_brief", lambda self, steps: False)
    steps = spec_steps(FOLDER / "xor.yaml", 4, 20)
    plans = plans_of(steps)
    trials = [WalkedTrial(number, plan, steps, rows=True) for number, plan in enumerate(plans)]
    pending = [trials[0].start(), trials[1].start(), trials[3].start()]
    assert all(isinstance(each, Row) for each in pending)
    assert {each.walk is not None for each in pending} == {True}  # half of the six
    with pytest.raises(RuntimeError, match="while its last chunk is in flight"):
        trials[0].steps.start({}, 1)
    for trial, each in zip((trials[0], trials[1], trials[3]), pending, strict=True):
        trial.land(each)
    for number in (0, 1, 3):
        while trials[number].chunks:
            trials[number].land(trials[number].start())
        assert trials[number].bits() == together([WalkedTrial(number, plans[number], steps, rows=False)])[0]


def test_who_is_asked_for_waits_for_nobody() -> None:
    steps = spec_steps(FOLDER / "xor.yaml", 4, 20)
    trials = [WalkedTrial(number, plan, steps, rows=True) for number, plan in enumerate(plans_of(steps))]
    pending = trials[0].start()
    assert pending.walk is None
    trials[0].land(pending)
    assert trials[0].found[0][0] == 5


def test_a_trial_alone_has_chunks_of_its_own() -> None:
    steps = spec_steps(FOLDER / "xor.yaml", 4, 20)
    plan = plans_of(steps)[0]
    first, second = (WalkedTrial(number, plan, steps, rows=True) for number in (0, 1))
    pending = first.start()
    assert isinstance(pending, Row)
    first.land(pending)
    del second
    gc.collect()
    assert isinstance(first.start(), ChunkInFlight)


def test_a_thread_that_cannot_be_had_fails_each_row_and_leaves_it_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = spec_steps(FOLDER / "xor.yaml", 4, 20)
    plans = plans_of(steps)
    trials = [WalkedTrial(number, plan, steps, rows=True) for number, plan in enumerate(plans[:2])]
    before = [trial.bits() for trial in trials]

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(CompiledStep, "is_brief", lambda self, steps: False)
        patched.setattr(threading.Thread, "start", refuse)
        pending = [trial.start() for trial in trials]
        for each in pending:
            with pytest.raises(RuntimeError, match="can't start new thread"):
                each.result()
    assert [trial.bits() for trial in trials] == before
    trials[0].land(trials[0].start())
