"""Evaluation of a net that carries its state: a text read on, from its beginning, by hand and by the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.components.signature import DataSignature
from nnctl.data.dataset import load_dataset
from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.inference.prediction import predict
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session
from nnctl.training.loop import Loop

LENGTH = 3
NAMES = ("a", "b", "c", "d")
SPEC = """
data: {type: text, path: tale.txt, length: 3, validation: 37}
layers:
  - one_hot
  - {type: rnn, units: 5, stateful: true, return_sequence: true}
  - {type: dense, units: 4, activation: softmax}
cost: log_likelihood
initializer: {type: normal, std: 0.6}
optimizer: {type: sgd, learning_rate: 0.1}
schedule: {epochs: 2, batch_size: 4}
"""


def engine_of(*overrides: str, examples: int = 50) -> Engine:
    signature = DataSignature((LENGTH,), "index", NAMES, (LENGTH,), None, NAMES)
    return Engine(load_text(SPEC, "tale.yaml", overrides).spec, signature, seed=5, examples=examples)


def a_text(windows: int) -> tuple[Any, Any]:
    tokens = np.random.default_rng(windows).integers(0, len(NAMES), windows * LENGTH + 1)
    return tokens[:-1].reshape(windows, LENGTH), tokens[1:].reshape(windows, LENGTH)


def by_hand(weights: Mapping[str, Any], tokens: Any) -> Any:
    """Probabilities (time, names) of a net that reads one long text from the zero state, in float64."""
    w = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    hidden, found = np.zeros(5), []
    for token in tokens:
        hidden = np.tanh(
            w["rnn1.weight"][token] + w["rnn1.bias"] + w["rnn1.recurrent_bias"] + hidden @ w["rnn1.recurrent_weight"]
        )
        z = hidden @ w["dense1.weight"] + w["dense1.bias"]
        found.append(np.exp(z) / np.exp(z).sum())
    return np.array(found)


def lengths(windows: int) -> list[int]:
    """How many windows each row reads, the rule as the documentation says it."""
    rows = max(1, min(16, windows // 16))
    return [windows // rows + (row < windows % rows) for row in range(rows)]


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("windows", [1, 6, 31, 32, 37, 263, 300])
def test_the_cost_is_that_of_a_plain_loop_over_the_text(windows: int, backend: str) -> None:
    engine = engine_of(f"backend={backend}")
    inputs, labels = a_text(windows)
    engine.feed.bind("validation", inputs, labels)
    ends = np.cumsum(lengths(windows))
    assert ends[-1] == windows
    pieces = np.split(inputs, ends[:-1])
    expected = np.concatenate([by_hand(engine.state(), piece.reshape(-1)) for piece in pieces])
    expected = expected.reshape(windows, LENGTH, len(NAMES))
    costs = -np.log(np.take_along_axis(expected, labels[..., None], axis=2))
    measured = engine.evaluate("validation")
    assert measured["cost"] == pytest.approx(costs.mean(), rel=1e-6)
    assert measured["accuracy"] == pytest.approx(np.mean(expected.argmax(2) == labels), rel=1e-6)
    np.testing.assert_allclose(engine.outputs(inputs), expected, rtol=1e-4, atol=1e-6)
    # And windows from the zero state would cost something else.
    if windows > 1:
        alone = np.stack([by_hand(engine.state(), window) for window in inputs])
        assert abs(np.mean(-np.log(np.take_along_axis(alone, labels[..., None], axis=2))) - costs.mean()) > 1e-3


@pytest.mark.compile
def test_every_evaluation_starts_afresh_and_leaves_training_alone() -> None:
    engine = engine_of()
    inputs, labels = a_text(37)
    for split in ("train", "validation"):
        engine.feed.bind(split, inputs, labels)
    rates = {"learning_rate": np.full(9, 0.1)}
    engine.train(Chunk(engine.feed["train"].examples, np.arange(36).reshape(4, 9).T), rates, 0)
    assert np.any(engine.state()["rnn1.hidden"])
    before = engine.state()
    first = engine.evaluate("validation")
    outputs = engine.outputs(inputs)
    assert engine.evaluate("validation") == first
    assert engine.evaluate("train") == first
    np.testing.assert_array_equal(engine.outputs(inputs), outputs)
    assert engine.evaluate("validation", np.arange(7)) != first
    assert engine.evaluate("validation") == first
    for name, array in engine.state().items():
        assert array.tobytes() == before[name].tobytes(), name


@pytest.mark.compile
def test_the_cost_does_not_depend_on_the_batch_size() -> None:
    measured = []
    for size in (1, 4, 7, 50):
        engine = engine_of(f"schedule.batch_size={size}")
        engine.feed.bind("validation", *a_text(300))
        measured.append(engine.evaluate("validation"))
    assert all(found == measured[0] for found in measured)


@pytest.mark.compile
def test_some_of_the_rows_are_the_first_and_read_on() -> None:
    engine = engine_of()
    inputs, labels = a_text(37)
    engine.feed.bind("validation", inputs, labels)
    some = engine.evaluate("validation", np.arange(20))
    engine.feed.bind("validation", inputs[:20], labels[:20])
    assert engine.evaluate("validation") == some
    engine.feed.bind("train", inputs, labels)
    loop = Loop(engine, load_text(SPEC, "tale.yaml", ["schedule.evaluate_on=20"]).spec, {"train": 37, "validation": 37})
    assert loop._subset is not None
    assert loop._subset.tolist() == list(range(20))


@pytest.mark.compile
def test_layers_that_carry_nothing_read_each_window_by_itself() -> None:
    engine = engine_of("layers.1.stateful=false")
    inputs, _ = a_text(37)
    outputs = engine.outputs(inputs)
    for index in (0, 1, 36):
        expected = by_hand(engine.state(), inputs[index])
        np.testing.assert_allclose(outputs[index], expected, rtol=1e-4, atol=1e-6)


@pytest.fixture
def tale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tale.txt").write_text("abcadbacdcab" * 40)


def trained(out: str, *overrides: str) -> None:
    follow(session.train(load_text(SPEC, "tale.yaml", overrides), out=Path(out)), [RunSink()])


@pytest.mark.compile
@pytest.mark.usefixtures("tale")
def test_evaluating_in_the_middle_of_an_epoch_changes_no_weight() -> None:
    trained("seldom")
    trained("often", "schedule.evaluate_every=16", "schedule.evaluate_on=5")
    weights = [open_run(Path(run)).engine.state() for run in ("seldom", "often")]
    assert all(weights[0][name].tobytes() == array.tobytes() for name, array in weights[1].items())


@pytest.mark.compile
@pytest.mark.usefixtures("tale")
def test_evaluate_and_predict_measure_what_training_measured() -> None:
    trained("run")
    run = open_run(Path("run"))
    (result,) = evaluate([run], "validation")
    summary = run.folder.finished()
    assert summary is not None
    assert result.row["cost"] == summary["last"]["validation_cost"]
    assert result.row["accuracy"] == pytest.approx(summary["last"]["validation_accuracy"])
    validation = load_dataset(run.loaded.spec.data, Path(), 0).splits["validation"]
    np.save("windows.npy", validation.inputs)
    rows = list(predict(run, [Path("windows.npy")]))
    names = run.classes or ()
    own = [row["probabilities"][names[label]] for row, label in zip(rows, validation.targets.reshape(-1), strict=True)]
    assert -np.log(own).mean() == pytest.approx(result.row["cost"], rel=1e-6)
    # Each file is read from its beginning.
    assert list(predict(run, [Path("windows.npy")] * 2)) == rows * 2
