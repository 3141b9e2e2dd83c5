"""Every formula that a spec can name: the trace is the body, the stated derivative is the body's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nnctl.components.activations import Gelu, LeakyRelu, Relu, Relu6, Sigmoid
from nnctl.components.base import ElementwiseActivation, ElementwiseCost
from nnctl.components.costs import CrossEntropy, Hinge, MeanAbsoluteError, Quadratic
from nnctl.components.optimizers.first_order import FirstOrder
from nnctl.components.regularizers import L1, L2
from nnctl.ops.expression import trace
from ops.component_variants import variants
from ops.derivatives import COMPLEX, REAL, agree, check_rule

Array = Any

ACTIVATIONS = variants("activation", ElementwiseActivation)
COSTS = variants("cost", ElementwiseCost)
PAIRED = [p for p in COSTS if p.values[0].paired_activation]
REGULARIZERS = variants("regularizer")
OPTIMIZERS = variants("optimizer", FirstOrder)


def numbers(seed: int = 0, count: int = 400) -> Array:
    return 2.5 * np.random.default_rng(seed).standard_normal(count)


def outputs_and_targets(cost: ElementwiseCost) -> tuple[Array, Array]:
    """Activations in the range that the cost is for; targets 0, 1 and between."""
    rng = np.random.default_rng(1)
    y = rng.choice([0.0, 1.0, 0.25, 0.8], size=400)
    a = rng.uniform(0.05, 0.95, size=400) if "sigmoid" in cost.outputs else 2.0 * rng.standard_normal(400)
    return a, y


def optimizer_points(optimizer: Any, seed: int = 0) -> list[Array]:
    """w, g, t, the scheduled fields, state of sizes that can occur (squares are positive)."""
    rng = np.random.default_rng(seed)
    w, g = rng.standard_normal((2, 50))
    rates = [np.asarray(0.05), np.asarray(0.7)][: len(optimizer.scheduled)]
    return [w, g, np.asarray(3.0), *rates, *(np.abs(rng.standard_normal(50)) for _ in optimizer.state())]


def update_of(optimizer: Any) -> Callable[..., Any]:
    rates = len(optimizer.scheduled)

    def update(xp: Any, w: Array, g: Array, t: Array, *rest: Array) -> Any:
        return optimizer.update(xp, w, g, t, dict(zip(optimizer.scheduled, rest[:rates])), *rest[rates:])

    return update


def check_trace(body: Callable[..., Any], points: Sequence[Array]) -> None:
    """The trace evaluates to what the body does, on float64, float32 and the complex step's numbers."""
    expression = trace(body, len(points))
    for xp, dtype in ((REAL, np.float64), (REAL, np.float32), (COMPLEX, np.complex128)):
        arrays = [p.astype(dtype) for p in points]
        expected = body(xp, *arrays)
        expected = expected if isinstance(expected, tuple) else (expected,)
        found = expression.evaluate(xp, *arrays)
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            rounding = 1e-5 if dtype == np.float32 else 1e-13
            agree(ours, theirs, rounding, np.dtype(dtype).name)


def check_activation(activation: ElementwiseActivation, z: Array) -> None:
    def rule(xp: Any, z: Array) -> Array:
        return activation.derivative(xp, z, activation.body(xp, z))

    check_rule(activation.type, activation.body, rule, [z])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation):
    z = numbers()
    check_trace(activation.body, [z])
    check_trace(lambda xp, z: activation.derivative(xp, z, activation.body(xp, z)), [z])
    check_activation(activation, z[np.min(np.abs(z[:, None] - [0.0, 6.0, -3.0, 3.0]), axis=1) > 1e-3])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_do_not_overflow(activation):
    z = np.array([-1e4, -100.0, 0.0, 100.0, 1e4], np.float32)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        a = activation.body(REAL, z)
        assert np.all(np.isfinite(a))
        assert np.all(np.isfinite(activation.derivative(REAL, z, a)))


@pytest.mark.parametrize("cost", COSTS)
def test_costs(cost):
    a, y = outputs_and_targets(cost)
    check_trace(cost.body, [a, y])
    check_trace(cost.derivative, [a, y])
    check_rule(cost.type, cost.body, cost.derivative, [a, y])


@pytest.mark.parametrize("cost", PAIRED)
def test_paired_costs(cost):
    rng = np.random.default_rng(2)
    z, y = 3.0 * rng.standard_normal(400), rng.choice([0.0, 1.0, 0.25], size=400)
    check_trace(cost.paired_body, [z, y])
    check_trace(cost.paired_derivative, [z, y])
    check_rule(cost.type, cost.paired_body, cost.paired_derivative, [z, y])
    activation = next(p.values[0] for p in ACTIVATIONS if p.values[0].type == cost.paired_activation)
    unpaired = cost.body(REAL, activation.body(REAL, z), y)
    agree(cost.paired_body(REAL, z, y), unpaired, 1e-12, "the pair and its parts")
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        far = np.array([-1e4, 1e4], np.float32)
        assert np.all(np.isfinite(cost.paired_body(REAL, far, far[::-1] > 0.0)))


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_regularizers(regularizer):
    w = numbers()
    check_trace(regularizer.body, [w])
    check_trace(regularizer.derivative, [w])
    check_rule(regularizer.type, regularizer.body, regularizer.derivative, [w])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_updates(optimizer):
    points = optimizer_points(optimizer)
    check_trace(update_of(optimizer), points)
    results = trace(update_of(optimizer), len(points)).evaluate(REAL, *points)
    assert len(results) == 1 + len(optimizer.state())


