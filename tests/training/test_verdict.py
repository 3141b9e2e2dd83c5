"""A run that learned nothing says so, one that diverges is told why, and both what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nnctl.analysis.remedies import of_data
from nnctl.analysis.verdict import cost_of_guess
from nnctl.cli import main
from nnctl.components.base import Cost
from nnctl.components.costs import CrossEntropy, Hinge, LogLikelihood, MeanAbsoluteError, MeanSquaredError, Quadratic
from nnctl.data.dataset import load_dataset
from nnctl.spec.load import load_text

DIGITS = """
data: {type: digits, validation: 200}
layers: [flatten, {type: dense, units: 20, activation: relu}, {type: dense, units: 10, activation: softmax}]
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.1}
schedule: {epochs: 2}
backend: numpy
"""
PRICES = """
data: {type: csv, path: prices.csv, target: price, validation: 10}
layers: [{type: dense, units: 8, activation: tanh}, {type: dense, units: 1}]
cost: mse
optimizer: {type: sgd, learning_rate: 0.1}
schedule: {epochs: 20, batch_size: 10}
backend: numpy
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).uniform(-1, 1, 60)
    Path("prices.csv").write_text("x,price\n" + "".join(f"{a:.5f},{1e8 + 3e7 * a:.0f}\n" for a in x))
    Path("far.csv").write_text("x,price\n" + "".join(f"{1e5 * a:.5f},{a:.5f}\n" for a in x))


def said(text: str, capsys: pytest.CaptureFixture[str], *overrides: str, command: str = "train") -> tuple[int, str]:
    Path("s.yaml").write_text(text)
    code = main([command, "s.yaml", *(part for override in overrides for part in ("--set", override))])
    captured = capsys.readouterr()
    return code, captured.err if command == "train" else captured.out


def test_a_run_worse_than_a_guess_says_so_and_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    code, words = said(DIGITS, capsys, "optimizer.learning_rate=1000")
    assert code == 0
    assert "worse than the 2.303 of a guess that looks at no input" in words
    assert "warning: lower the learning rate, now 1000: --set optimizer.learning_rate=100; or clip" in words


def test_a_run_that_learns_is_not_warned(capsys: pytest.CaptureFixture[str]) -> None:
    for text, setting in ((DIGITS, "schedule.epochs=2"), (PRICES, "data.target_transforms=[standardize]")):
        code, words = said(text, capsys, setting)
        assert code == 0
        assert "warning" not in words


def test_one_row_is_judged_by_what_was_measured_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The mean over an only epoch has the untrained net in it; that of ridge, which has one step, has nothing else."""
    solved = said(DIGITS, capsys, "data={type: function, expression: 3*x, test: 0.2, split: random}", "cost=mse",
                  "layers=[{type: dense, units: 1}]", "optimizer=ridge",
                  "schedule={epochs: 1, batch_size: full}")  # fmt: skip
    assert solved[0] == 0
    assert "warning" not in solved[1]
    code, words = said(DIGITS, capsys, "optimizer.learning_rate=1000", "schedule.epochs=1")
    assert code == 0
    assert "warning: the validation cost ended at" in words
    assert "warning: train for longer, or lower the learning rate, now 1000: " in words
    unmeasured = said(DIGITS, capsys, "data=digits", "data.validation=0", "data.test=0", "schedule.epochs=1")
    assert unmeasured[0] == 0
    assert "warning" not in unmeasured[1]


def test_a_run_worse_than_its_first_row_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no guess is known, as for a class-weighted cost on a net that forgets."""
    code, words = said(DIGITS, capsys, "optimizer.learning_rate=0.5", "optimizer.weight_decay=0", "schedule.epochs=3",
                       "schedule.learning_rate={type: piecewise, boundaries: [1], values: [0.2, 20]}")  # fmt: skip
    assert code == 0
    assert "warning: the training cost ended at" in words


