"""Plans that differ in numbers alone have the same compiled code, with other arguments, and no bit depends on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends.conftest import ExactlyThreads
from backends.spec_steps import SpecSteps, compiled_specs, spec_steps
from nnctl.backends.cpu import step_code
from nnctl.backends.cpu.alike import numbers_instead
from nnctl.backends.cpu.codegen.writer import is_plain
from nnctl.backends.cpu.executable import CompiledStep
from nnctl.backends.cpu.schedule import CpuPlan, lowered
from nnctl.backends.cpu.step_code import StepCode, code_of
from nnctl.backends.cpu.ways import Choice, Way
from nnctl.components.signature import DataSignature
from nnctl.graph.network import Network
from nnctl.ops.elementwise import ElementwiseOp, from_expression
from nnctl.ops.expression import Expression, Line, Ref
from nnctl.plan.plan import Launch
from nnctl.spec.load import load_text

STEPS = 5


def other(number: float) -> float:
    """Another number close by, as another trial has it; plain ones are written out in code, and stay."""
    return number if is_plain(number) else number / 1.0078125


def with_other_numbers(plan: CpuPlan) -> CpuPlan:
    """The plan with another number in the place of each in its formulas."""

    def reference(ref: Ref) -> Ref:
        return other(ref) if isinstance(ref, float) else ref

    def launch(one: Launch) -> Launch:
        if not isinstance(one.op, ElementwiseOp):
            return one
        of = one.op.expression
        lines = tuple(Line(line.primitive, tuple(map(reference, line.arguments))) for line in of.lines)
        expression = Expression(of.arity, lines, tuple(map(reference, of.results)))
        return replace(one, op=from_expression(one.op.name, expression))

    inlined = {key: launch(one) for key, one in plan.inlined.items()}
    return replace(plan, launches=tuple(map(launch, plan.launches)), inlined=inlined, other=None)


def bits_after(plan: CpuPlan, code: StepCode, steps: SpecSteps, threads: int) -> dict[str, bytes]:
    """What is stored after some steps by this code, and the outputs of each."""
    vars(plan)["code"] = code
    backend = ExactlyThreads(threads)
    storage = {name: backend.to_device(array) for name, array in steps.storage.items()}
    step = CompiledStep(plan, storage, Choice(Way(threads)))
    found = step.start(steps.feeds(STEPS), STEPS).result().outputs
    return {name: array.tobytes() for name, array in (storage | found).items()}


@pytest.mark.compile
@pytest.mark.slow
@pytest.mark.parametrize("path", compiled_specs(), ids=lambda path: path.stem)
def test_code_of_every_spec_runs_the_same_step_with_other_numbers(path: Any) -> None:
    steps = spec_steps(path, 10, 50)
    plan = lowered(steps.network.training_step, steps.sizes)
    changed = with_other_numbers(plan)
    instead = numbers_instead(plan, changed)
    assert instead is not None
    shared = StepCode(plan).with_numbers(instead)
    for threads in (1, 2):
        found = bits_after(changed, shared, steps, threads)
        assert found == bits_after(changed, StepCode(changed), steps, threads)
    parts = zip(shared.parts(4), StepCode(changed).parts(4), strict=True)
    assert all(sorted(mine.free) == sorted(its.free) for mine, its in parts)


SPEC = """
data: blobs
layers:
  - {type: dense, units: 4, activation: tanh}
  - {type: dropout, rate: 0.3}
  - {type: dense, units: 5, activation: tanh}
  - {type: dropout, rate: 0.3}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.1}
regularizer: {type: l2, strength: 0.125}
"""


def trained(*overrides: str) -> CpuPlan:
    spec = load_text(SPEC, "net.yaml", overrides).spec
    return lowered(Network(spec, DataSignature((4,), "real", ("a", "b", "c"))).training_step, {"batch": 6, "rows": 20})


RATES = ("layers.1.rate=0.2", "layers.3.rate=0.2")


def test_numbers_are_found_where_nothing_else_differs() -> None:
    plan = trained()
    found = numbers_instead(plan, trained(*RATES))
    assert found is not None
    assert found[repr(0.3)] == 0.2
    assert found[repr(0.125)] == 0.125
    assert numbers_instead(plan, plan) == {text: float(text) for text in found}


def test_what_differs_in_more_shares_no_code() -> None:
    plan = trained()
    assert numbers_instead(plan, trained("layers.0.units=5")) is None
    # A plain number is part of the text.
    assert numbers_instead(plan, trained("regularizer.strength=0.5")) is None
    # One number of the code, and two of the other plan; two may be one.
    apart = trained(RATES[0])
    assert numbers_instead(plan, apart) is None
    assert numbers_instead(apart, plan) is not None


def test_zeros_of_two_signs_are_two_numbers() -> None:
    plan = trained()
    for one, another in ((0.0, -0.0), (0, 0.0)):
        first, second = (
            replace(plan, launches=tuple(replace(x, attributes={**x.attributes, "v": v}) for x in plan.launches))
            for v in (one, another)
        )
        assert numbers_instead(first, first) is not None
        assert numbers_instead(first, second) is None


@pytest.mark.compile
def test_code_is_made_once_for_plans_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_code, "_kept", [])
    code = code_of(trained())
    made: list[str] = []
    monkeypatch.setattr(step_code, "generate", lambda plan: made.append(plan.name))
    again = code_of(trained(*RATES, "regularizer.strength=0.25"))
    assert not made
    assert again.walk is code.walk
    mine, its = code.layouts(1)[0], again.layouts(1)[0]
    assert mine.words.tolist() != its.words.tolist()
    changed = np.flatnonzero(mine.words != its.words)
    assert set(changed.tolist()) <= {word for word, _ in its.free}
    assert again.layouts(1) is again.layouts(1)


@pytest.mark.compile
def test_code_is_kept_as_long_as_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_code, "_kept", [])
    plans = [trained(f"layers.0.units={units}") for units in (4, 5, 6)]
    first, *_ = (code_of(plan) for plan in plans)
    assert [plan for plan, _ in step_code._kept] == plans
    monkeypatch.setattr(step_code, "_MOST", 2 * len(plans[0].launches))
    assert code_of(trained("layers.0.units=4", *RATES)).kind is first
    code_of(trained("layers.0.units=7"))
    assert step_code._kept[0][1] is first
    assert len(step_code._kept) == 2
    # The last one stays, however large.
    monkeypatch.setattr(step_code, "_MOST", 1)
    last = code_of(trained("layers.0.units=8"))
    assert [code for _, code in step_code._kept] == [last]
