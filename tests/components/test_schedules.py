"""Schedules against golden numbers of torch.optim.lr_scheduler and keras.optimizers.schedules."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from nnctl.components.base import MonitoredSchedule, Schedule
from nnctl.components.registry import components
from nnctl.components.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    OneCycle,
    Piecewise,
    Plateau,
    Polynomial,
    StepDecay,
    Warmup,
)
from nnctl.spec.schema.forms import fields_of


def factors(schedule: Schedule, count: int, total: int | None = None) -> list[float]:
    return [schedule.factor_at(t, total or count) for t in range(count)]


@pytest.mark.parametrize(
    ("schedule", "golden"),
    [
        (Constant(), [1, 1, 1]),
        (StepDecay(every=3, factor=0.1), [1, 1, 1, 0.1, 0.1, 0.1, 0.01]),
        (Exponential(gamma=0.5), [1, 0.5, 0.25, 0.125]),
        (Polynomial(duration=4, power=2.0), [1, 0.5625, 0.25, 0.0625, 0, 0]),
        (Polynomial(duration=2, floor=0.5), [1, 0.75, 0.5, 0.5]),
        (Cosine(duration=5), [1, 0.9045, 0.6545, 0.3455, 0.0955, 0, 0]),
        (Cosine(duration=2, floor=0.5), [1, 0.75, 0.5, 0.5]),
        (CosineRestarts(period=3, multiplier=2), [1, 0.75, 0.25, 1, 0.9330]),
        (CosineRestarts(period=3), [1, 0.75, 0.25, 1, 0.75, 0.25, 1]),
        (Warmup(duration=5), [0.3333, 0.4667, 0.6, 0.7333, 0.8667, 1, 1]),
        (Warmup(duration=2, start=0.0, then=StepDecay(every=1, factor=0.5)), [0, 0.5, 1, 0.5, 0.25]),
    ],
)
def test_golden(schedule: Schedule, golden: list[float]) -> None:
    assert factors(schedule, len(golden)) == pytest.approx(golden, abs=5e-5)


def test_one_cycle() -> None:
    schedule = OneCycle()
    golden = [0.04, 0.52, 1, 0.9505, 0.8117, 0.6113, 0.3887, 0.1883, 0.0495, 4e-6]
    assert factors(schedule, 10) == pytest.approx(golden, abs=5e-5)
    momentum = [schedule.momentum_at(t, 10) for t in range(10)]
    assert momentum[0] == pytest.approx(0.95)
    assert momentum[2] == pytest.approx(0.85)
    assert momentum[9] == pytest.approx(0.95)
    assert schedule.unit == "step"


@pytest.mark.parametrize("total", [1, 2, 3])
def test_one_cycle_of_a_tiny_run(total: int) -> None:
    assert all(0 < f <= 1 for f in factors(OneCycle(), total))


@pytest.mark.parametrize(
    ("convention", "golden"), [("torch", [1, 1, 0.1, 0.1, 0.1, 0.01, 0.01]), ("keras", [1, 1, 1, 0.1, 0.1, 0.1, 0.01])]
)
def test_piecewise_boundaries_by_convention(convention: str, golden: list[float]) -> None:
    schedule = Piecewise(boundaries=(2, 5), values=(1.0, 0.1, 0.01)).for_convention(convention)
    assert factors(schedule, 7) == golden


def observed(schedule: Plateau, values: list[float], *, higher_is_better: bool = False) -> list[dict[str, Any]]:
    """The memory after each evaluation."""
    memory = schedule.initial()
    return [memory := schedule.observe(memory, value, higher_is_better) for value in values]


@pytest.mark.parametrize(
    ("convention", "golden"),
    [("torch", [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]), ("keras", [1, 1, 0.5, 0.5, 0.25])],
)
def test_plateau_of_a_constant_metric(convention: str, golden: list[float]) -> None:
    schedule = Plateau(factor=0.5, patience=2).for_convention(convention)
    assert [m["factor"] for m in observed(schedule, [0.7] * len(golden))] == golden


@pytest.mark.parametrize(
    ("convention", "higher_is_better", "value", "better"),
    [
        ("torch", False, 100.0 - 0.02, True),  # by more than 1e-4 of 100
        ("torch", False, 100.0 - 0.005, False),
        ("keras", False, 100.0 - 0.005, True),  # by more than 1e-4
        ("torch", True, 100.0 + 0.02, True),
        ("torch", True, 100.0 + 0.005, False),
        ("keras", True, 100.0 + 0.00005, False),
    ],
)
def test_what_counts_as_improvement(convention: str, higher_is_better: bool, value: float, better: bool) -> None:
    schedule = Plateau().for_convention(convention)
    memory = observed(schedule, [100.0, value], higher_is_better=higher_is_better)[-1]
    assert (memory["best"] == value) == better


def test_cooldown_by_convention() -> None:
    """Two evaluations after a drop do not count; Keras counts the one that ends them."""
    torch = Plateau(factor=0.5, patience=0, cooldown=2).for_convention("torch")
    keras = Plateau(factor=0.5, patience=1, cooldown=2).for_convention("keras")
    assert [m["factor"] for m in observed(torch, [1.0] * 6)] == [1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert [m["factor"] for m in observed(keras, [1.0] * 6)] == [1, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_nan_never_is_the_best() -> None:
    memories = observed(Plateau(patience=0).for_convention("torch"), [math.nan, 1.0, math.nan])
    assert [m["best"] for m in memories] == [None, 1.0, 1.0]
    assert memories[-1]["factor"] == pytest.approx(0.01)


def test_the_floor_stops() -> None:
    schedule = Plateau(factor=0.5, patience=0, floor=1 / 128, stop_at_floor=True).for_convention("torch")
    memories = observed(schedule, [1.0] * 8)
    assert [m["factor"] for m in memories] == [0.5**n for n in range(8)]
    assert [m["stop"] for m in memories] == [False] * 7 + [True]


def test_the_floor_holds() -> None:
    schedule = Plateau(factor=0.3, patience=0, floor=0.2).for_convention("torch")
    assert [m["factor"] for m in observed(schedule, [1.0] * 4)] == pytest.approx([1, 0.3, 0.2, 0.2])
    assert not any(m["stop"] for m in observed(schedule, [1.0] * 4))


def test_memory_survives_json() -> None:
    schedule = Plateau(patience=1, cooldown=1).for_convention("torch")
    memory = schedule.initial()
    for value in (1.0, 2.0, math.nan, 0.5):
        memory = schedule.observe(memory, value, False)
        assert json.loads(json.dumps(memory)) == memory


EXAMPLES: dict[str, dict[str, Any]] = {
    "step": {"every": 2},
    "exponential": {"gamma": 0.9},
    "cosine_restarts": {"period": 3},
    "piecewise": {"boundaries": (2,), "values": (1.0, 0.5)},
    "warmup": {"duration": 2},
}


@pytest.mark.parametrize("name", sorted(components("schedule")))
def test_every_schedule_gives_a_factor_at_any_time(name: str) -> None:
    schedule = components("schedule")[name](**EXAMPLES.get(name, {})).for_convention("torch")
    for total in (1, 2, 7):
        for t in range(total + 3):
            assert 0.0 <= schedule.factor_at(t, total) <= 1.0
            assert schedule.momentum_at(t, total) is None or isinstance(schedule, OneCycle)
    assert schedule.unit in ("epoch", "step")
    if isinstance(schedule, MonitoredSchedule):
        assert {"factor": 1.0, "stop": False}.items() <= schedule.initial().items()


def test_units() -> None:
    assert Cosine().unit == "epoch"
    assert Cosine(per="step").unit == "step"
    assert OneCycle(per="epoch").unit == "epoch"


def test_momentum_follows_through_a_warm_up() -> None:
    schedule = Warmup(duration=2, per="step", then=OneCycle())
    assert schedule.momentum_at(1, 12) is None
    assert schedule.momentum_at(2, 12) == OneCycle().momentum_at(0, 10)


@pytest.mark.parametrize(
    ("schedule", "fields"),
    [
        (Piecewise(boundaries=(2, 5), values=(1.0, 0.5)), ["values"]),
        (Piecewise(boundaries=(5, 2), values=(1.0, 0.5, 0.1)), ["boundaries"]),
        (Warmup(duration=2, then=Plateau()), ["then"]),
        (Warmup(duration=2, then=Cosine(per="step")), ["then"]),
        (Warmup(duration=2, per="step", then=Cosine(per="step")), []),
        (Warmup(duration=2, per="step", then=Cosine()), []),
        (Plateau(stop_at_floor=True), ["stop_at_floor"]),
    ],
)
def test_fields_that_do_not_go_together(schedule: Schedule, fields: list[str]) -> None:
    assert [p.field for p in schedule.problems()] == fields


def test_a_cycle_without_a_rise_is_worth_a_sentence() -> None:
    assert OneCycle().advice(4) == ()
    (sentence,) = OneCycle(per="epoch").advice(3)
    assert "begins at its peak" in sentence
    assert "per: step" in sentence
    assert Warmup(duration=2, per="step", then=OneCycle()).advice(5) == OneCycle().advice(3) != ()


@pytest.mark.parametrize(
    "name", sorted(name for name, cls in components("schedule").items() if "per" in fields_of(cls))
)
def test_the_unit_stands_where_it_is_left_open(name: str) -> None:
    cls = components("schedule")[name]
    assert f"{cls.default_unit}s if absent" in fields_of(cls)["per"].description
