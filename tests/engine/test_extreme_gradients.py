"""Gradients whose squares overflow or underflow: steps are those of exact arithmetic, or the run ends as diverged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph.nets import CLIPPINGS, OPTIMIZERS, net

from nnctl.analysis.postmortem import non_finite
from nnctl.cli import main
from nnctl.components.base import Clipping
from nnctl.components.clipping import ClipByGlobalNorm, ClipByNorm, ClipByValue
from nnctl.components.signature import DataSignature
from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine
from nnctl.graph import interface
from nnctl.graph.evaluate import evaluate
from nnctl.spec.document import Spec

SIGNATURE = DataSignature((2,), target_shape=(3,))
TEXT = """
layers: [{type: dense, units: 3, initializer: zeros, bias: false}]
cost: mse
metrics: [gradient_norms, {type: gradient_norms, of: weight}, weight_norms]
"""
SCALES = (1e25, 1e-30)


def one_step(spec: Spec, scale: float, backend: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(state in single precision, updates in double, step metrics of both) after one step, gradients near scale."""
    inputs = scale * np.array([[1.0, 2.0], [2.0, -1.0], [1.5, 1.0]])
    engine = Engine(spec, SIGNATURE, seed=0, examples=3, backend=backend, threads=1)
    engine.feed.bind("train", inputs, np.full((3, 3), 1.0))
    before = engine.storage_on_host(engine.feed["train"].examples)
    rates = {name: np.full(1, value) for name, value in spec.optimizer.rates().items()}
    steps = engine.train(Chunk(engine.feed["train"].examples, np.arange(3)[None]), rates, 0)
    assert steps.completed == 1
    graph = engine.network.unfused_training_step
    feeds = {interface.INDEX: np.arange(3), interface.STEP: np.array(0)} | {n: v[0] for n, v in rates.items()}
    exact = {c.value: c.array for c in evaluate(graph, before | feeds, interface.sizes(3, 3))}
    wide = {old.name: exact[new] for old, new in graph.updates.items()}
    metrics = {n: (float(steps.metrics[n][0]), float(exact[graph.outputs[n]])) for n in engine.step_metric_names}
    return engine.state(), wide, metrics


def agree(spec: Spec, scale: float, backend: str) -> bool:
    """True where the step was that of double precision, False where the state tells that it overflowed."""
    state, exact, metrics = one_step(spec, scale, backend)
    assert metrics
    for narrow, wide in metrics.values():
        assert narrow == pytest.approx(wide, rel=1e-5)
    if non_finite(state, 1) is not None:
        return False
    for name in (n for n in state if interface.layer_of(n) is not None):
        assert np.any(exact[name] != 0.0)
        np.testing.assert_allclose(state[name], exact[name], rtol=1e-4, atol=1e-42, err_msg=name)
    return True


def bounded(clipping: Clipping | None, scale: float) -> Clipping | None:
    return None if clipping is None else replace(clipping, limit=0.1 * scale)  # type: ignore[call-arg]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("clipping", [None, *(c for c in CLIPPINGS if c is not None)], ids=lambda c: c and c.type)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_every_optimizer_steps_exactly_or_the_state_tells(optimizer: Any, clipping: Any, scale: float) -> None:
    spec = replace(net(TEXT), optimizer=replace(optimizer, clip=bounded(clipping, scale)))
    exact = agree(spec, scale, "numpy")
    # Of small gradients nothing may be lost: what squares lose is far below ε.
    assert exact or scale > 1.0


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("clipping", [ClipByNorm(limit=1.0), ClipByGlobalNorm(limit=1.0), ClipByValue(limit=1.0)])
def test_clipped_steps_are_exact_on_the_compiled_backend(clipping: Clipping) -> None:
    for scale in SCALES:
        spec = net(TEXT)
        spec = replace(spec, optimizer=replace(spec.optimizer, clip=bounded(clipping, scale)))  # type: ignore[arg-type]
        assert agree(spec, scale, "cpu")


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("limit", [1e25, 2.0])
def test_max_norm_of_weights_whose_squares_overflow(backend: str, limit: float) -> None:
    text = TEXT.replace("zeros", f"{{type: constant, value: 1e30}}, regularizer: {{type: max_norm, limit: {limit}}}")
    engine = Engine(net(text), SIGNATURE, seed=0, examples=3, backend=backend, threads=1)
    engine.feed.bind("train", np.full((3, 2), 1e-30), np.full((3, 3), 2.0))
    rates = {"learning_rate": np.full(1, 0.1), "momentum": np.zeros(1)}
    engine.train(Chunk(engine.feed["train"].examples, np.arange(3)[None]), rates, 0)
    weight = engine.state()["dense1.weight"].astype(np.float64)
    np.testing.assert_allclose(np.sqrt((weight**2).sum(axis=0)), limit, rtol=1e-6)


@pytest.mark.parametrize("limit", [1e-25, 2e-25])
def test_max_norm_of_weights_whose_squares_underflow(limit: float) -> None:
    text = TEXT.replace("zeros", f"{{type: constant, value: 1e-24}}, regularizer: {{type: max_norm, limit: {limit}}}")
    engine = Engine(net(text), SIGNATURE, seed=0, examples=3, backend="numpy")
    engine.feed.bind("train", np.zeros((3, 2)), np.full((3, 3), 2.0))
    rates = {"learning_rate": np.full(1, 0.1), "momentum": np.zeros(1)}
    engine.train(Chunk(engine.feed["train"].examples, np.arange(3)[None]), rates, 0)
    weight = engine.state()["dense1.weight"].astype(np.float64)
    np.testing.assert_allclose(np.sqrt((weight**2).sum(axis=0)), limit, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad", "adadelta"])
def test_a_run_whose_squares_overflow_ends_as_diverged_and_names_the_array(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without it the run would stand still and end well."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{(-1) ** i * 1e25:g},1.5\n" for i in range(8))
    Path("large.csv").write_text("x,y\n" + rows)
    Path("s.yaml").write_text(
        "data: {type: csv, path: large.csv, target: y}\n"
        "layers: [{type: dense, units: 1, initializer: zeros}]\ncost: mse\n"
        f"optimizer: {{type: {optimizer}, learning_rate: 1e-30}}\nschedule: {{epochs: 3, batch_size: 3}}\n"
    )
    assert main(["train", "s.yaml", "--backend", "numpy"]) == 4
    words = capsys.readouterr().err
    assert ".dense1.weight is not finite after step 3" in words
    assert "beyond the largest number" in words
