"""Answers averaged over changed copies of an example."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.components.registry import components
from nnctl.data.dataset import Split
from nnctl.errors import SpecError, UsageError
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.inference.test_time import mean_scores
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

SPEC = """
data: {type: digits, subset: 200, augment: [mixup, {type: shift, pixels: 1}]}
layers: [flatten, {type: dense, units: 10, activation: softmax}]
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.02}
schedule: {epochs: 5}
"""
VALUES = """
data: {type: sine, examples: 40, test: 10, augment: [{type: noise, std: 0.01}]}
layers: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1}]
cost: mse
schedule: {epochs: 2}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(text: str, *overrides: str, out: str = "out") -> None:
    follow(session.train(load_text(text, "s.yaml", ("backend=numpy", *overrides)), out=Path(out)), [RunSink()])


def test_the_mean_counts_the_original_once() -> None:
    inputs = np.random.default_rng(0).uniform(size=(5, 4, 4, 1)).astype(np.float32)
    calls: list[Any] = []

    def scores(given: Any) -> Any:
        calls.append(given)
        return given.reshape(len(given), -1)[:, :3].astype(np.float64)

    shift = components("augmentation")["shift"]()
    found = mean_scores(scores, Split(inputs, np.zeros(5)), 1.0, 3, (shift,), 0)
    assert len(calls) == 4
    np.testing.assert_array_equal(calls[0], inputs)
    np.testing.assert_allclose(found, np.mean([c.reshape(5, -1)[:, :3] for c in calls], axis=0), rtol=1e-6)


def test_a_run_answers_by_its_own_augmentations_or_by_others() -> None:
    train(SPEC)
    results = [
        evaluate([open_run(Path("out"), None, with_)], "test", copies=4)[0] for with_ in (None, None, ["rotate"])
    ]
    assert results[0].row["augment"] == 4
    assert "cost" not in results[0].row
    assert results[0].row == results[1].row
    first, other = results[0].confusion, results[2].confusion
    assert first is not None
    assert other is not None
    assert not np.array_equal(first, other)


def test_ensembles_average_what_their_runs_answer() -> None:
    train(SPEC, out="one")
    train(SPEC, "seed=1", "data.seed=0", out="two")
    rows = [r.row for r in evaluate([open_run(Path("one")), open_run(Path("two"))], "test", copies=2)]
    assert [row["run"] for row in rows] == ["one", "two", "vote", "mean"]
    assert {row["augment"] for row in rows[:2]} == {2}
    assert rows[3]["accuracy"] > 0.5


def test_values_are_measured_by_their_squared_error() -> None:
    train(VALUES)
    (plain,) = evaluate([open_run(Path("out"))], "test")
    (mean,) = evaluate([open_run(Path("out"))], "test", copies=5)
    assert mean.row["mse"] == pytest.approx(plain.row["cost"], rel=0.1)


@pytest.mark.parametrize(
    ("augment", "message"), [("[]", "was trained without augmentation"), ("[mixup]", "only mixup, which mixes targets")]
)
def test_a_run_needs_something_to_do(augment: str, message: str) -> None:
    train(SPEC, f"data.augment={augment}")
    with pytest.raises(UsageError, match=message):
        evaluate([open_run(Path("out"))], "test", copies=2)


def test_an_unknown_augmentation_is_pointed_at() -> None:
    train(SPEC)
    with pytest.raises(
        SpecError, match=r"--with:1:\d+: error: there is no augmentation 'shft'[\s\S]*did you mean 'shift'"
    ):
        open_run(Path("out"), None, ["shft"])


def test_flips_of_symmetric_bytes_change_no_number() -> None:
    """Bytes of an archive, which has no scale, through training and evaluation with augmentation and without."""
    half = np.random.default_rng(0).integers(0, 256, (60, 4, 2, 1))
    np.savez(
        "bytes.npz", inputs=np.concatenate([half, half[:, :, ::-1]], axis=2).astype(np.uint8), targets=np.arange(60) % 3
    )
    text = """
data: {type: npz, path: bytes.npz, test: 20, augment: [{type: flip, probability: 1}]}
layers: [flatten, {type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2}
optimizer: {type: sgd, learning_rate: 1e-5}
"""
    train(text, out="flipped")
    train(text, "data.augment=[]", out="plain")
    rows = [
        [
            {k: v for k, v in json.loads(line).items() if k != "seconds"}
            for line in Path(out, "metrics.jsonl").read_text().splitlines()
        ]
        for out in ("flipped", "plain")
    ]
    assert rows[0] == rows[1]
    assert rows[0][0]["train_cost"] > 2
    plain, mean = (evaluate([open_run(Path("flipped"))], "test", copies=copies)[0] for copies in (0, 2))
    assert mean.row["accuracy"] == plain.row["accuracy"]
    assert mean.confusion is not None
    np.testing.assert_array_equal(mean.confusion, plain.confusion)
