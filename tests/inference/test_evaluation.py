"""Trained runs measured again, as ensembles, and asked for predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.components.signature import DataSignature
from nnctl.data.dataset import load_dataset
from nnctl.errors import DataError, RunError, UsageError
from nnctl.inference import evaluation
from nnctl.inference.evaluation import evaluate, in_top_k, vote
from nnctl.inference.inputs import read_parts
from nnctl.inference.opened import open_run
from nnctl.inference.prediction import predict
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

CLASSES = """
data: {type: blobs, examples: 84, validation: 12, test: 12, seed: 0, noise: 6.0}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.02}
schedule: {epochs: 3, early_stopping: {monitor: validation_accuracy, patience: 1}}
"""
ONE_UNIT = """
data: {type: moons, examples: 60, test: 20}
layers: [{type: dense, units: 1, activation: sigmoid}]
cost: cross_entropy
optimizer: {type: sgd, learning_rate: 1.0}
schedule: {epochs: 5}
"""
VALUES = """
data: {type: sine, examples: 40, test: 10}
layers: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1}]
cost: mse
schedule: {epochs: 2}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(text: str, out: str, *overrides: str) -> dict[str, Any]:
    finished = follow(
        session.train(load_text(text, "s.yaml", ("backend=numpy", *overrides)), out=Path(out)), [RunSink()]
    )
    assert finished is not None
    return dict(finished.summary)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("text", [CLASSES, ONE_UNIT, VALUES])
def test_the_test_split_measures_as_it_did_in_training(text: str, backend: str) -> None:
    summary = train(text, "out", f"backend={backend}")
    opened = open_run(Path("out"))
    assert opened.checkpoint == summary["weights"]
    (result,) = evaluate([opened], "test")
    for name, value in summary["test"].items():
        if name.startswith("test_"):
            assert result.row[name.removeprefix("test_")] == pytest.approx(value, rel=1e-6)
    assert result.row["step"] == summary["test"]["step"]


def test_best_and_last_are_different_weights() -> None:
    summary = train(CLASSES, "out", "schedule.epochs=20", "optimizer.learning_rate=0.5")
    steps = {name: open_run(Path("out"), name).step for name in ("best", "last")}
    assert steps == {"best": summary["best"]["step"], "last": summary["steps"]}


def test_the_confusion_matrix_counts_every_example() -> None:
    train(CLASSES, "out")
    (result,) = evaluate([open_run(Path("out"))], "validation", top_k=3)
    assert result.confusion is not None
    assert result.confusion.sum() == 12
    assert np.trace(result.confusion) / 12 == result.row["accuracy"]
    assert result.row["top_3"] == 1.0


def test_several_runs_vote_and_are_averaged() -> None:
    for seed in range(3):
        train(CLASSES, f"out-{seed}", f"seed={seed}")
    opened = [open_run(Path(f"out-{seed}")) for seed in range(3)]
    results = evaluate(opened, "test")
    assert [r.row["run"] for r in results] == ["out-0", "out-1", "out-2", "vote", "mean"]
    assert len({tuple(r.row) for r in results}) == 1
    assert results[3].row["cost"] is None


def measured_by_hand(outputs: Any, targets: Any) -> dict[str, float]:
    """Some metrics of the second of two classes, from its probabilities."""
    yes, truth = outputs > 0.5, targets == 1
    pairs = outputs[truth][:, None] - outputs[~truth][None, :]
    return {
        "f1": 2 * np.sum(yes & truth) / (yes.sum() + truth.sum()),
        "recall_of_0": np.sum(~yes & ~truth) / np.sum(~truth),
        "roc_auc": float(np.mean((pairs > 0) + 0.5 * (pairs == 0))),
        "brier": float(np.mean((outputs - truth) ** 2)),
    }


