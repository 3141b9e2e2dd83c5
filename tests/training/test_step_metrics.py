"""Norms of gradients and weights while a net trains: the right numbers, and nothing where nobody asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine
from nnctl.errors import ShapeError, SpecError
from nnctl.spec.load import load_spec, load_text
from nnctl.training import session
from nnctl.training.events import Evaluated

TEXT = """
data: {{type: blobs, examples: 20, validation: 4}}
layers: [{{type: dense, units: 4, activation: tanh}}, {{type: dense, units: 3, activation: softmax, bias: false}}]
cost: log_likelihood
optimizer: {optimizer}
backend: {backend}
schedule: {{epochs: 2, batch_size: 5, shuffle: false}}
metrics: {metrics}
"""
NORMS = "[gradient_norms, weight_norms, {type: gradient_norms, of: weight}]"


def rows(folder: Path, optimizer: str = "sgd", backend: str = "numpy") -> list[dict[str, Any]]:
    path = folder / "spec.yaml"
    path.write_text(TEXT.format(optimizer=optimizer, backend=backend, metrics=NORMS))
    return [e.record for e in session.train(load_spec(path), out=folder / "run") if isinstance(e, Evaluated)]


def engine(metrics: str) -> Engine:
    spec = load_text(TEXT.format(optimizer="sgd", backend="numpy", metrics=metrics)).spec
    return Engine(spec, spec.data.signature(Path()), seed=0, examples=16)


def test_columns() -> None:
    assert engine(NORMS).step_metric_names == (
        "gradient_norm.dense1.bias",
        "weight_norm.dense1.weight",
        "weight_norm.dense2.weight",
        "gradient_norm.dense1.weight",
        "gradient_norm.dense2.weight",
    )
    assert engine(NORMS).metric_names == ("cost", "accuracy")


def norms_without_biases(metrics: str) -> Engine:
    text = TEXT.replace("activation: tanh", "activation: tanh, bias: false")
    spec = load_text(text.format(optimizer="sgd", backend="numpy", metrics=metrics)).spec
    return Engine(spec, spec.data.signature(Path()), seed=0, examples=16)


def test_a_net_without_biases_has_columns_of_its_weights() -> None:
    columns = ("gradient_norm.dense1.weight", "gradient_norm.dense2.weight")
    assert norms_without_biases("[gradient_norms]").step_metric_names == columns
    assert norms_without_biases("[gradient_norms, {type: gradient_norms, of: weight}]").step_metric_names == columns


@pytest.mark.parametrize("metric", ["{type: gradient_norms, of: bias}", "{type: weight_norms, of: bias}"])
def test_what_no_parameter_has_is_an_error_and_not_a_column_less(metric: str) -> None:
    with pytest.raises(ShapeError, match="of each bias: the net trains no such parameter\n  it trains weights"):
        norms_without_biases(f"[{metric}]")


def test_nothing_is_computed_that_nobody_asks_for() -> None:
    step = engine("[]").network.unfused_training_step
    assert set(step.outputs) == {"cost", "weight", "accuracy"}
    assert not any(node.op.name == "norm" for node in step.nodes)


def test_the_first_step() -> None:
    """Norms of the weights are those before the step; the gradient follows from the step that plain descent takes."""
    built = engine(NORMS)
    rng = np.random.default_rng(0)
    built.feed.bind("train", rng.standard_normal((16, 2)), rng.integers(0, 3, 16))
    before = built.state()
    chunk = Chunk(built.feed["train"].examples, np.arange(16)[None])
    done = built.train(chunk, {"learning_rate": np.full(1, 0.5), "momentum": np.zeros(1)}, 0)
    after = built.state()
    for name in ("dense1.bias", "dense1.weight", "dense2.weight"):
        gradient = (before[name].astype(float) - after[name]) / 0.5
        np.testing.assert_allclose(done.metrics[f"gradient_norm.{name}"], [np.linalg.norm(gradient)], rtol=1e-5)
    for name in ("dense1.weight", "dense2.weight"):
        np.testing.assert_allclose(done.metrics[f"weight_norm.{name}"], [np.linalg.norm(before[name])], rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_rows(optimizer: str, tmp_path: Path) -> None:
    first, second = rows(tmp_path, optimizer)
    assert first["gradient_norm.dense1.bias"] > 0.0
    assert first["weight_norm.dense1.weight"] != second["weight_norm.dense1.weight"]
    assert not any(name.startswith("validation_gradient") for name in first)


def test_measured_twice_and_monitored() -> None:
    with pytest.raises(SpecError, match="'gradient_norms of each bias' is measured twice"):
        load_text(TEXT.format(optimizer="sgd", backend="numpy", metrics="[gradient_norms, gradient_norms]"))
    text = TEXT.format(optimizer="sgd", backend="numpy", metrics=NORMS)
    monitored = text.replace("epochs: 2,", "epochs: 2, early_stopping: {monitor: train_gradient_norms},")
    with pytest.raises(SpecError, match="no column 'train_gradient_norms' will be measured"):
        load_text(monitored)
