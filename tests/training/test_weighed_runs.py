"""Runs whose examples have weights, and whose labels are left out in part: what is reported, resumed and evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cut_runs import cut_after

from nnctl.data.dataset import load_dataset
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.inference.prediction import predict
from nnctl.spec.load import load_text
from nnctl.training import saving, session
from nnctl.training.events import Evaluated

NET = """
layers: [{{type: dense, units: 2, activation: softmax}}]
cost: log_likelihood
backend: numpy
metrics: [{{type: recall, class: 1}}, roc_auc]
schedule: {{epochs: {epochs}, batch_size: 7}}
"""
STEPS = """
layers: [{type: rnn, units: 3, return_sequence: true}, {type: dense, units: 2, activation: softmax}]
cost: log_likelihood
backend: numpy
metrics: [f1, roc_auc, log_loss]
schedule: {epochs: 3, batch_size: 4}
"""


def trained(out: Path, data: str, net: str, **options: Any) -> list[dict[str, Any]]:
    """The rows of a run on a file beside its folder."""
    text = f"data: {{type: npz, path: {out.parent / data}}}\n{net}"
    return [dict(event.record) for event in session.train(load_text(text), out=out, **options)
            if isinstance(event, Evaluated)]  # fmt: skip


@pytest.fixture
def rare(tmp_path: Path) -> Path:
    """300 points of which 15 are of the second class, one deviation apart."""
    rng = np.random.default_rng(4)
    labels = np.where(np.arange(300) % 20 == 0, 1, 0)
    inputs = rng.standard_normal((300, 2)) + 1.5 * labels[:, None]
    np.savez(tmp_path / "rare.npz", inputs=inputs, targets=labels, w=rng.uniform(0.5, 1.5, 300))
    return tmp_path


def test_balanced_finds_a_rare_class(rare: Path) -> None:
    found = {}
    for name in ("plain", "balanced"):
        weights = "weights: balanced, " if name == "balanced" else ""
        rows = trained(rare / name, f"rare.npz, {weights}validation: 0.25", NET.format(epochs=12))
        found[name] = rows[-1]["validation_recall_of_1"]
    assert found["plain"] < 0.3
    assert found["balanced"] > 0.7


def test_the_reported_cost_is_the_weighted_one(rare: Path) -> None:
    rows = trained(rare / "w", "rare.npz, weights: w, validation: 0.25", NET.format(epochs=2))
    run = open_run(rare / "w")
    data = load_dataset(run.loaded.spec.data, rare, run.loaded.spec.seed)
    part = data.validation
    assert part is not None
    scores = run.scores(part.inputs)
    costs = -np.log(scores[np.arange(len(part)), part.targets])
    assert rows[-1]["validation_cost"] == pytest.approx((part.weights * costs).mean(), rel=1e-5)
    (result,) = evaluate([run], "validation")
    assert result.row["cost"] == pytest.approx(rows[-1]["validation_cost"], rel=1e-9)
    assert result.row["accuracy"] == (scores.argmax(1) == part.targets).mean()


def unequal(folder: Path, length: int) -> None:
    """Series of unequal length: is the sum of the signs so far above 0? Filled up to a length with what is no label."""
    rng = np.random.default_rng(9)
    lengths = rng.integers(1, 7, 40)
    steps = np.sign(rng.standard_normal((40, 6, 1)))
    inputs, labels = np.full((40, length, 1), 9.0), np.full((40, length), -100)
    for i, n in enumerate(lengths):
        inputs[i, :n] = steps[i, :n]
        labels[i, :n] = np.cumsum(steps[i, :n, 0]) > 0
    np.savez(folder / "steps.npz", inputs=inputs, targets=labels)


def test_padding_changes_no_number_of_a_run(tmp_path: Path) -> None:
    """The same series, filled up to 6 steps and to 11, train to the same numbers but for rounding."""
    rows = []
    for length in (6, 11):
        unequal(tmp_path, length)
        data = "steps.npz, ignore: -100, weights: balanced, validation: 10"
        rows.append(trained(tmp_path / f"of{length}", data, STEPS)[-1])
    assert rows[0].keys() == rows[1].keys()
    for name, value in rows[0].items():
        if isinstance(value, float) and name != "seconds":
            assert rows[1][name] == pytest.approx(value, rel=2e-5), name


def test_evaluation_of_a_run_leaves_out_what_is_left_out(tmp_path: Path) -> None:
    unequal(tmp_path, 8)
    data = "steps.npz, ignore: -100, validation: 10, seed: 0"
    last = trained(tmp_path / "one", data, STEPS)[-1]
    trained(tmp_path / "two", data, f"{STEPS}\nseed: 3")
    runs = [open_run(tmp_path / name) for name in ("one", "two")]
    results = evaluate(runs, "validation", top_k=1)
    labels = load_dataset(runs[0].loaded.spec.data, tmp_path, runs[0].loaded.spec.seed).splits["validation"]
    counted = int((labels.targets >= 0).sum())
    assert 10 <= counted < 60
    for column in ("cost", "accuracy", "f1", "roc_auc", "log_loss"):
        assert results[0].row[column] == pytest.approx(last[f"validation_{column}"], rel=1e-6)
    for result in results:
        assert result.confusion is not None
        assert result.confusion.sum() == counted
        assert result.row["accuracy"] == pytest.approx(np.trace(result.confusion) / counted)
    assert results[0].row["top_1"] == pytest.approx(results[0].row["accuracy"])
    np.savez(tmp_path / "new.npz", inputs=labels.inputs[:2])
    answers = list(predict(runs[0], [tmp_path / "new.npz"]))
    assert len(answers) == 16
    assert {answer["prediction"] for answer in answers} <= {"0", "1"}


def test_on_disk_weights_are_what_they_are_in_memory(rare: Path) -> None:
    rows = []
    for held in ("true", "false"):
        data = f"rare.npz, weights: w, ignore: -100, validation: 0.25, in_memory: {held}"
        rows.append(trained(rare / held, data, NET.format(epochs=2)))
    for one, other in zip(*rows, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}


@pytest.mark.parametrize("extra", ["", ", augment: [{type: mixup, alpha: 0.5}]"])
def test_a_stopped_run_resumes_to_the_same_bytes(tmp_path: Path, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    unequal(tmp_path, 6)
    data = f"steps.npz, ignore: -100, weights: balanced, validation: 10{extra}"
    whole = trained(tmp_path / "whole", data, STEPS)
    text = f"data: {{type: npz, path: {tmp_path / data}}}\n{STEPS}"
    cut_after(11, load_text(text), tmp_path / "cut")
    resumed = trained(tmp_path / "cut", data, STEPS, resume=True, chunk=3)
    for one, other in zip(whole[-len(resumed) :], resumed, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}
    last = [tmp_path / run / "checkpoints" / "last.safetensors" for run in ("whole", "cut")]
    assert last[0].read_bytes() == last[1].read_bytes()
