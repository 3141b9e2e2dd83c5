"""Measures of the layers on a batch, on every backend, against the formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from graph.nets import net

from nnctl.backends.contract import Backend
from nnctl.components.activations import HardSigmoid, LeakyRelu, Relu, Sigmoid, Tanh
from nnctl.components.signature import DataSignature
from nnctl.engine.engine import Engine
from nnctl.graph.watching import fate

POINTS = DataSignature((3,), "real", ("a", "b"), (), None)
ROWS = 40
DENSE = """
layers:
  - {type: dense, units: 6, activation: tanh}
  - {type: dropout, rate: 0.5}
  - {type: dense, units: 5, activation: relu, frozen: true}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
regularizer: {type: l2, strength: 3.0}
watch: layers
"""
PICTURES = DataSignature((6, 6, 1), "real", ("a", "b"), (), None)
CONVOLUTION = """
layers:
  - {type: conv2d, filters: 4, kernel: 3, activation: relu}
  - {type: max_pool, size: 2}
  - flatten
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
watch: layers
"""


def watching(text: str, signature: DataSignature, backend: str, inputs: np.ndarray, targets: np.ndarray) -> Engine:
    engine = Engine(net(text), signature, seed=4, examples=ROWS, backend=backend)
    engine.feed.bind("watched", inputs, targets)
    return engine


def test_dense_layers_are_those_of_the_formulas(backend: Backend) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 6, (ROWS, 3)), rng.integers(0, 2, ROWS)
    engine = watching(DENSE, POINTS, backend.name, x, y)
    # Two of the five units are off whatever the example is.
    engine.assign({"dense2.bias": np.array([-99, 0, 0, -99, 0], np.float32)})
    w = {name: array.astype(np.float64) for name, array in engine.state().items()}
    a1 = np.tanh(x.astype(np.float32) @ w["dense1.weight"] + w["dense1.bias"])
    z2 = a1 @ w["dense2.weight"] + w["dense2.bias"]
    a2 = np.maximum(z2, 0)
    z3 = a2 @ w["dense3.weight"] + w["dense3.bias"]
    a3 = np.exp(z3) / np.exp(z3).sum(1, keepdims=True)
    # The cost is a mean over the batch, the penalty λ/2n·‖w‖².
    delta3 = (a3 - np.eye(2)[y]) / ROWS
    delta1 = ((delta3 @ w["dense3.weight"].T) * (z2 > 0)) @ w["dense2.weight"].T * (1 - a1**2)
    gradients = {
        "dense1.weight": x.T @ delta1 + 3.0 / ROWS * w["dense1.weight"],
        "dense3.weight": a2.T @ delta3 + 3.0 / ROWS * w["dense3.weight"],
    }
    rows = {row["layer"]: row for row in engine.watch("watched")}
    assert list(rows) == ["dense1", "dense2", "dense3"]
    for name, a in {"dense1": a1, "dense2": a2, "dense3": a3}.items():
        assert rows[name]["weight_norm"] == pytest.approx(np.linalg.norm(w[f"{name}.weight"]), rel=1e-5)
        assert rows[name]["activation_mean"] == pytest.approx(a.mean(), rel=1e-4, abs=1e-5)
        assert rows[name]["activation_deviation"] == pytest.approx(a.std(), rel=1e-4)
    for name in ("dense1", "dense3"):
        assert rows[name]["gradient_norm"] == pytest.approx(np.linalg.norm(gradients[f"{name}.weight"]), rel=1e-4)
    assert rows["dense2"]["gradient_norm"] is None  # frozen
    assert rows["dense1"]["saturated"] == pytest.approx(np.mean(1 - a1**2 < 0.05), rel=1e-6)
    assert 0.1 < np.mean(1 - a1**2 < 0.05) < 0.9
    assert rows["dense2"]["dead"] == pytest.approx(np.mean((z2 <= 0).all(0)), rel=1e-6)
    assert np.mean((z2 <= 0).all(0)) >= 0.4
    assert rows["dense1"]["dead"] is rows["dense2"]["saturated"] is rows["dense3"]["dead"] is None


def test_a_filter_is_dead_where_it_is_off_at_every_position() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 1, (ROWS, 6, 6, 1)), rng.integers(0, 2, ROWS)
    engine = watching(CONVOLUTION, PICTURES, "numpy", x, y)
    engine.assign({"conv2d1.bias": np.array([0, -99, 0, 0], np.float32)})
    w = engine.state()["conv2d1.weight"].astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float32)[..., 0], (3, 3), (1, 2))
    a = np.maximum(np.einsum("nhwij,ijo->nhwo", windows, w.reshape(3, 3, 4)) + np.array([0, -99, 0, 0]), 0)
    first, *_ = engine.watch("watched")
    assert first["dead"] == 0.25
    # Before pooling, though the net may pool before it takes the activation.
    assert first["activation_mean"] == pytest.approx(a.mean(), rel=1e-4)
    assert first["activation_deviation"] == pytest.approx(a.std(), rel=1e-4)


def test_activations_and_what_may_become_of_their_units() -> None:
    assert fate(Sigmoid()) == fate(Tanh()) == fate(HardSigmoid()) == "saturates"
    assert fate(Relu()) == "dies"
    assert fate(LeakyRelu(slope=0.01)) is None
