"""No launch of a phase writes what another of the phase touches: they may run in any order, or at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from graph.nets import Case, cases
from hypothesis import given, settings

from backends.spec_steps import FOLDER, spec_steps
from nnctl.backends.cuda.calls import elements
from nnctl.backends.cuda.schedule import lowered
from nnctl.graph.network import Network
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Launch, Plan, Slot

SPECS = sorted(FOLDER.rglob("*.yaml"))
GRAPHS = ("training_step", "evaluation", "prediction")


@dataclass(frozen=True)
class Span:
    """Bytes of a memory: of the arena, or of an array by its key."""

    memory: tuple[str, str]
    first: int
    last: int

    def meets(self, other: Span) -> bool:
        return self.memory == other.memory and self.first < other.last and other.first < self.last


def span(slot: Slot) -> Span:
    return Span((slot.place, slot.key), slot.offset, slot.offset + elements(slot) * element(slot.dtype).host.itemsize)


def reads(plan: Plan, launch: Launch) -> Iterator[Span]:
    """What a launch reads, what is computed where it is read among it."""
    for slot in launch.inputs:
        if slot.place == "inline":
            yield from reads(plan, plan.inlined[slot.key])
        else:
            yield span(slot)


def races(plan: Plan) -> list[str]:
    """In words: pairs of a phase that meet, phases that go back, and storage that is written before the guard."""
    found = []
    touched = [(set(reads(plan, launch)), {span(slot) for slot in launch.outputs}) for launch in plan.launches]
    guards = () if plan.guard is None else (span(plan.guard),)
    known = [n.phase for n in plan.launches[: plan.guarded] if any(g.meets(span(s)) for g in guards for s in n.outputs)]
    for i, (launch, (_, written)) in enumerate(zip(plan.launches, touched, strict=True)):
        for j, other in enumerate(plan.launches):
            if i == j or launch.phase != other.phase:
                continue
            for kind, spans in (("reads", touched[j][0]), ("writes", touched[j][1])):
                if any(a.meets(b) for a in written for b in spans):
                    found.append(f"phase {launch.phase}: launch {i} ({launch.op.name}) writes what {j} {kind}")
        if i and launch.phase < plan.launches[i - 1].phase:
            found.append(f"launch {i} goes back to phase {launch.phase}")
        early = i < plan.guarded or any(phase >= launch.phase for phase in known)
        if early and any(s.memory[0] == "storage" for s in written):
            found.append(f"launch {i} ({launch.op.name}) writes storage before the guard is known")
    for new, _ in plan.copies:
        if any(span(new).meets(span(old)) for _, old in plan.copies):
            found.append(f"{new.name} is copied from where another copy goes")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_no_spec_has_a_race(path: Path) -> None:
    for batch in (1, 5):
        steps = spec_steps(path, batch, 9)
        for name in GRAPHS:
            assert races(lowered(getattr(steps.network, name), steps.sizes)) == [], (batch, name)


@pytest.mark.slow
@settings(max_examples=25)
@given(case=cases())
def test_random_nets_have_no_race(case: Case) -> None:
    network = Network(case.spec, case.signature)
    for name in (*GRAPHS, "objective", "unfused_training_step"):
        assert races(lowered(getattr(network, name), case.sizes())) == [], name


# -- the checker itself ------------------------------------------------------------------


@pytest.fixture
def plan() -> Plan:
    steps = spec_steps(FOLDER / "digits.yaml", 5, 9)
    return lowered(steps.network.training_step, steps.sizes)


def test_a_phase_too_few_is_seen(plan: Plan) -> None:
    for last in range(1, max(launch.phase for launch in plan.launches) + 1):
        merged = (replace(launch, phase=launch.phase - (launch.phase >= last)) for launch in plan.launches)
        assert races(replace(plan, launches=tuple(merged))), last


def test_memory_given_away_too_early_is_seen(plan: Plan) -> None:
    def moved(slot: Slot) -> Slot:
        return slot._replace(offset=0) if slot.place == "arena" else slot

    launches = (replace(launch, outputs=tuple(map(moved, launch.outputs))) for launch in plan.launches)
    assert any("writes what" in words for words in races(replace(plan, launches=tuple(launches))))


def test_an_update_before_the_guard_is_seen(plan: Plan) -> None:
    assert any("before the guard" in words for words in races(replace(plan, guarded=len(plan.launches))))
