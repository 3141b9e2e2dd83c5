"""Every derivative that a component states, against two that are computed from its body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graph_bench import COMPLEX, XP

from nnctl.components.activations import Gelu, Relu
from nnctl.components.base import ElementwiseActivation, ElementwiseCost
from nnctl.components.costs import CrossEntropy
from nnctl.components.registry import components
from nnctl.components.regularizers import L1, L2, Elastic
from nnctl.ops.expression import trace

# Where bodies have kinks or jumps: corners of the activations, margins and thresholds of the costs.
KINKS = (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0)


def away_from_kinks(x: np.ndarray[Any, Any], distance: float = 1e-3) -> np.ndarray[Any, Any]:
    near = np.min([abs(x - k) for k in KINKS], axis=0) < distance
    return x[~near]


def agree(body: Callable[..., Any], derivative: Any, x: np.ndarray[Any, Any], *rest: Any) -> None:
    """The slope of body(xp, x, *rest) in x: complex step and trace to rounding, central differences to 1e-7."""
    exact = np.imag(body(COMPLEX, x + 1e-30j, *rest)) / 1e-30
    central = (body(XP, x + 1e-5, *rest) - body(XP, x - 1e-5, *rest)) / 2e-5
    gradient = trace(body, 1 + len(rest)).gradient(0)
    (traced,) = gradient.evaluate(XP, np.ones_like(x), x, *rest)
    np.testing.assert_allclose(derivative, exact, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(derivative, central, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(np.broadcast_to(traced, x.shape), exact, rtol=1e-10, atol=1e-14)


ACTIVATIONS = [
    pytest.param(c().for_convention("torch"), id=name)
    for name, c in components("activation").items()
    if issubclass(c, ElementwiseActivation)
] + [pytest.param(Gelu(approximate="tanh"), id="gelu-tanh")]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation(activation: ElementwiseActivation) -> None:
    z = away_from_kinks(np.random.default_rng(0).uniform(-8.0, 8.0, 400))
    agree(activation.body, activation.derivative(XP, z, activation.body(XP, z)), z)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "silu", "gelu", "elu"])
def test_smooth_activation_at_0(name: str) -> None:
    """Zero initial values put every z exactly at 0: the complex step must not see a kink there."""
    activation = components("activation")[name]()
    z = np.zeros(1)
    exact = np.imag(activation.body(COMPLEX, z + 1e-30j)) / 1e-30
    np.testing.assert_allclose(activation.derivative(XP, z, activation.body(XP, z)), exact, rtol=1e-14)


COSTS = [
    pytest.param(c().for_convention("torch"), id=name)
    for name, c in components("cost").items()
    if issubclass(c, ElementwiseCost)
] + [pytest.param(CrossEntropy(label_smoothing=0.1), id="cross_entropy-smoothed")]


@pytest.mark.parametrize("cost", COSTS)
def test_cost(cost: ElementwiseCost) -> None:
    rng = np.random.default_rng(0)
    probabilities = isinstance(cost, CrossEntropy)
    a = rng.uniform(0.02, 0.98, 300) if probabilities else away_from_kinks(rng.uniform(-4.0, 4.0, 300))
    for y in (0.0, 1.0, 0.25 if probabilities else -1.0):
        # Errors and margins of whole numbers keep the kinks at those of `a`.
        targets = np.full_like(a, y)
        agree(cost.body, cost.derivative(XP, a, targets), a, targets)


@pytest.mark.parametrize("cost", [CrossEntropy(), CrossEntropy(label_smoothing=0.1)])
@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
def test_paired_cost(cost: CrossEntropy, y: float) -> None:
    """The stable form of z is the plain form of σ(z), and so is its derivative, at 0 too."""
    z = np.array([-6.0, -1.5, -1e-3, 0.0, 1e-3, 2.5, 6.0])
    targets = np.full_like(z, y)
    sigmoid = components("activation")["sigmoid"]()
    np.testing.assert_allclose(
        cost.paired_body(XP, z, targets), cost.body(XP, sigmoid.body(XP, z), targets), rtol=1e-12, atol=1e-15
    )
    agree(cost.paired_body, cost.paired_derivative(XP, z, targets), z, targets)


def test_paired_cost_far_out() -> None:
    z = np.array([-1e4, 1e4])
    np.testing.assert_array_equal(CrossEntropy().paired_body(XP, z, np.array([1.0, 0.0])), [1e4, 1e4])
    np.testing.assert_array_equal(CrossEntropy().paired_body(XP, z, np.array([0.0, 1.0])), [0.0, 0.0])


@pytest.mark.parametrize("regularizer", [L1(strength=0.7), L2(strength=0.7), Elastic(l1=0.3, l2=0.5)])
def test_regularizer(regularizer: Any) -> None:
    w = away_from_kinks(np.random.default_rng(0).uniform(-4.0, 4.0, 200))
    agree(regularizer.body, regularizer.derivative(XP, w), w)


def test_every_regularizer_that_penalizes_is_tested() -> None:
    penalizing = {name for name, c in components("regularizer").items() if c.penalizes}
    assert penalizing == {"l1", "l2", "elastic"}


def test_subgradients_at_0() -> None:
    zero = np.zeros(1)
    assert Relu().derivative(XP, zero, zero) == 0.0
    assert np.imag(Relu().body(COMPLEX, zero + 1e-30j)) == 0.0
    assert L1(strength=1.0).derivative(XP, zero) == 0.0
    assert components("cost")["mae"]().derivative(XP, zero, zero) == 0.0


def test_a_planted_wrong_derivative_is_found() -> None:
    class Wrong(Relu):
        def derivative(self, xp: Any, z: Any, a: Any) -> Any:
            return 1.001 * super().derivative(xp, z, a)

    z = np.linspace(0.5, 2.0, 5)
    with pytest.raises(AssertionError):
        agree(Wrong().body, Wrong().derivative(XP, z, z), z)
