"""Traces: against the textbook's formulas in NumPy, against the gradient check, and every number put into a formula."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.analysis.gradcheck import GradientCheck
from nnctl.analysis.trace import scans, substitution
from nnctl.analysis.trace.stages import Line, Trace, places
from nnctl.analysis.trace.substitution import Writer
from nnctl.analysis.trace.text import heading, stage_lines
from nnctl.analysis.trace.tracing import trace
from nnctl.data.dataset import load_dataset
from nnctl.engine.engine import load_engine
from nnctl.errors import NnctlError, UsageError
from nnctl.graph import interface
from nnctl.graph.ir import Node
from nnctl.inference.tracing import traced
from nnctl.ops import OPS
from nnctl.ops.namespaces import numpy_namespace
from nnctl.report.trace import trace_page
from nnctl.spec.load import load_spec
from nnctl.training import session

FOLDER = Path(__file__).parents[2] / "specs"
MNIST = FOLDER.parents[1] / "shared" / "data" / "mnist"


def sigmoid(z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


def before(found: Trace, name: str) -> np.ndarray:
    """The value of a parameter before the update."""
    for stage in found.stages:
        for quantity in stage.quantities:
            if quantity.name == name and quantity.before is not None:
                return quantity.before
    raise KeyError(name)


def equation(found: Trace, name: str) -> str:
    return next(q.equation for stage in found.stages for q in stage.quantities if q.name == name)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The data of a 2-3-1 net, and its spec with the book's conventions."""
    np.savez(tmp_path / "data.npz", inputs=np.array([[0.05, 0.1], [0.7, -0.4]], np.float32),
             targets=np.array([[0.2], [0.9]], np.float32))  # fmt: skip
    path = tmp_path / "small.yaml"
    path.write_text(
        """
convention: book
data: {type: npz, path: data.npz}
layers:
  - {type: dense, units: 3, activation: sigmoid}
  - {type: dense, units: 1, activation: sigmoid}
cost: quadratic
optimizer: {type: sgd, learning_rate: 3.0}
schedule: {epochs: 1, batch_size: 1}
"""
    )
    return path


@pytest.mark.parametrize("cost", ["quadratic", "cross_entropy"])
def test_a_small_net_is_that_of_the_textbook(cost: str, small: Path) -> None:
    found = traced(small, 1, overrides=[f"cost={cost}"])
    # The book's orientation: w[j, k] leads from neuron k to neuron j.
    w2, b2 = before(found, "dense1.weight").T, before(found, "dense1.bias")
    w3, b3 = before(found, "dense2.weight").T, before(found, "dense2.bias")
    x, y = np.float32([0.7, -0.4]).astype(float), float(np.float32(0.9))
    z2 = w2 @ x + b2
    a2 = sigmoid(z2)
    z3 = w3 @ a2 + b3
    a3 = sigmoid(z3)
    if cost == "quadratic":
        c = 0.5 * (y - a3[0]) ** 2
        delta3 = (a3 - y) * a3 * (1.0 - a3)
    else:
        c = -(y * math.log(a3[0]) + (1.0 - y) * math.log(1.0 - a3[0]))
        delta3 = a3 - y
    delta2 = (w3.T @ delta3) * a2 * (1.0 - a2)
    expected = {
        "x": x, "dense1.z": z2, "dense1.a": a2, "dense2.z": z3, "dense2.a": a3, "C": c,
        "∂C/∂dense2.z": delta3, "∂C/∂dense1.z": delta2,
        "∂C/∂dense2.bias": delta3, "∂C/∂dense1.bias": delta2,
        "∂C/∂dense2.weight": np.outer(delta3, a2).T, "∂C/∂dense1.weight": np.outer(delta2, x).T,
        "dense1.weight": (w2 - 3.0 * np.outer(delta2, x)).T, "dense1.bias": b2 - 3.0 * delta2,
        "dense2.weight": (w3 - 3.0 * np.outer(delta3, a2)).T, "dense2.bias": b3 - 3.0 * delta3,
    }  # fmt: skip
    for name, value in expected.items():
        got = found.array(name)
        np.testing.assert_allclose(got.reshape(np.shape(value)), value, rtol=1e-13, atol=1e-15, err_msg=name)
    assert equation(found, "∂C/∂dense2.z") == "BP1"
    assert equation(found, "∂C/∂dense1.z") == "BP2"
    assert equation(found, "∂C/∂dense1.bias") == equation(found, "∂C/∂dense2.bias") == "BP3"
    assert equation(found, "∂C/∂dense1.weight") == equation(found, "∂C/∂dense2.weight") == "BP4"
    (line,) = next(q for stage in found.stages for q in stage.quantities if q.name == "dense2.z").lines
    terms = " + ".join(f"{written(a2[k])}·{written(w3[0, k])}" for k in range(3))
    assert line.numbers == f"{terms} + {written(b3[0])}"


