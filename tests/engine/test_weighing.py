"""What examples count in the cost, and labels that count in nothing: on every backend, against formulas by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from graph.nets import net

from nnctl.components.signature import DataSignature
from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine

CLASSES = ("a", "b", "c")
POINTS = DataSignature((3,), "real", CLASSES)
STEPS = DataSignature((4, 3), "real", CLASSES, (4,))
SOFTMAX = "layers: [{type: dense, units: 3, activation: softmax}]\ncost: log_likelihood\noptimizer: sgd"
METRICS = (
    "metrics: [{type: top_k, k: 2}, {type: f1, average: macro}, balanced_accuracy, {type: roc_auc, average: macro}, "
    "log_loss, brier, max_error, calibration_error]"
)
RATE = 0.5


def engine(backend, text, signature, inputs, targets, weights=None) -> Engine:
    built = Engine(net(text), signature, seed=1, examples=len(inputs), backend=backend.name)
    built.feed.bind("train", inputs, targets, weights=weights)
    return built


def step(built, rows):
    """(cost, weight, what the step took from each parameter over the rate) of one step over these rows."""
    before = {name: array.astype(np.float64) for name, array in built.read(built.parameters).items()}
    chunk = Chunk(built.feed["train"].examples, np.array([rows]))
    rates = {"learning_rate": np.full(1, RATE), "momentum": np.zeros(1)}
    done = built.train(chunk, rates, 0)
    assert done.completed == 1
    taken = {name: (before[name] - array) / RATE for name, array in built.read(built.parameters).items()}
    return done.metrics["cost"][0], done.metrics["weight"][0], taken


def by_hand(built, x, labels, weights, shares):
    """Σ w·v·c / Σ v over labels that are no −1, and its gradient in the weights, of the net as it is."""
    w, b = (built.read([f"dense1.{name}"])[f"dense1.{name}"].astype(np.float64) for name in ("weight", "bias"))
    x, labels, weights, shares = x.reshape(-1, 3), labels.reshape(-1), weights.reshape(-1), shares.reshape(-1)
    kept = labels >= 0
    x, labels, weights, shares = x[kept].astype(np.float64), labels[kept], weights[kept], shares[kept]
    z = x @ w + b
    a = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    costs = -np.log(a[np.arange(len(a)), labels])
    total = shares.sum()
    error = (a - np.eye(3)[labels]) * (weights * shares)[:, None] / total
    return (weights * shares * costs).sum() / total, total, x.T @ error


def drawn(shape, left_out):
    rng = np.random.default_rng(7)
    inputs = rng.standard_normal((*shape, 3)).astype(np.float32)
    labels = rng.integers(0, 3, shape)
    if left_out:
        labels[rng.uniform(size=shape) < 0.4] = -1
        labels[5] = 1
    return inputs, labels, rng.uniform(0.0, 2.0, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "left_out", "weighed", "class_weights"),
    [((9,), False, True, None), ((9,), True, False, (0.5, 1.0, 3.0)), ((9, 4), True, True, None),
     ((9, 4), False, True, (0.5, 1.0, 3.0))],
)  # fmt: skip
def test_the_cost_and_its_gradient_are_those_of_the_formula(backend, shape, left_out, weighed, class_weights):
    inputs, labels, weights = drawn(shape, left_out)
    signature = replace(STEPS if len(shape) == 2 else POINTS, ignores=left_out)
    if weighed:
        signature = replace(signature, weights_shape=shape[1:])
    text = SOFTMAX
    if class_weights is not None:
        text = SOFTMAX.replace("log_likelihood", f"{{type: log_likelihood, class_weights: {list(class_weights)}}}")
    built = engine(backend, text, signature, inputs, labels, weights if weighed else None)
    rows = [5, 0, 3, 7]
    shares = np.array(class_weights or (1.0, 1.0, 1.0))[labels]
    factors = weights if weighed else np.ones(shape)
    expected = by_hand(built, inputs[rows], labels[rows], factors[rows], shares[rows])
    whole = by_hand(built, inputs, labels, factors, shares)
    assert built.evaluate("train")["cost"] == pytest.approx(whole[0], rel=1e-6)
    cost, weight, taken = step(built, rows)
    assert cost == pytest.approx(expected[0], rel=1e-6)
    np.testing.assert_allclose(taken["dense1.weight"], expected[2], rtol=1e-4, atol=1e-6)
    # Batches are joined by what they divide by; without classes' weights and left-out labels that is their examples.
    assert weight == pytest.approx(expected[1] if left_out or class_weights else len(rows), rel=1e-6)


def test_a_batch_without_a_label_costs_nothing_and_moves_nothing(backend):
    inputs, labels, weights = drawn((6, 4), True)
    labels[:3] = -1
    inputs[0] = 1e30
    signature = replace(STEPS, ignores=True, weights_shape=(4,))
    built = engine(backend, SOFTMAX, signature, inputs, labels, weights)
    cost, weight, taken = step(built, [1, 2])
    assert (cost, weight) == (0.0, 0.0)
    assert all(not array.any() for array in taken.values())


@pytest.mark.parametrize(
    ("output", "cost", "metrics"),
    [("{units: 3, activation: softmax}", "log_likelihood", "f1, {type: roc_auc, average: macro}, log_loss"),
     ("{units: 1, activation: sigmoid}", "cross_entropy", "max_error, mae")],
)  # fmt: skip
def test_padding_never_lowers_the_cost_nor_moves_a_metric(backend, output, cost, metrics):
    """Sequences filled up with what is left out cost as their steps do one by one."""
    text = f"layers: [{output.replace('{', '{type: dense, ')}]\ncost: {cost}\noptimizer: sgd\nmetrics: [{metrics}]"
    classes = CLASSES if "units: 3" in output else CLASSES[:2]
    inputs, labels, _ = drawn((9, 4), False)
    labels %= len(classes)
    filled = np.arange(4) >= np.array([4, 1, 2, 0, 3, 4, 1, 2, 3])[:, None]
    flat = engine(backend, text, replace(POINTS, classes=classes), inputs[~filled], labels[~filled])
    padded = np.where(filled, -1, labels)
    inputs[filled] = 3.0
    signature = replace(STEPS, classes=classes, ignores=True)
    sequences = engine(backend, text, signature, inputs, padded)
    sequences.assign(flat.read(flat.parameters))
    expected, found = flat.evaluate("train"), sequences.evaluate("train")
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6), name


def test_metrics_leave_out_what_is_left_out(backend):
    """Each is what it is of the examples that are left."""
    inputs, labels, weights = drawn((300,), True)
    kept = labels >= 0
    text = f"{SOFTMAX}\n{METRICS}"
    weighed = replace(POINTS, ignores=True, weights_shape=())
    whole = engine(backend, text, weighed, inputs, labels, weights)
    left = engine(backend, text, POINTS, inputs[kept], labels[kept])
    left.assign(whole.read(whole.parameters))
    expected, found = left.evaluate("train"), whole.evaluate("train")
    assert expected.keys() == found.keys()
    for name in expected.keys() - {"cost"}:
        assert found[name] == pytest.approx(expected[name], rel=1e-6), name
    assert found["accuracy"] == expected["accuracy"]
    assert found["cost"] != pytest.approx(expected["cost"], rel=1e-3)


def test_values_have_weights(backend):
    rng = np.random.default_rng(3)
    inputs, targets, weights = rng.standard_normal((6, 3)), rng.standard_normal((6, 2)), rng.uniform(0, 2, 6)
    signature = DataSignature((3,), "real", None, (2,), weights_shape=())
    text = "layers: [{type: dense, units: 2}]\ncost: quadratic\noptimizer: sgd\nmetrics: [mse]"
    built = engine(backend, text, signature, inputs, targets, weights)
    error = built.outputs(inputs).astype(np.float64) - targets
    measured = built.evaluate("train")
    assert measured["cost"] == pytest.approx((weights * 0.5 * (error**2).sum(1)).mean(), rel=1e-5)
    assert measured["mse"] == pytest.approx((error**2).mean(), rel=1e-5)
    _, _, taken = step(built, [0, 4])
    np.testing.assert_allclose(
        taken["dense1.bias"], (weights[[0, 4], None] * error[[0, 4]]).mean(0), rtol=1e-4, atol=1e-6
    )
