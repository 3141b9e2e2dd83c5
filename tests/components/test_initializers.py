from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nnctl.components.base import Initializer
from nnctl.components.initializers import (
    GAINS,
    ConstantValue,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Normal,
    Orthogonal,
    ScaledNormal,
    ScaledUniform,
    TruncatedNormal,
    Uniform,
    Zeros,
    default_initializer,
)
from nnctl.components.registry import components

FAN_IN, FAN_OUT = 200, 100


def draw(initializer: Initializer, convention: str = "torch", shape: tuple[int, ...] = (FAN_IN, FAN_OUT)) -> Any:
    rng = np.random.default_rng(0)
    return initializer.for_convention(convention).draw(rng, shape, FAN_IN, FAN_OUT)


@pytest.mark.parametrize(
    ("initializer", "bound"),
    [
        (GlorotUniform(), math.sqrt(6 / 300)),
        (GlorotUniform(gain="tanh"), 5 / 3 * math.sqrt(6 / 300)),
        (HeUniform(), math.sqrt(6 / 200)),
        (HeUniform(mode="fan_out"), math.sqrt(6 / 100)),
        (LecunUniform(), math.sqrt(3 / 200)),
        (ScaledUniform(), 1 / math.sqrt(200)),
        (Uniform(low=-0.2, high=0.2), 0.2),
    ],
)
def test_uniform_bounds(initializer: Initializer, bound: float) -> None:
    w = draw(initializer)
    assert np.max(np.abs(w)) <= bound
    # Of 20,000 draws the largest is this close to the bound but for one seed in e^-20.
    assert np.max(np.abs(w)) > 0.999 * bound
    assert abs(np.mean(w)) < 0.03 * bound


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        (GlorotNormal(), math.sqrt(2 / 300)),
        (GlorotNormal(gain=2.0), 2 * math.sqrt(2 / 300)),
        (HeNormal(), math.sqrt(2 / 200)),
        (HeNormal(slope=0.5), math.sqrt(2 / (1.25 * 200))),
        (HeNormal(mode="fan_out"), math.sqrt(2 / 100)),
        (LecunNormal(), math.sqrt(1 / 200)),
        (ScaledNormal(), 1 / math.sqrt(200)),
        (Normal(), 1.0),
        (Normal(std=0.3), 0.3),
    ],
)
@pytest.mark.parametrize("convention", ["torch", "keras"])
def test_standard_deviation(initializer: Initializer, std: float, convention: str) -> None:
    """Keras cuts the tails and widens the rest: the standard deviation is the same."""
    assert np.std(draw(initializer, convention)) == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize("initializer", [GlorotNormal(), HeNormal(), LecunNormal()])
def test_keras_cuts_the_tails(initializer: Any) -> None:
    std = np.std(draw(initializer))
    widened = 2 * std / 0.87962566103423978
    assert np.max(np.abs(draw(initializer, "keras"))) < 1.03 * widened
    assert np.max(np.abs(draw(initializer, "torch"))) > 1.5 * widened


def test_truncated_normal_bounds_by_convention() -> None:
    assert np.max(np.abs(draw(TruncatedNormal(std=5.0), "torch"))) <= 2.0
    w = draw(TruncatedNormal(mean=1.0, std=5.0), "keras")
    assert w.min() >= -9.0
    assert w.max() <= 11.0
    assert w.max() > 10.5


def test_truncated_normal_in_the_tail() -> None:
    w = draw(TruncatedNormal(lower=9.0, upper=10.0))
    assert np.all((w >= 9.0) & (w <= 10.0))
    # Beyond 9 a normal's mean lies about 1/9 above.
    assert np.mean(w) == pytest.approx(9.11, abs=0.01)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 2, 5), (5,)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    w = draw(Orthogonal(gain=2.0), shape=shape)
    assert w.shape == shape
    flat = w.reshape(-1, shape[-1])
    gram = flat.T @ flat if flat.shape[0] >= flat.shape[1] else flat @ flat.T
    np.testing.assert_allclose(gram, 4.0 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_is_q_with_the_signs_of_r() -> None:
    a = np.random.default_rng(0).standard_normal((6, 4))
    q, r = np.linalg.qr(a)
    np.testing.assert_array_equal(draw(Orthogonal(), shape=(6, 4)), q * np.sign(np.diag(r)))


def test_fillings() -> None:
    assert np.all(draw(Zeros()) == 0.0)
    assert np.all(draw(ConstantValue(value=0.5)) == 0.5)


def test_gains() -> None:
    assert GAINS["tanh"] == 5 / 3
    assert GAINS["relu"] == math.sqrt(2)
    assert GAINS["selu"] == 0.75


@pytest.mark.parametrize("name", sorted(components("initializer")))
@pytest.mark.parametrize("convention", ["torch", "keras", "book"])
def test_every_initializer_draws_float64_and_repeats(name: str, convention: str) -> None:
    fields = {"value": 0.1} if name == "constant" else {}
    initializer = components("initializer")[name](**fields)
    w = draw(initializer, convention, (5, 3))
    assert w.shape == (5, 3)
    assert w.dtype == np.float64
    assert np.all(np.isfinite(w))
    np.testing.assert_array_equal(w, draw(initializer, convention, (5, 3)))


def test_defaults_by_convention() -> None:
    chosen = {c: tuple(default_initializer(c, k).type for k in ("weight", "bias")) for c in ("torch", "keras", "book")}
    assert chosen == {
        "torch": ("scaled_uniform", "scaled_uniform"),
        "keras": ("glorot_uniform", "zeros"),
        "book": ("scaled_normal", "normal"),
    }


@pytest.mark.parametrize(
    ("initializer", "field"), [(Uniform(low=1.0, high=0.0), "high"), (TruncatedNormal(lower=2.0, upper=1.0), "upper")]
)
def test_bounds_the_wrong_way_round(initializer: Initializer, field: str) -> None:
    assert [p.field for p in initializer.problems()] == [field]
