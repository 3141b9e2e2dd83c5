"""What has nothing to learn is refused: one class, a softmax of one unit, statistics of one number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.cli import main
from nnctl.data.dataset import load_dataset
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session
from nnctl.training.events import Started

ONE_CLASS = "data: {{type: csv, path: one.csv, target: y}}\nlayers: [{}]\ncost: {}\nbackend: numpy\n"
NET = """
data: {type: blobs, examples: 12}
layers: [%s]
cost: mse
backend: numpy
schedule: {epochs: 1, batch_size: 4}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text("x,y\n" + "".join(f"{i},cat\n" for i in range(20)))


def said(text: str, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    Path("spec.yaml").write_text(text)
    code = main(["train", "spec.yaml", *options])
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, captured.err


@pytest.mark.parametrize(
    ("layer", "cost"),
    [
        ("{type: dense, units: 1, activation: softmax}", "log_likelihood"),
        ("{type: dense, units: 1, activation: sigmoid}", "cross_entropy"),
        ("{type: dense, units: 2, activation: softmax}", "log_likelihood"),
    ],
)
def test_data_of_one_class_is_refused(layer: str, cost: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, words = said(ONE_CLASS.format(layer, cost), capsys)
    assert code == 3
    assert "'cat': there is nothing to tell apart" in words


def test_a_class_filter_that_leaves_one_class_is_the_specs_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    spec = "data: {type: digits, classes: [3]}\nlayers: [flatten, {type: dense, units: 1}]\ncost: mse\n"
    code, words = said(spec, capsys)
    assert code == 2
    assert "spec.yaml:1:31" in words
    assert "'3' alone leaves nothing to tell apart" in words


def test_one_class_is_enough_where_the_inputs_are_the_targets() -> None:
    text = ONE_CLASS.format("{type: dense, units: 1}", "mse")
    finished = follow(session.train(load_text(text, overrides=["data.reconstruct=true"]), out=Path("run")), [RunSink()])
    assert finished is not None


def test_a_training_split_of_one_class_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{i},{'cat' if i < 15 else 'dog'}\n" for i in range(20)]
    Path("one.csv").write_text("x,y\n" + "".join(rows))
    spec = ONE_CLASS.format("{type: dense, units: 2, activation: softmax}", "log_likelihood")
    code, words = said(spec, capsys, "--set", "data.validation=0.5", "--set", "data.split=ordered")
    assert code == 3
    assert "all 10 training labels are 'cat', and there are 2 classes" in words
    assert "split: stratified" in words


@pytest.mark.parametrize(
    "data", ["type: csv, path: c.csv, target: y", "type: table, path: c.csv, target: y", "type: npz, path: c.npz"]
)
def test_classes_that_training_or_a_split_lacks_are_told(data: str) -> None:
    """For tables, arrays and all others in one place: the third class has one example, the last."""
    labels = [i % 2 for i in range(20)] + [2]
    Path("c.csv").write_text("x,y\n" + "".join(f"{i % 5},c{label}\n" for i, label in enumerate(labels)))
    np.savez("c.npz", inputs=np.arange(21.0)[:, None], targets=np.array([f"c{label}" for label in labels]))
    layers = "layers: [{type: dense, units: 3, activation: softmax}]\ncost: log_likelihood\n"
    for said, words in (
        ("split: ordered, validation: 0.1", "no training example is of class 'c2': the net cannot learn what it is"),
        ("validation: 0.1, test: 0.1", "class 'c2' has fewer examples than there are splits: some split is measured"),
    ):
        loaded = load_text(f"data: {{{data}, {said}}}\n{layers}")
        (advice,) = load_dataset(loaded.spec.data, Path(), 0).advice
        assert advice.startswith(words)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("threshold", [0.2, 1.5, -0.5])
def test_accuracy_is_the_same_number_in_training_and_evaluation(backend: str, threshold: float) -> None:
    """Whatever its threshold: it is computed in one place."""
    text = f"""
data: {{type: moons, examples: 60, test: 20}}
layers: [{{type: dense, units: 1}}]
cost: hinge
optimizer: {{type: sgd, learning_rate: 0.5}}
schedule: {{epochs: 3, batch_size: 20}}
metrics: [{{type: accuracy, threshold: {threshold}}}]
backend: {backend}
"""
    finished = follow(session.train(load_text(text), out=Path("run")), [RunSink()])
    assert finished is not None
    run = open_run(Path("run"))
    (result,) = evaluate([run], "test")
    assert result.row["accuracy"] == finished.summary["test"]["test_accuracy"]
    loaded = load_text(text)
    data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    assert data.test is not None
    right = (run.engine.outputs(data.test.inputs)[:, 0] > threshold) == (data.test.targets == 1)
    assert result.row["accuracy"] == pytest.approx(np.mean(right))


@pytest.mark.parametrize(
    ("layers", "place", "words"),
    [
        ("{type: dense, units: 1, activation: softmax}", "spec.yaml:3:10", "dense1: softmax over one unit"),
        (
            "{type: dense, units: 1, activation: softmax}, {type: dense, units: 3}",
            "spec.yaml:3:10",
            "dense1: softmax over one unit",
        ),
        (
            "{type: reshape, shape: [2, 1]}, {type: conv1d, filters: 1, kernel: 1}, softmax",
            "spec.yaml:3:",
            "softmax",
        ),
        (
            "{type: reshape, shape: [2, 1]}, {type: conv1d, filters: 1, kernel: 1, activation: softmax}, flatten",
            "spec.yaml:3:42",
            "conv1d1: softmax over one unit",
        ),
        (
            "{type: residual, layers: [{type: dense, units: 1, activation: softmax}]}, {type: dense, units: 3}",
            "spec.yaml:3:10",
            "residual1.dense1: softmax over one unit",
        ),
        ("{type: dense, units: 1}, layer_norm, {type: dense, units: 3}", "spec.yaml:3:35", "layer_norm1: layer_norm"),
        (
            "{type: reshape, shape: [2, 1]}, layer_norm, flatten, {type: dense, units: 3}",
            "spec.yaml:3:42",
            "takes one number at a time",
        ),
    ],
)
def test_what_ignores_its_input_is_refused(
    layers: str, place: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(NET % layers, capsys)
    assert code == 2
    assert place in text
    assert words in text


def test_batch_norm_of_batches_of_one_example_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    spec = NET % "{type: residual, layers: [batch_norm]}, {type: dense, units: 3, activation: softmax}"
    code, words = said(spec, capsys, "--set", "schedule.batch_size=1")
    assert code == 2
    assert "residual1.batch_norm1 takes the mean and variance of a batch, and a batch has one example" in words
    # Frozen it normalizes by what another run has measured; of several positions one example is enough.
    for layers in (
        "{type: batch_norm, frozen: true}, {type: dense, units: 3}",
        "{type: reshape, shape: [2, 1]}, batch_norm, flatten, {type: dense, units: 3}",
    ):
        Path("spec.yaml").write_text(NET % layers)
        out = str(len(layers))
        assert main(["train", "spec.yaml", "--set", "schedule.batch_size=1", "--out", out, "--quiet"]) == 0


@pytest.mark.parametrize(("batch", "notes"), [(11, 1), (4, 0), (7, 0)])
def test_a_last_batch_of_one_example_gets_a_note(batch: int, notes: int) -> None:
    spec = load_text(NET % "batch_norm, {type: dense, units: 3}", overrides=[f"schedule.batch_size={batch}"])
    started = next(event for event in session.train(spec, out=Path("run")) if isinstance(event, Started))
    assert len(started.advice) == notes
    assert all("of which batch_norm1 makes 0" in sentence for sentence in started.advice)
