"""Echo state networks: the reservoir as specified, the readout as the normal equations have it, errors as published."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.analysis.gradcheck import GradientCheck
from nnctl.components.initializers import Reservoir
from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine
from nnctl.errors import SpecError
from nnctl.spec.load import load_spec, load_text
from nnctl.training import session
from nnctl.training.events import Finished

SPECS = Path(__file__).parents[2] / "specs"
TEXT = """
data: {{type: narma, examples: 3, length: 60, washout: {washout}}}
layers:
  - {{type: echo_state, units: 8, leak: 0.6, washout: 20{more}}}
  - {last}
cost: {cost}
optimizer: {{type: ridge, strength: 1e-3}}
schedule: {{epochs: 1, batch_size: {batch}}}
"""


def text_of(last: str = "{type: dense, units: 1}", cost: str = "mse", batch: str = "full", more: str = "",
            washout: int = 20) -> str:  # fmt: skip
    return TEXT.format(last=last, cost=cost, batch=batch, more=more, washout=washout)


def engine_of(text: str) -> Engine:
    spec = load_text(text).spec
    engine = Engine(spec, spec.data.signature(Path()), seed=0, examples=3, backend="numpy")
    read: Any = spec.data
    examples = read.read(Path(), 0)
    engine.feed.bind("train", examples.inputs, examples.targets)
    return engine


def states_by_hand(state: dict[str, Any], u: Any) -> Any:
    w, r, b = (state[f"echo_state1.{n}"].astype(float) for n in ("weight", "recurrent_weight", "bias"))
    h, found = np.zeros((len(u), len(b))), []
    for t in range(u.shape[1]):
        h = 0.4 * h + 0.6 * np.tanh(u[:, t] @ w + h @ r + b)
        found.append(h)
    return np.stack(found, axis=1)[:, 20:]


@pytest.mark.parametrize("bias", [True, False])
def test_the_readout_is_the_ridge_solution(bias: bool) -> None:
    engine = engine_of(text_of(last=f"{{type: dense, units: 1, bias: {str(bias).lower()}}}"))
    before = engine.state()
    steps = engine.train(Chunk(engine.feed["train"].examples, np.arange(3)[None]), {"learning_rate": np.ones(1)}, 0)
    state = engine.state()
    assert steps.completed == 1
    host = engine._host
    assert host is not None
    u, y = host._data["data.inputs"], host._data["data.targets"].reshape(-1, 1)
    x = states_by_hand(state, u).reshape(-1, 8)
    if bias:
        x = np.hstack([x, np.ones((len(x), 1))])
    penalty = 1e-3 * np.diag([1.0] * 8 + [0.0] * bias)
    expected = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    np.testing.assert_allclose(state["dense1.weight"], expected[:8], rtol=1e-4, atol=1e-5)
    if bias:
        np.testing.assert_allclose(state["dense1.bias"], expected[8], rtol=1e-4)
    for name in ("weight", "recurrent_weight", "bias"):
        np.testing.assert_array_equal(state[f"echo_state1.{name}"], before[f"echo_state1.{name}"])


def test_a_reservoir_has_its_radius_and_sparsity() -> None:
    w = Reservoir(spectral_radius=0.7, sparsity=0.8).draw(np.random.default_rng(0), (100, 100), 100, 100)
    assert np.abs(np.linalg.eigvals(w)).max() == pytest.approx(0.7)
    assert np.mean(w == 0.0) == pytest.approx(0.8, abs=0.02)
    assert np.all(np.isfinite(Reservoir(sparsity=0.99).draw(np.random.default_rng(0), (3, 3), 3, 3)))


def test_a_reservoir_can_be_trained() -> None:
    text = """
data: {type: narma, examples: 3, length: 5, washout: 2}
layers:
  - {type: echo_state, units: 3, leak: 0.6, washout: 2, frozen: false, sparsity: 0.0}
  - {type: dense, units: 1}
cost: mse
"""
    spec = load_text(text).spec
    results = list(GradientCheck(spec, spec.data.signature(Path()), batch=3).run())
    assert [r.parameter for r in results][:3] == [
        "echo_state1.weight", "echo_state1.recurrent_weight", "echo_state1.bias",
    ]  # fmt: skip
    assert {r.verdict for r in results} == {"PASS"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (text_of(last="{type: dense, units: 1, activation: tanh}"), "the last layer is to be dense and linear"),
        (text_of(more=", frozen: false"), "it would have to train echo_state1.weight, echo_state1.recurrent_weight"),
        (text_of(cost="mae"), "it solves for least squares with a penalty of its own"),
        (
            text_of() + "regularizer: {type: l2, strength: 1.0}\n",
            "it solves for least squares with a penalty of its own",
        ),
        (text_of(batch="2"), "set schedule.batch_size: full"),
        (text_of(washout=10), "the net's output has shape (batch, 40, 1), the targets (batch, 50, 1)"),
        (text_of(washout=10), "the targets have 50 steps; a reservoir's washout must be the data's"),
    ],
)
def test_what_ridge_cannot_solve(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"{text}\nbackend: numpy\n")
    loaded = load_spec(path)
    with pytest.raises(SpecError) as caught:
        session.load_engine(loaded, loaded.spec.data.signature(tmp_path), examples=3)
    assert message in str(caught.value)


@pytest.mark.compile
@pytest.mark.parametrize(("name", "nrmse"), [("echo-state", 0.2), ("mackey-glass", 1e-3)])
def test_errors_at_the_level_of_the_literature(name: str, nrmse: float, tmp_path: Path) -> None:
    *_, finished = session.train(load_spec(SPECS / f"{name}.yaml"), out=tmp_path / "run")
    assert isinstance(finished, Finished)
    assert math.sqrt(finished.summary["test"]["test_nmse"]) < nrmse