@pytest.mark.parametrize("optimizer", [p for p in OPTIMIZERS if not p.values[0].weight_decay])
def test_an_update_goes_downhill(optimizer):
    """From fresh memories, w moves against g; with decay the weight's own pull may outweigh it."""
    w, g, _, *rest = optimizer_points(optimizer)
    rates = rest[: len(optimizer.scheduled)]
    state = [np.full(50, first) for _, first in optimizer.state()]
    new = update_of(optimizer)(REAL, w, g, np.asarray(1.0), *rates, *state)[0]
    assert np.all(np.sign(w - new) == np.sign(g))


@pytest.mark.parametrize(
    ("slope", "expected"),
    [
        (lambda z: Relu().derivative(REAL, z, z), 0.0),
        (lambda z: Relu6().derivative(REAL, z, z), 0.0),
        (lambda z: Relu6().derivative(REAL, z + 6.0, z + 6.0), 0.0),
        (lambda z: LeakyRelu(slope=0.2).derivative(REAL, z, z), 0.2),
        (lambda z: MeanAbsoluteError().derivative(REAL, z, z), 0.0),
        (lambda z: Hinge().derivative(REAL, z + 1.0, z + 1.0), 0.0),
        (lambda z: L1(strength=3.0).derivative(REAL, z), 0.0),
    ],
)
def test_subgradients_at_kinks(slope, expected):
    assert float(slope(np.asarray(0.0))) == expected


@pytest.mark.parametrize(
    "body",
    [
        lambda xp, z: Relu().body(xp, z),
        lambda xp, z: Relu6().body(xp, z),
        lambda xp, z: L1(strength=1.0).body(xp, z),
    ],
)
def test_the_trace_agrees_with_the_stated_subgradient_at_0(body):
    assert float(trace(body, 1).gradient(0).evaluate(REAL, np.ones(()), np.zeros(()))[0]) == 0.0


@dataclass(frozen=True, kw_only=True)
class _WrongSigmoid(Sigmoid):
    def derivative(self, xp: Any, z: Array, a: Array) -> Array:
        return a * (1.0 - a) * (1.0 + 1e-9)


@dataclass(frozen=True, kw_only=True)
class _WrongGelu(Gelu):
    def derivative(self, xp: Any, z: Array, a: Array) -> Array:
        return self._share(xp, z)


@pytest.mark.parametrize(("right", "wrong"), [(Sigmoid(), _WrongSigmoid()), (Gelu(), _WrongGelu())])
def test_a_planted_wrong_activation_is_caught(right, wrong):
    check_activation(right, numbers())
    with pytest.raises(AssertionError, match=right.type):
        check_activation(wrong, numbers())


@pytest.mark.parametrize(
    ("cost", "wrong"),
    [
        (Quadratic(), lambda xp, a, y: 2.0 * (a - y)),
        (CrossEntropy(), lambda xp, a, y: a - y),
        (MeanAbsoluteError(), lambda xp, a, y: 1.0 + 0.0 * a),
    ],
)
def test_a_planted_wrong_cost_is_caught(cost, wrong):
    points = outputs_and_targets(cost)
    check_rule(cost.type, cost.body, cost.derivative, points)
    with pytest.raises(AssertionError, match=cost.type):
        check_rule(cost.type, cost.body, wrong, points)


def test_a_planted_wrong_penalty_is_caught():
    check_rule("l2", L2(strength=2.0).body, L2(strength=2.0).derivative, [numbers()])
    with pytest.raises(AssertionError, match="l2"):
        check_rule("l2", L2(strength=2.0).body, L2(strength=1.0).derivative, [numbers()])


@pytest.mark.parametrize("activation", [p for p in ACTIVATIONS if p.values[0].type != "step"])
def test_no_activation_hides_what_is_no_number(activation: ElementwiseActivation) -> None:
    """By it a net that diverges is found. A step has no slope: nothing trains through it."""
    assert np.isnan(activation.body(REAL, np.array([np.nan]))).all()


@pytest.mark.parametrize("cost", COSTS)
def test_no_cost_hides_what_is_no_number(cost: ElementwiseCost) -> None:
    for y in (0.0, 0.5, 1.0):
        assert np.isnan(cost.body(REAL, np.array([np.nan]), np.array([y]))).all()