def written(value: float) -> str:
    return f"({value:.5g})" if value < 0 else f"{value:.5g}"


def test_softmax_with_a_penalty_and_a_momentum_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "softmax.yaml"
    path.write_text(
        """
data: {type: blobs, centers: 3, examples: 60, validation: 12}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
regularizer: {type: l2, strength: 0.8}
optimizer: {type: momentum, learning_rate: 0.2, momentum: 0.7}
schedule: {epochs: 2, batch_size: 12}
backend: numpy
"""
    )
    list(session.train(load_spec(path), out=tmp_path / "run"))
    found = traced(tmp_path / "run", 5, split="validation", checkpoint="last")
    w, b = before(found, "dense1.weight"), before(found, "dense1.bias")
    v, u = (before(found, f"optimizer.velocity.dense1.{name}") for name in ("weight", "bias"))
    assert np.abs(v).max() > 0.0
    x, n = found.array("x")[0], int(re.findall(r"is ([0-9]+)\.", found.words[0])[0])
    label = int(found.array("y").reshape(-1)[0])
    z = x @ w + b
    a = np.exp(z) / np.exp(z).sum()
    cost, penalty = -math.log(a[label]), 0.8 / (2 * n) * np.sum(w * w)
    delta = a - np.eye(3)[label]
    of_cost, of_penalty = np.outer(x, delta), 0.8 / n * w
    velocity, drift = 0.7 * v + of_cost + of_penalty, 0.7 * u + delta
    expected = {
        "dense1.a": a, "C₀": cost, "C − C₀": penalty, "C": cost + penalty, "∂C/∂dense1.z": delta,
        "∂C₀/∂dense1.weight": of_cost, "∂(C − C₀)/∂dense1.weight": of_penalty,
        "∂C/∂dense1.weight": of_cost + of_penalty, "optimizer.velocity.dense1.weight": velocity,
        "dense1.weight": w - 0.2 * velocity, "dense1.bias": b - 0.2 * drift,
    }  # fmt: skip
    for name, value in expected.items():
        got = found.array(name)
        np.testing.assert_allclose(got.reshape(np.shape(value)), value, rtol=1e-10, atol=1e-14, err_msg=name)
    assert found.facts["step"] == 2 * math.ceil(n / 12)
    assert any("validation" in sentence for sentence in found.words)
    formulas = {quantity.name: quantity.formula for stage in found.stages for quantity in stage.quantities}
    assert formulas["C"] == "C₀ + (C − C₀)"


