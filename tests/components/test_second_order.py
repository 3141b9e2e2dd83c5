"""The algorithms of second order on functions whose minima are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess

from nnctl.components.optimizers.line_search import Point, WolfeSearch
from nnctl.components.optimizers.second_order import HessianFree, Lbfgs, Newton, conjugate_gradients, two_loops

RATE = {"learning_rate": 1.0}


@dataclass
class Rosenbrock:
    """Σ 100(x₊ − x²)² + (1 − x)², minimum 0 at 1. Its Gauss-Newton matrix is that of its residuals."""

    values: list[float] = field(default_factory=list)

    def nearest(self, w: Any) -> Any:
        return w.astype(np.float32).astype(np.float64)

    def value(self, w: Any) -> float:
        return float(rosen(w))

    def value_and_gradient(self, w: Any) -> tuple[float, Any]:
        self.values.append(float(rosen(w)))
        return self.values[-1], rosen_der(w)

    def hessian_products(self, w: Any, v: Any) -> Any:
        return v @ rosen_hess(w)

    def gauss_newton_products(self, w: Any, v: Any) -> Any:
        n = len(w)
        jacobian = np.zeros((2 * (n - 1), n))
        for i in range(n - 1):
            jacobian[2 * i, i], jacobian[2 * i, i + 1] = -20.0 * w[i], 10.0
            jacobian[2 * i + 1, i] = -1.0
        return v @ (2.0 * jacobian.T @ jacobian)


def minimize(optimizer: Any, w: Any, steps: int) -> tuple[Any, list[float]]:
    objective = Rosenbrock()
    state = optimizer.initial_state(len(w))
    heights = [objective.value(w)]
    for _ in range(steps):
        w, state = optimizer.step(objective, w, RATE, state)
        heights.append(objective.value(w))
    return w, heights


@pytest.mark.parametrize(
    ("optimizer", "steps"),
    [
        (Newton(), 40),
        (HessianFree(damping=0.1), 60),
        (HessianFree(damping=0.1, curvature="hessian"), 200),
        (Lbfgs(), 100),
        (Lbfgs(memory=3), 150),
    ],
)
def test_rosenbrock(optimizer: Any, steps: int) -> None:
    w, heights = minimize(optimizer, np.array([-1.2, 1.0, -0.5]), steps)
    np.testing.assert_allclose(w, 1.0, atol=1e-3)
    assert all(after <= before for before, after in pairwise(heights))


@pytest.mark.parametrize("optimizer", [Newton(), HessianFree(), Lbfgs()])
def test_a_minimum_is_left_in_peace(optimizer: Any) -> None:
    w, heights = minimize(optimizer, np.ones(3), 3)
    np.testing.assert_array_equal(w, 1.0)
    assert heights == [0.0] * 4


def test_newton_leaves_a_saddle_downhill() -> None:
    class Saddle(Rosenbrock):
        def value(self, w: Any) -> float:
            return float(w[0] ** 2 - w[1] ** 2 + 0.1 * w[1] ** 4)

        def value_and_gradient(self, w: Any) -> tuple[float, Any]:
            return self.value(w), np.array([2 * w[0], -2 * w[1] + 0.4 * w[1] ** 3])

        def hessian_products(self, w: Any, v: Any) -> Any:
            return v @ np.diag([2.0, -2.0 + 1.2 * w[1] ** 2])

    w = np.array([0.5, 1e-3])
    for _ in range(100):
        w, _ = Newton().step(Saddle(), w, RATE, {})
    np.testing.assert_allclose(np.abs(w), [0.0, np.sqrt(5.0)], atol=1e-3)


def test_two_loops_with_all_pairs_are_the_inverse() -> None:
    """n pairs of a quadratic, along conjugate directions, determine its Hessian."""
    rng = np.random.default_rng(0)
    root = rng.standard_normal((4, 4))
    hessian = root @ root.T + np.eye(4)
    s = np.linalg.eigh(hessian)[1].T
    gradient = rng.standard_normal(4)
    np.testing.assert_allclose(two_loops(s, s @ hessian, gradient), np.linalg.solve(hessian, gradient), rtol=1e-10)


def test_two_loops_ignore_rows_not_yet_filled() -> None:
    s, y = np.zeros((3, 2)), np.zeros((3, 2))
    s[2], y[2] = [1.0, 0.0], [2.0, 0.0]
    np.testing.assert_allclose(two_loops(s, y, np.array([4.0, 6.0])), [2.0, 3.0])


def test_conjugate_gradients_solve() -> None:
    rng = np.random.default_rng(1)
    root = rng.standard_normal((8, 8))
    a, b = root @ root.T + np.eye(8), rng.standard_normal(8)
    for first in (np.zeros(8), rng.standard_normal(8)):
        np.testing.assert_allclose(a @ conjugate_gradients(lambda v: a @ v, b, first, 50), b, atol=1e-6)


def test_conjugate_gradients_end_at_negative_curvature() -> None:
    b = np.array([1.0, 1.0])
    np.testing.assert_array_equal(conjugate_gradients(lambda v: -v, b, np.zeros(2), 10), b)
    np.testing.assert_array_equal(conjugate_gradients(lambda v: v, 0.0 * b, np.zeros(2), 10), 0.0)


def test_the_line_search_meets_the_wolfe_conditions() -> None:
    objective, w = Rosenbrock(), np.array([-1.2, 1.0])
    gradient = rosen_der(w)
    start = Point(0.0, w, rosen(w), gradient, -float(gradient @ gradient))
    for first in (1e-8, 1e-3, 1.0, 100.0):
        found = WolfeSearch(objective, start, -gradient).search(first)
        assert found is not None
        assert found.value <= start.value + 1e-4 * found.length * start.slope
        assert abs(found.slope) <= 0.9 * abs(start.slope)


def test_the_line_search_survives_overflow() -> None:
    class Cliff(Rosenbrock):
        def value_and_gradient(self, w: Any) -> tuple[float, Any]:
            return (float("nan"), w * float("nan")) if w[0] > 2.0 else (-float(w[0]), -np.ones(1))

    start = Point(0.0, np.zeros(1), 0.0, -np.ones(1), -1.0)
    found = WolfeSearch(Cliff(), start, np.ones(1)).search(1000.0)
    assert found is not None
    assert 0.0 < found.length <= 2.0