@pytest.mark.parametrize("copies", [0, 2])
def test_the_metrics_of_an_ensemble_are_those_of_its_outputs(copies: int) -> None:
    metrics = "metrics: [f1, {type: recall, class: 0}, roc_auc, brier]"
    for seed in range(3):
        train(ONE_UNIT + metrics, f"out-{seed}", f"seed={seed}", "data.seed=0")
    augment = ["{type: noise, std: 0.1}"] if copies else None
    runs = [open_run(Path(f"out-{seed}"), augment=augment) for seed in range(3)]
    *alone, by_vote, by_mean = (result.row for result in evaluate(runs, "test", copies=copies))
    split = load_dataset(runs[0].loaded.spec.data, Path(), 0).splits["test"]
    outputs = [run.scores(split.inputs)[:, 1] for run in runs]
    if not copies:
        for row, output in zip(alone, outputs, strict=True):
            for name, value in measured_by_hand(output, split.targets).items():
                assert row[name] == pytest.approx(value, rel=1e-6)
        for name, value in measured_by_hand(np.mean(outputs, axis=0), split.targets).items():
            assert by_mean[name] == pytest.approx(value, rel=1e-12)
    assert all(0 < row["roc_auc"] <= 1 and row["f1"] > 0 for row in (*alone, by_mean))
    assert by_vote["roc_auc"] is by_vote["brier"] is None
    answers = 1.0 * (np.sum([output > 0.5 for output in outputs], axis=0) >= 2)
    if not copies:
        assert by_vote["f1"] == pytest.approx(measured_by_hand(answers, split.targets)["f1"], rel=1e-12)


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("count", [2, 3])
def test_a_threshold_has_its_say_in_a_vote(units: int, count: int) -> None:
    of_one = "" if units == 1 else ", class: 1"
    metrics = f"[f1, {{type: recall, threshold: 0.9{of_one}}}, {{type: f1, threshold: 0.1{of_one}}}"
    metrics += ", {type: accuracy, threshold: 0.8}]" if units == 1 else "]"
    text = ONE_UNIT
    if units == 2:
        text = text.replace("units: 1, activation: sigmoid", "units: 2, activation: softmax")
        text = text.replace("cross_entropy", "log_likelihood")
    for seed in range(count):
        train(f"{text}metrics: {metrics}", f"out-{seed}", f"seed={seed}", "data.seed=0")
    runs = [open_run(Path(f"out-{seed}")) for seed in range(count)]
    by_vote = evaluate(runs, "test")[-2].row
    split = load_dataset(runs[0].loaded.spec.data, Path(), 0).splits["test"]
    outputs = np.array([run.scores(split.inputs)[:, 1] for run in runs])
    truth = split.targets == 1

    def answers(threshold: float) -> Any:
        share = (outputs > threshold).mean(axis=0)
        return np.where(share == 0.5, outputs.mean(axis=0) > threshold, share > 0.5)

    def f1(yes: Any) -> float:
        return 2 * np.sum(yes & truth) / (yes.sum() + truth.sum())

    name = "" if units == 1 else "_of_1"
    assert len({answers(each).sum() for each in (0.1, 0.5, 0.8, 0.9)}) == 4
    assert by_vote["f1"] == pytest.approx(f1(answers(0.5)))
    assert by_vote[f"f1{name}_at_0.1"] == pytest.approx(f1(answers(0.1)))
    assert by_vote[f"recall{name}_at_0.9"] == pytest.approx((answers(0.9) & truth).sum() / truth.sum())
    if units == 1:
        assert by_vote["accuracy"] == pytest.approx((answers(0.8) == truth).mean())


def test_the_mean_of_values_has_a_squared_error() -> None:
    for seed in range(2):
        train(VALUES, f"out-{seed}", f"seed={seed}", "data.seed=0")
    results = evaluate([open_run(Path(f"out-{seed}")) for seed in range(2)], "test")
    assert [r.row["run"] for r in results] == ["out-0", "out-1", "mean"]
    assert results[2].row["mse"] >= 0