@pytest.mark.parametrize(
    "name", ["dropout.yaml", "dropconnect.yaml", "batch-norm.yaml", "keras.yaml", "quadratic.yaml"]
)
def test_the_step_is_that_of_training(name: str) -> None:
    """The same example as the whole batch of an engine's first step, masks of random layers included."""
    loaded = load_spec(FOLDER / name)
    data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    engine = load_engine(loaded, data.signature, examples=len(data.train), backend="numpy")
    engine.assign({interface.of_data(key): array for key, array in data.statistics.items()})
    engine.feed.bind("train", np.asarray(data.train.inputs[3:4]), data.train.targets[3:4])
    reader = engine.feed["train"]
    reader.advance_to(0, 0)
    found = traced(FOLDER / name, 3)
    rates = {key: np.array([found.facts[key]]) for key in loaded.spec.optimizer.rates()}
    first = engine.state()
    steps = engine.train(reader.chunk(0, 0, 1, 1), rates, 0)
    cost = "C" if engine.network.penalty is None else "C₀"
    np.testing.assert_allclose(found.array(cost), steps.metrics["cost"][0], rtol=1e-5)
    after = engine.state()
    moved = [key for key in after if np.any(after[key] != first[key])]
    assert set(engine.parameters) & set(moved)
    changed = {q.name: q for stage in found.stages for q in stage.quantities if q.before is not None}
    assert set(moved) <= set(changed)
    for key, quantity in changed.items():
        np.testing.assert_array_equal(quantity.before, first[key], err_msg=key)
        np.testing.assert_allclose(quantity.array, after[key], rtol=2e-4, atol=2e-6, err_msg=key)


def given_of(check: GradientCheck) -> dict[str, Any]:
    """What the step of a gradient check reads, and what its update reads beside it."""
    structure, optimizer = check.network.structure, check.network.spec.optimizer
    state = {name: np.full(parameter.shape, first) for name, (parameter, first) in structure.optimizer_state.items()}
    words = np.array(interface.seed_words(check.seed))
    feeds = {interface.SEED: words, interface.INDEX: np.arange(1), interface.STEP: 0, **optimizer.rates()}
    return {**check.parameters, **check.states, **check.data, **state, **feeds}


@lru_cache
def checked(name: str, *overrides: str) -> tuple[GradientCheck, Trace]:
    """A gradient check on one example, and the trace of the same step with every digit."""
    loaded = load_spec(FOLDER / name, overrides)
    check = GradientCheck(loaded.spec, loaded.spec.data.signature(loaded.folder, loaded.spec.seed), batch=1)
    return check, trace(check.network, given_of(check), digits=17)


NETS = [
    ("conv-digits.yaml", []),
    ("norms.yaml", ["layers.1.size=2"]),
    ("conv-digits.yaml", ["layers.1={type: max_pool, size: 2, stride: 1, dilation: 2}"]),
    ("lstm-adding.yaml", ["data.length=4", "layers.0.units=3"]),
    ("gru-parity.yaml", ["data.length=3", "data.shortest=2", "layers.1.units=2"]),
    ("gru-parity.yaml", ["data.length=3", "data.shortest=2", "layers.1.units=2", "layers.1.reset_after=false"]),
    ("rnn-sine.yaml", ["layers.0.units=2"]),
    ("echo-state.yaml", ["layers.0={type: echo_state, units: 2, frozen: false}", "data.length=5", "data.washout=0"]),
    ("lstm-adding.yaml", ["data.length=3", "layers.0={type: gru, units: 2, bidirectional: true}"]),
    ("residual.yaml", []),
    ("batch-norm.yaml", []),
    ("hourglass.yaml", []),
    ("dropout.yaml", []),
    ("moons.yaml", []),
    ("char-lstm.yaml", []),
]


@pytest.mark.parametrize(("name", "overrides"), NETS, ids=lambda v: v if isinstance(v, str) else None)
def test_gradients_are_those_of_the_gradient_check(name: str, overrides: list[str]) -> None:
    check, found = checked(name, *overrides)
    gradients = {n: g for n, g in check.gradients.items() if n != interface.OBJECTIVE}
    assert gradients
    assert any(np.abs(g).max() > 0.0 for g in gradients.values())
    by_value = [q.array for stage in found.stages for q in stage.quantities]
    for parameter, gradient in gradients.items():
        # One array may be the gradient of several parameters, under one name.
        close = [a for a in by_value if a.shape == gradient.shape and np.allclose(a, gradient, rtol=1e-9, atol=1e-13)]
        assert close, parameter
    np.testing.assert_allclose(found.array("C"), check.objective, rtol=1e-12)


