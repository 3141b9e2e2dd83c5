"""Update rules against golden numbers of torch.optim and keras.optimizers, computed in float64.

Each run: w₀ = 1, gradients 0.1, −0.2, 0.3, 0.05, learning rate 0.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph_bench import XP

from nnctl.components.base import Optimizer
from nnctl.components.optimizers.first_order import Adadelta, Adagrad, Adam, AdamW, Momentum, Nesterov, RmsProp, Sgd
from nnctl.components.optimizers.whole_objective import WholeObjectiveOptimizer
from nnctl.components.registry import components
from nnctl.ops.expression import trace

GRADIENTS = (0.1, -0.2, 0.3, 0.05)
RULES = [name for name, c in components("optimizer").items() if not issubclass(c, WholeObjectiveOptimizer)]
"""Those that are a formula for one weight."""


def run(optimizer: Any, rates: tuple[float, ...] = (0.1,) * 4, gradients: tuple[float, ...] = GRADIENTS) -> float:
    """w after the steps."""
    w: Any = np.array([1.0])
    state = [np.array([first]) for _, first in optimizer.state()]
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        scheduled = {name: np.array(getattr(optimizer, name)) for name in optimizer.scheduled}
        scheduled["learning_rate"] = np.array(rate)
        w, *state = optimizer.update(XP, w, np.array([g]), np.array(float(t)), scheduled, *state)
    return float(w[0])


TORCH = [
    (Sgd(momentum=0.9), 0.957810),
    (Momentum(momentum=0.9), 0.957810),
    (Sgd(momentum=0.9, dampening=0.1), 0.958590),
    (Sgd(momentum=0.9, nesterov=True), 0.937029),
    (Nesterov(momentum=0.9), 0.937029),
    (Sgd(momentum=0.9, weight_decay=0.01), 0.948819086311),
    (Adam(), 0.866715470968),
    (Adam(weight_decay=0.01), 0.853198146423),
    (AdamW(weight_decay=0.01), 0.862982307055),
    (RmsProp(), -0.041569995993),
    (RmsProp(centered=True), -0.047139572268),
    (RmsProp(momentum=0.9), -1.672719828140),
    (RmsProp(rho=0.9, epsilon=1e-7), 0.665374794310),
    (Adagrad(), 0.896019023041),
    (Adagrad(learning_rate_decay=0.1), 0.904307541985),
]
KERAS = [
    (Sgd(momentum=0.9), 0.957810),
    (Sgd(momentum=0.9, nesterov=True), 0.937029),
    (Nesterov(), 0.937029),
    (Sgd(momentum=0.9, weight_decay=0.01), 0.953844077011),
    (Adam(), 0.866718692532),
    (Adam(epsilon=1e-8), 0.866715783091),
    (AdamW(weight_decay=0.01), 0.862985519914),
    (RmsProp(), 0.665387981741),
    (Adagrad(), 0.950097949614),
]
CASES = [("torch", o, golden) for o, golden in TORCH] + [("keras", o, golden) for o, golden in KERAS]


@pytest.mark.parametrize(("convention", "optimizer", "golden"), CASES)
def test_golden(convention: str, optimizer: Optimizer, golden: float) -> None:
    assert run(optimizer.for_convention(convention)) == pytest.approx(golden, abs=5e-12)


@pytest.mark.parametrize(("convention", "golden"), [("torch", 0.994940428356), ("keras", 0.997752719033)])
def test_adadelta_at_rate_1(convention: str, golden: float) -> None:
    assert run(Adadelta().for_convention(convention), rates=(1.0,) * 4) == pytest.approx(golden, abs=5e-12)


def test_plain_descent() -> None:
    for convention in ("torch", "keras", "book"):
        assert run(Sgd().for_convention(convention)) == pytest.approx(1 - 0.1 * sum(GRADIENTS), abs=1e-15)


def test_the_momentum_forms_part_company_when_the_rate_changes() -> None:
    rates = (0.1, 0.1, 0.01, 0.01)
    torch, keras, book = (run(Momentum().for_convention(c), rates) for c in ("torch", "keras", "book"))
    # By hand: buffers .1, -.11, .201, .2309 times the rate of their own step; and velocities that keep old rates.
    assert torch == pytest.approx(1 - 0.01 + 0.011 - 0.00201 - 0.002309)
    assert keras == pytest.approx(1 - 0.01 + 0.011 + 0.0069 + 0.00571)
    assert book == keras


@pytest.mark.parametrize(("convention", "golden"), [("torch", 0.9), ("book", 0.9)])
def test_weight_decay_of_plain_descent(convention: str, golden: float) -> None:
    """w ← (1 − ηλ)w: the same for both places of the decay without momentum."""
    assert run(Sgd(weight_decay=1.0).for_convention(convention), (0.1,), (0.0,)) == pytest.approx(golden)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("convention", ["torch", "keras", "book"])
def test_the_update_traces_to_one_formula(name: str, convention: str) -> None:
    """A compiled backend sees the rule only through its trace: it must give the same numbers."""
    optimizer = components("optimizer")[name]().for_convention(convention)
    rates, state = len(optimizer.scheduled), len(optimizer.state())

    def update(xp: Any, w: Any, g: Any, t: Any, *rest: Any) -> Any:
        return optimizer.update(xp, w, g, t, dict(zip(optimizer.scheduled, rest[:rates])), *rest[rates:])

    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(3), rng.standard_normal(3), np.array(3.0)]
    inputs += [np.array(0.1)] * rates + [rng.uniform(0.5, 1.0, 3) for _ in range(state)]
    direct = update(XP, *inputs)
    traced = trace(update, len(inputs)).evaluate(XP, *inputs)
    assert len(direct) == 1 + state
    for a, b in zip(direct, traced, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("name", RULES)
def test_goes_down(name: str) -> None:
    """From w = 1 on w²/2 at the default rate, every rule lowers the cost."""
    optimizer: Any = components("optimizer")[name]().for_convention("torch")
    w: Any = np.array([1.0])
    state = [np.array([first]) for _, first in optimizer.state()]
    for t in range(1, 51):
        scheduled = {s: np.array(getattr(optimizer, s)) for s in optimizer.scheduled}
        w, *state = optimizer.update(XP, w, w, np.array(float(t)), scheduled, *state)
    assert abs(w[0]) < 1.0


def test_adams_bias_correction_survives_float32() -> None:
    optimizer = Adam().for_convention("torch")
    g, zero = np.array([0.5], np.float32), np.zeros(1, np.float32)
    rate = {"learning_rate": np.array(0.1, np.float32), "beta1": np.array(0.9, np.float32)}
    w, *_ = optimizer.update(XP, np.ones(1, np.float32), g, np.array(1.0, np.float32), rate, zero, zero)
    # The first step is η·sign(g), whatever the size of the gradient.
    assert w.dtype == np.float32
    assert float(w[0]) == pytest.approx(0.9, abs=1e-6)


def test_momentum_0_keeps_no_memory() -> None:
    assert Sgd().state() == ()
    assert [name for name, _ in RmsProp(centered=True, momentum=0.5).state()] == ["square", "mean", "velocity"]


@pytest.mark.parametrize(
    ("optimizer", "field"),
    [
        (Sgd(nesterov=True), "nesterov"),
        (Sgd(momentum=0.9, nesterov=True, dampening=0.1), "dampening"),
        (Sgd(dampening=0.1), "dampening"),
    ],
)
def test_fields_that_do_not_go_together(optimizer: Optimizer, field: str) -> None:
    assert [p.field for p in optimizer.problems()] == [field]