def test_the_mean_of_values_in_different_shapes() -> None:
    """Two autoencoders, of which one answers in images and the other in rows."""
    data = "data: {type: digits, reconstruct: true, subset: 20, validation: 8, test: 8}"
    rest = "cost: mse\nschedule: {epochs: 1}"
    train(f"{data}\nlayers: [{{type: conv2d, filters: 1, kernel: 3, padding: same}}]\n{rest}", "images")
    train(f"{data}\nlayers: [flatten, {{type: dense, units: 64}}]\n{rest}", "rows")
    runs = [open_run(Path(name)) for name in ("images", "rows")]
    results = evaluate(runs, "test")
    assert [r.row["run"] for r in results] == ["images", "rows", "mean"]
    digits = load_dataset(runs[0].loaded.spec.data, Path(), 0).splits["test"]
    mean = sum(run.scores(digits.inputs).reshape(8, 64) for run in runs) / 2
    np.testing.assert_allclose(results[2].row["mse"], np.mean((mean - digits.targets.reshape(8, 64)) ** 2), rtol=1e-12)


def test_the_mean_of_values_has_the_specs_metrics() -> None:
    for seed in range(2):
        train(VALUES + "metrics: [r2, rmse, mse]", f"out-{seed}", f"seed={seed}", "data.seed=0")
    runs = [open_run(Path(f"out-{seed}")) for seed in range(2)]
    mean = evaluate(runs, "test")[-1].row
    split = load_dataset(runs[0].loaded.spec.data, Path(), 0).splits["test"]
    error = np.mean([run.scores(split.inputs) for run in runs], axis=0) - split.targets
    assert mean["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)
    assert mean["r2"] == pytest.approx(1 - np.mean(error**2) / np.var(split.targets, dtype=np.float64), rel=1e-9)
    assert mean["mse"] == pytest.approx(np.mean(error**2), rel=1e-12)


def test_runs_on_different_splits_are_no_ensemble() -> None:
    train(CLASSES, "a")
    train(CLASSES, "b", "data.seed=1")
    with pytest.raises(RunError, match="b: its test split is not that of a"):
        evaluate([open_run(Path("a")), open_run(Path("b"))], "test")


def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    train(VALUES, "out")
    opened = open_run(Path("out"))
    with pytest.raises(UsageError, match="it has train, test"):
        evaluate([opened], "validation")
    with pytest.raises(UsageError, match="predicts values"):
        evaluate([opened], "test", top_k=2)
    with pytest.raises(UsageError, match="expected best or last"):
        open_run(Path("out"), "first")
    with pytest.raises(RunError, match="has no checkpoint 'best'\n  it has last"):
        open_run(Path("out"), "best")
    real = evaluation.load_dataset
    monkeypatch.setattr(evaluation, "load_dataset", lambda source, folder, seed: real(source, folder, seed + 1))
    with pytest.raises(RunError, match="the data is not what this run was trained on"):
        evaluate([opened], "test")


def test_a_run_without_a_checkpoint_says_so() -> None:
    train(VALUES, "out")
    for path in Path("out/checkpoints").iterdir():
        path.unlink()
    with pytest.raises(RunError, match=r"put the file back as it was; to train anew: nnctl train out/spec\.yaml"):
        open_run(Path("out"))
    Path("out/summary.json").unlink()
    with pytest.raises(RunError, match=r"train it first: nnctl train \S+spec.yaml --resume --out "):
        open_run(Path("out"))


def test_a_tie_of_votes_goes_to_the_largest_sum() -> None:
    outputs = [np.array([[0.6, 0.4, 0.0]]), np.array([[0.1, 0.9, 0.0]])]
    assert vote(outputs).tolist() == [1]


def test_a_majority_wins_against_a_larger_sum() -> None:
    outputs = [np.array([[0.51, 0.49]]), np.array([[0.51, 0.49]]), np.array([[0.0, 1.0]])]
    assert vote(outputs).tolist() == [0]


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=6), st.integers(1, 4))
def test_top_1_is_argmax_and_top_all_is_everything(rows: list[list[int]], k: int) -> None:
    scores = np.array(rows, dtype=np.float64)
    labels = np.arange(len(rows)) % 4
    assert (in_top_k(scores, labels, 1) == (scores.argmax(1) == labels)).all()
    assert in_top_k(scores, labels, 4).all()
    assert (in_top_k(scores, labels, k) <= in_top_k(scores, labels, min(k + 1, 4))).all()