KNOWN: Mapping[str, Any] = {
    "sigma": sigmoid, "tanh": math.tanh, "exp": math.exp, "log": math.log, "log1p": math.log1p, "expm1": math.expm1,
    "sqrt": math.sqrt, "max": max, "min": min, "sign": np.sign, "floor": math.floor, "logaddexp": np.logaddexp,
    "sin": math.sin, "cos": math.cos,
}  # fmt: skip


def worked_out(numbers: str) -> float:
    """The value of a formula with its numbers, as Python reads it."""
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", numbers.replace("·", "*").replace("²", "**2").replace("σ", "sigma"))
    return float(eval(text, {"__builtins__": {}, "abs": abs}, dict(KNOWN)))


SAMPLED = [name for name in OPS if name in substitution._WRITERS or name in scans._UNROLLED]


@pytest.mark.parametrize("name", SAMPLED)
def test_each_op_is_written_as_its_body_computes(name: str) -> None:
    """Samples of the op table, with masks, groups, dilation and whatever else an op may be given."""
    op, write = OPS[name], Writer(17)
    tried = 0
    for seed in range(12):
        arrays, attributes = op.sample(np.random.default_rng(seed))
        arrays = [np.asarray(array) for array in arrays]
        results = [np.asarray(r) for r in op.run(numpy_namespace(), arrays, attributes)]
        node = Node(op, (), (), attributes)
        lines = [
            line for quantity in scans.scan_of(node, arrays, results, attributes, write) for line in quantity.lines
        ]
        lines += [
            Line(index, text, float(results[0][index]))
            for index in places(results[0])
            if (text := write.of(node, arrays, attributes, 0, index))
        ]
        for line in lines:
            if "…" not in line.numbers:
                tried += 1
                assert worked_out(line.numbers) == pytest.approx(line.value, rel=1e-9, abs=1e-12), (seed, line)
    assert tried > 5


def wrong_lines(found: Trace) -> tuple[int, list[str]]:
    """How many lines are written out, and those whose numbers do not give their result."""
    tried, wrong = 0, []
    for stage in found.stages:
        for quantity in stage.quantities:
            size = 1.0 + float(np.abs(quantity.array).max())
            for line in quantity.lines:
                if "…" not in line.numbers:
                    tried += 1
                    if worked_out(line.numbers) != pytest.approx(line.value, rel=1e-9, abs=1e-11 * size):
                        wrong.append(f"{stage.title}, {quantity.name} = {quantity.formula}: {line}")
    return tried, wrong


@pytest.mark.parametrize(("name", "overrides"), NETS, ids=lambda v: v if isinstance(v, str) else None)
def test_the_numbers_put_in_give_the_result(name: str, overrides: list[str]) -> None:
    _, found = checked(name, *overrides)
    tried, wrong = wrong_lines(found)
    assert tried > 20
    assert not wrong


def test_a_wrong_formula_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    check, _ = checked("moons.yaml")
    monkeypatch.setitem(substitution._WRITERS, "matmul", lambda write, arrays, attributes, index: "0.5·0.25")
    _, wrong = wrong_lines(trace(check.network, given_of(check), digits=17))
    assert wrong


def test_a_long_sequence_is_shown_at_both_ends() -> None:
    found = traced(FOLDER / "lstm-adding.yaml", overrides=["data.examples=60", "data.validation=5", "data.test=5"])
    names = [q.name for stage in found.stages for q in stage.quantities]
    assert [name for name in names if name.startswith("h[")] == ["h[t=0]", "h[t=1]", "h[t=48]", "h[t=49]"]
    assert [name for name in names if name.startswith("δ_o[")] == [f"δ_o[t={t}]" for t in (49, 48, 1, 0)]
    assert any("46 of 50 time steps" in sentence for stage in found.stages for sentence in stage.words)
    assert found.array("clip.clip_scale") <= 1.0