def test_large_targets_are_told_to_be_standardized(capsys: pytest.CaptureFixture[str]) -> None:
    linear = "layers.0.activation=linear"
    code, words = said(PRICES, capsys, linear)
    assert code == 4
    assert "the targets are large, " in words
    assert "data.target_transforms: [standardize]" in words
    assert "lower the learning rate" not in words
    assert said(PRICES, capsys, linear, "data.target_transforms=[standardize]")[0] == 0


def test_large_inputs_are_told_to_be_standardized(capsys: pytest.CaptureFixture[str]) -> None:
    far = ("data.path=far.csv", "layers=[{type: dense, units: 1}]")
    code, words = said(PRICES, capsys, *far)
    assert code == 4
    assert "the inputs are large" in words
    assert "data.transforms: [standardize]" in words
    assert said(PRICES, capsys, *far, "data.transforms=[standardize]")[0] == 0


def test_otherwise_the_rate_is_to_blame(capsys: pytest.CaptureFixture[str]) -> None:
    rate = ("optimizer.learning_rate=1e9", "layers=[{type: dense, units: 1}]")
    code, words = said(PRICES, capsys, "data.target_transforms=[standardize]", *rate)
    assert code == 4
    assert "lower the learning rate, now 1e+09: --set optimizer.learning_rate=1e+08" in words


@pytest.mark.parametrize(
    ("data", "words"),
    [("prices.csv", "data.target_transforms: [standardize]"), ("far.csv", "data.transforms: [standardize]")],
)
def test_doctor_sees_what_is_large_and_gives_a_remedy(
    data: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(PRICES, capsys, f"data.path={data}", command="doctor")
    assert code == 0
    findings = [row for row in map(json.loads, text.splitlines()) if row.get("what") == "found"]
    assert any(words in row["remedy"] for row in findings)
    assert all(row["remedy"] for row in findings)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_doctor_sees_a_learning_rate_that_leaves_nothing_of_the_weights(
    optimizer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for rate, seen in ((0.003, False), (1000, True)):
        code, text = said(DIGITS, capsys, f"optimizer={{type: {optimizer}, learning_rate: {rate}}}", command="doctor")
        assert code == 0
        assert ("the first step changes the weights of dense" in text) is seen
        assert ("lower the learning rate, now 1000" in text) is seen


def test_what_is_around_1_has_no_finding() -> None:
    for data in ("digits", "{type: blobs, noise: 1.0}", "sine", "{type: sine, target_transforms: [standardize]}"):
        assert of_data(load_dataset(load_text(DIGITS, overrides=[f"data={data}"]).spec.data, Path(), 0)) == []


@pytest.mark.parametrize(
    ("cost", "data", "units", "guess"),
    [
        (LogLikelihood(), "digits", 10, np.log(10)),
        (CrossEntropy(), "{type: digits, classes: [3, 4]}", 1, np.log(2)),
        (MeanSquaredError(), "{type: function, expression: 3*x, target_transforms: [standardize]}", 1, 1.0),
        (Quadratic(), "{type: blobs, examples: 300}", 3, 1 / 3),
        (Hinge(), "{type: digits, classes: [3, 4]}", 1, 1.0),
    ],
)
def test_the_cost_of_a_guess(cost: Cost, data: str, units: int, guess: float) -> None:
    loaded = load_text(DIGITS, overrides=[f"data={data}"])
    found = cost_of_guess(cost, load_dataset(loaded.spec.data, Path(), 0), units)
    assert found == pytest.approx(guess, rel=0.02)


def test_the_guess_of_values_is_their_mean() -> None:
    data = load_dataset(
        load_text(DIGITS, overrides=["data={type: function, expression: 7*x + 2}"]).spec.data, Path(), 0
    )
    targets = data.train.targets.astype(np.float64)
    assert cost_of_guess(MeanSquaredError(), data, 1) == pytest.approx(targets.var())
    assert cost_of_guess(MeanAbsoluteError(), data, 1) == pytest.approx(np.abs(targets - targets.mean()).mean())


def test_a_rate_beyond_single_precision_diverges_and_warns_of_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    code, words = said(PRICES, capsys, "optimizer.learning_rate=1e300")
    assert code == 4
    assert "no longer finite" in words
    assert "RuntimeWarning" not in words