def test_predictions_are_those_of_the_net() -> None:
    train(CLASSES, "out")
    opened = open_run(Path("out"))
    x = np.array([[1.0, 2.0], [-3.0, 0.5]])
    np.save("x.npy", x)
    np.savez("x.npz", anything=x)
    Path("x.csv").write_text("first,second\n1,2\n\n-3,0.5\n")
    Path("x.tsv").write_text("1\t2\n-3\t0.5\n")
    expected = opened.scores(x.astype(np.float32))
    for name in ("x.npy", "x.npz", "x.csv", "x.tsv"):
        rows = list(predict(opened, [Path(name)]))
        assert [(r["input"], r["index"]) for r in rows] == [(name, 0), (name, 1)]
        assert [list(r["probabilities"].values()) for r in rows] == expected.tolist()
        assert [r["prediction"] for r in rows] == [str(c) for c in expected.argmax(1)]
        json.dumps(rows, allow_nan=False)
    (row, _) = predict(opened, [Path("x.npy")], top_k=2)
    assert list(row["probabilities"].values()) == sorted(expected[0], reverse=True)[:2]


def test_one_unit_answers_two_classes() -> None:
    train(ONE_UNIT, "out")
    Path("x.csv").write_text("0,0.5\n")
    (row,) = predict(open_run(Path("out")), [Path("x.csv")])
    assert sum(row["probabilities"].values()) == pytest.approx(1.0)


def test_values_are_predicted_as_values() -> None:
    train(VALUES, "out")
    np.save("x.npy", np.zeros((2, 1)))
    assert [len(row["values"]) for row in predict(open_run(Path("out")), [Path("x.npy")])] == [1, 1]


def read_inputs(path: Path, signature: DataSignature) -> np.ndarray:
    return np.concatenate([part.inputs for part in read_parts(path, signature)])


DIGITS = """
data: {type: digits, subset: 100}
layers: [flatten, {type: dense, units: 10, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1}
"""


def test_images_are_resized_and_bytes_are_checked() -> None:
    from PIL import Image

    train(DIGITS, "out")
    signature = open_run(Path("out")).signature
    Image.new("RGB", (30, 20), (255, 255, 255)).save("x.png")
    image = read_inputs(Path("x.png"), signature)
    assert (image.shape, image.dtype, image.min()) == ((1, 8, 8, 1), np.uint8, 255)
    np.save("flat.npy", np.zeros((3, 64)))
    assert read_inputs(Path("flat.npy"), signature).shape == (3, 8, 8, 1)
    np.save("one.npy", np.zeros((8, 8, 1)))
    assert read_inputs(Path("one.npy"), signature).shape == (1, 8, 8, 1)
    for wrong in (0.5, -1.0, 256.0, 1e30):
        np.save("wrong.npy", np.full((1, 64), wrong))
        with pytest.raises(DataError, match="whole numbers from 0 to 255"):
            read_inputs(Path("wrong.npy"), signature)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "1,2,3\n", r"an example has shape \(3,\), and the net reads \(2,\)"),
        ("x.csv", "1,2\n1,x\n", "x.csv:2:3: error: 'x' is not a number"),
        ("x.csv", "1,2\n1\n", "x.csv:2:1: error: 1 columns, and the rows before have 2"),
        ("x.csv", "a,b\n", "has no row of numbers"),
        ("x.csv", "1,nan\n", "x.csv:1:3: error: 'nan' is not finite"),
        ("x.csv", "", "has no row of numbers"),
        ("x.doc", "1,2\n", "is of no kind that can be read"),
        ("x.npy", "1,2\n", "x.npy is no array of NumPy's: it begins with 31 2c 32"),
        ("x.npz", "1,2\n", "no .npz archive that can be read"),
        ("x.png", "1,2\n", "is an image, and the net reads"),
    ],
)
def test_an_input_that_cannot_be_read_is_named(name: str, content: str, message: str) -> None:
    train(CLASSES, "out")
    Path(name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_inputs(Path(name), open_run(Path("out")).signature)


def test_a_missing_input() -> None:
    train(CLASSES, "out")
    with pytest.raises(DataError, match=r"none\.csv cannot be read: No such file"):
        list(predict(open_run(Path("out")), [Path("none.csv")]))