SPECS = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_spec_can_be_traced(path: Path) -> None:
    loaded = load_spec(path)
    overrides = []
    if loaded.spec.data.type == "mnist":
        if not MNIST.is_dir():
            pytest.skip("MNIST is not beside this checkout")
        overrides = ["data.subset=200", f"data.path='{MNIST}'"]
    if loaded.spec.data.type == "shakespeare":
        pytest.skip("its text is fetched")
    if loaded.spec.from_ is not None:
        pytest.skip("it begins from another run")
    found = traced(path, overrides=overrides)
    phases = [stage.phase for stage in found.stages]
    assert phases == sorted(phases, key=list(dict.fromkeys(phases)).index)
    assert {"example", "forward", "cost", "backward", "update"} <= set(phases)
    changed = [q for stage in found.stages for q in stage.quantities if q.before is not None]
    assert any(np.any(q.array != q.before) for q in changed)
    for number, stage in enumerate(found.stages, 1):
        assert all(len(line) < 2_000 for line in stage_lines(stage, number, len(found.stages)))
    assert len(trace_page(found)) < 400_000
    rows = found.rows()
    assert all(row["values"] is None or len(np.ravel(row["values"])) <= 16 for row in rows)
    assert len(json.dumps(rows)) < 300_000


def test_json_is_complete_where_that_is_asked_for() -> None:
    found = traced(FOLDER / "digits.yaml")
    row = next(r for r in found.rows(whole=True) if r["name"] == "dense1.weight")
    np.testing.assert_array_equal(np.array(row["values"]), found.array("dense1.weight"))
    assert np.shape(row["values"]) == np.shape(row["before"]) == np.shape(row["change"]) == tuple(row["shape"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"example": 10**6}, "the train split has"),
        ({"example": -1}, "the train split has"),
        ({"split": "validation"}, "no such split"),
        ({"checkpoint": "best"}, "a spec has none"),
    ],
)
def test_what_is_not_there_is_told(options: dict[str, Any], said: str, small: Path) -> None:
    with pytest.raises(UsageError, match=said):
        traced(small, **options)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("batch-norm.yaml", "not of a batch"),
        ("dropout.yaml", "masks are those of step 0 for the first row of a batch"),
        ("rbm.yaml", "pretraining"),
        ("augmented-digits.yaml", "data.augment"),
        ("echo-state.yaml", "frozen"),
        ("char-lstm.yaml", "recurrent state is 0"),
        ("quadratic.yaml", "the mean over the batch"),
    ],
)
def test_conditions_are_said(name: str, said: str) -> None:
    assert said in " ".join(traced(FOLDER / name).words)


def test_a_net_begins_with_the_weights_that_its_spec_names(tmp_path: Path, small: Path) -> None:
    list(session.train(load_spec(small, ["backend=numpy"]), out=tmp_path / "run"))
    trained = traced(tmp_path / "run")
    from_it = traced(small, overrides=["from={run: run}"])
    for name in ("dense1.weight", "dense2.bias"):
        np.testing.assert_array_equal(before(from_it, name), before(trained, name))
        assert np.any(before(from_it, name) != before(traced(small), name))


def test_a_run_is_refused_overrides_and_other_data(tmp_path: Path, small: Path) -> None:
    list(session.train(load_spec(small, ["backend=numpy"]), out=tmp_path / "run"))
    assert traced(tmp_path / "run").facts["weights"] == "trained"
    with pytest.raises(UsageError, match="--set"):
        traced(tmp_path / "run", overrides=["seed=1"])
    np.savez(tmp_path / "data.npz", inputs=np.zeros((2, 2), np.float32), targets=np.float32([[0.2], [0.3]]))
    with pytest.raises(NnctlError, match="the data is not what this run was trained on"):
        traced(tmp_path / "run")


def test_names_are_cut_and_the_heading_has_the_four_equations(small: Path) -> None:
    found = traced(small, overrides=[f"layers.0.name={'n' * 5_000}"])
    text = "\n".join([*heading(found), *(line for s in found.stages for line in stage_lines(s, 1, 1))])
    assert all(name in text for name in ("BP1", "BP2", "BP3", "BP4"))
    assert max(map(len, text.splitlines())) < 2_000
