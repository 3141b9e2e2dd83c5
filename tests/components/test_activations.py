from __future__ import annotations

import math

import numpy as np
import pytest
from graph_bench import XP, Bench

from nnctl.components.activations import (
    Elu,
    Gelu,
    HardSigmoid,
    LeakyRelu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Step,
)
from nnctl.components.registry import components


@pytest.mark.parametrize("name", sorted(set(components("activation")) - {"softmax"}))
def test_is_finite_far_out(name: str) -> None:
    activation = components("activation")[name]().for_convention("torch")
    z = np.array([-1e30, -1e4, 0.0, 1e4, 1e12])
    with np.errstate(over="raise", invalid="raise"):
        a = activation.body(XP, z)
    assert np.all(np.isfinite(a))


def test_values() -> None:
    z = np.array([-2.0, 0.0, 2.0, 8.0])
    sigmoid = 1.0 / (1.0 + np.exp(-z))
    np.testing.assert_array_equal(Step().body(XP, z), [0, 0, 1, 1])
    np.testing.assert_allclose(Sigmoid().body(XP, z), sigmoid, rtol=1e-15)
    np.testing.assert_allclose(Silu().body(XP, z), z * sigmoid, rtol=1e-15)
    np.testing.assert_allclose(Softplus().body(XP, z), np.log1p(np.exp(z)), rtol=1e-15)
    np.testing.assert_allclose(Elu(alpha=2.0).body(XP, z), [2 * math.expm1(-2), 0, 2, 8])
    np.testing.assert_allclose(Selu().body(XP, z)[2], 2 * 1.0507009873554805)
    np.testing.assert_array_equal(Relu6().body(XP, z), [0, 0, 2, 6])
    np.testing.assert_allclose(HardSigmoid().body(XP, z), [1 / 6, 0.5, 5 / 6, 1])
    np.testing.assert_allclose(HardSigmoid(slope=0.2, offset=0.4).body(XP, np.array([-2.0, 1.0, 3.0])), [0, 0.6, 1])
    np.testing.assert_allclose(Gelu().body(XP, z)[2], 2 * 0.5 * (1 + math.erf(math.sqrt(2))))
    np.testing.assert_allclose(Gelu(approximate="tanh").body(XP, z)[2], 1.954597694087775)


@pytest.mark.parametrize(("convention", "slope"), [("torch", 0.01), ("keras", 0.3)])
def test_leaky_slope_by_convention(convention: str, slope: float) -> None:
    activation = LeakyRelu().for_convention(convention)
    np.testing.assert_array_equal(activation.body(XP, np.array([-1.0, 2.0])), [-slope, 2.0])


def test_softplus_keeps_small_values() -> None:
    np.testing.assert_allclose(Softplus().body(XP, np.array([-50.0])), math.exp(-50.0), rtol=1e-14)


def test_softmax_over_the_last_axis() -> None:
    bench = Bench()
    z = bench.tensor("z", [[1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0]])
    (a,) = bench.run(Softmax().build(bench.builder, z))
    np.testing.assert_allclose(a.sum(axis=1), [1.0, 1.0])
    np.testing.assert_allclose(a[0, 2], math.exp(3) / (math.exp(1) + math.exp(2) + math.exp(3)))
    np.testing.assert_array_equal(a[1], [1.0, 0.0, 0.0])
