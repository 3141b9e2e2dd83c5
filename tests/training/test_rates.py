from __future__ import annotations

import numpy as np
import pytest

from nnctl.components.base import Schedule
from nnctl.ops.namespaces import numpy_namespace
from nnctl.spec.load import load_text
from nnctl.training.rates import Rates, at_step
from nnctl.training.timetable import Timetable

XP = numpy_namespace()
TEXT = """
data: {{type: blobs, validation: 6}}
layers: [{{type: dense, units: 3, activation: softmax}}]
cost: log_likelihood
optimizer: {optimizer}
schedule: {{learning_rate: {schedule}}}
"""


def rates(schedule: str, optimizer: str = "{type: sgd, learning_rate: 0.5}", epochs: int = 4) -> Rates:
    spec = load_text(TEXT.format(optimizer=optimizer, schedule=schedule)).spec
    settled: Schedule = spec.schedule.learning_rate.for_convention("torch")
    return Rates(settled, spec.optimizer.for_convention("torch"), Timetable.of(10, 4, epochs, None))


def test_by_epoch_every_step_of_one_has_its_rate() -> None:
    halving = rates("{type: exponential, gamma: 0.5}")
    assert [halving.learning_rate(step) for step in range(7)] == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]
    assert halving.values(3, 3)["learning_rate"].tolist() == [0.25] * 3


def test_by_step_a_chunk_is_the_single_steps() -> None:
    cosine = rates("{type: cosine, per: step}")
    single = [cosine.values(step, 1)["learning_rate"][0] for step in range(3, 6)]
    assert cosine.values(3, 3)["learning_rate"].tolist() == single
    assert single[0] != single[1]


def test_one_cycle_moves_the_momentum_too() -> None:
    cycle = rates("one_cycle", "{type: sgd, learning_rate: 1.0, momentum: 0.9}", epochs=4)
    values = cycle.values(0, 3)
    assert values["learning_rate"][0] == pytest.approx(1 / 25)
    assert values["momentum"][0] == pytest.approx(0.95)
    assert (np.diff(values["momentum"]) < 0).all()
    assert at_step(values, 0)["momentum"] == pytest.approx(0.95)


def test_a_constant_schedule_leaves_the_optimizers_momentum() -> None:
    assert rates("constant", "{type: sgd, momentum: 0.9}").values(0, 2)["momentum"].tolist() == [0.9, 0.9]


def test_a_monitored_schedule_holds_its_factor_until_it_observes() -> None:
    plateau = rates("{type: plateau, patience: 0, factor: 0.1}")
    assert plateau.learning_rate(0) == 0.5
    plateau.observe(1.0, False)
    plateau.observe(2.0, False)
    assert plateau.learning_rate(0) == pytest.approx(0.05)
    assert not plateau.exhausted


@pytest.mark.parametrize(
    ("optimizer", "golden"),
    [
        ("{type: adam, learning_rate: 0.1}", 0.867564957367),
        ("{type: adamw, learning_rate: 0.1}", 0.863175490847),
        ("{type: sgd, learning_rate: 0.1, momentum: 0.9}", 0.911705606562),
        ("{type: rmsprop, learning_rate: 0.1, momentum: 0.9}", -2.274224037105),
    ],
)
def test_one_cycle_is_pytorchs_with_every_optimizer_that_has_inertia(optimizer: str, golden: float) -> None:
    """Golden: torch.optim under OneCycleLR(max_lr=0.1, total_steps=10), w₀ = 1, in float64."""
    cycle = rates("one_cycle", optimizer, epochs=4)
    cycle.timetable = Timetable.of(10, 1, 1, None)
    rule = load_text(TEXT.format(optimizer=optimizer, schedule="one_cycle")).spec.optimizer.for_convention("torch")
    values = cycle.values(0, 10)
    w, state = np.ones(1), [np.zeros(1) for _ in rule.state()]
    for t in range(10):
        g = np.array([(0.1, -0.2, 0.3, 0.05)[t % 4]])
        scheduled = {name: array[t] for name, array in values.items()}
        w, *state = rule.update(XP, w, g, np.array(t + 1.0), scheduled, *state)
    assert float(w[0]) == pytest.approx(golden, abs=5e-12)


@pytest.mark.parametrize(
    ("schedule", "optimizer", "kept"),
    [
        ("{type: one_cycle, cycle_momentum: false}", "adam", 0.9),
        ("one_cycle", "{type: adam, beta1: 0}", 0.0),
        ("cosine", "{type: adam, beta1: 0.7}", 0.7),
    ],
)
def test_beta1_stays_where_it_is_not_asked_to_move(schedule: str, optimizer: str, kept: float) -> None:
    assert rates(schedule, optimizer).values(0, 12)["beta1"].tolist() == [kept] * 12
