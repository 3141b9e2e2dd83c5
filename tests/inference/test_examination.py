"""A trained net looked at over a split: the same as from all of its answers at once, whatever the pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.data.dataset import Dataset, Split
from nnctl.errors import DataError
from nnctl.inference import examination
from nnctl.inference.evaluation import data_of
from nnctl.inference.examination import examine_classes, examine_values, examined_split
from nnctl.inference.opened import TrainedRun, open_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training.session import train

CLASSES = """
data: {type: blobs, centers: 4, examples: 400, noise: 2.5, validation: 150}
layers: [{type: dense, units: 4, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2, batch_size: 20}
backend: numpy
"""
VALUES = """
data: {type: sine, examples: 200, validation: 90}
layers: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1}]
cost: mse
schedule: {epochs: 2, batch_size: 20}
backend: numpy
"""


def opened(text: str, folder: Path) -> tuple[TrainedRun, Dataset]:
    follow(train(load_text(text, "spec.yaml", [], folder), out=folder / "run"), [RunSink()])
    run = open_run(folder / "run")
    return run, data_of(run)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    def pieces(rows: np.ndarray, of: int):
        return (rows[first : first + 37] for first in range(0, len(rows), 37))

    monkeypatch.setattr(examination, "pieces_of", pieces)


def test_classes_in_pieces(small_pieces: None, tmp_path: Path) -> None:
    run, data = opened(CLASSES, tmp_path)
    split = data.splits[examined_split(data)]
    found = examine_classes(run, split, "validation")
    scores = run.scores(split.inputs)
    answers = scores.argmax(1)
    expected = np.zeros((4, 4), int)
    np.add.at(expected, (split.targets, answers), 1)
    assert found.confusion.tolist() == expected.tolist()
    assert found.labels == 150
    assert found.reliability is not None
    judged = run.judge(scores, split.targets)
    assert 1 - judged["accuracy"] == pytest.approx(1 - np.trace(expected) / 150)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-6)
    wrong = np.flatnonzero(answers != split.targets)
    assert len(wrong) > examination.MOST_WORST
    assert len(found.mistakes) == examination.MOST_WORST
    pairs = {(m.label, m.answer) for m in found.mistakes}
    assert pairs == {(int(split.targets[at]), int(answers[at])) for at in wrong}
    for pair in pairs:
        own = [at for at in wrong if (split.targets[at], answers[at]) == pair]
        kept = [m for m in found.mistakes if (m.label, m.answer) == pair]
        surest = sorted(own, key=lambda at: -scores[at].max())[: len(kept)]
        assert [m.example for m in kept] == surest


def test_values_in_pieces(small_pieces: None, tmp_path: Path) -> None:
    run, data = opened(VALUES, tmp_path)
    split = data.splits["validation"]
    found = examine_values(run, split, "validation")
    answers = run.scores(split.inputs).reshape(-1)
    error = answers - split.targets.reshape(-1)
    result = found.residuals.of_all()
    assert result.rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
    assert result.r2 == pytest.approx(1 - np.sum(error**2) / np.sum((split.targets - split.targets.mean()) ** 2), 1e-5)
    np.testing.assert_allclose(found.answers.reshape(-1), answers, rtol=1e-5)
    assert [place for place, _ in found.worst] == np.argsort(-(error**2))[:24].tolist()


def test_an_example_without_a_finite_answer_is_named(small_pieces: None, tmp_path: Path) -> None:
    run, data = opened(VALUES, tmp_path)
    split = data.splits["validation"]
    inputs = np.array(split.inputs)
    inputs[60] = np.nan
    with pytest.raises(DataError, match="the validation split: example 60"):
        examine_values(run, Split(inputs, split.targets), "validation")


def test_classes_without_examples(tmp_path: Path) -> None:
    run, data = opened(CLASSES, tmp_path)
    split = data.splits["validation"]
    kept = np.flatnonzero(split.targets == 2)
    found = examine_classes(run, Split(split.inputs[kept], split.targets[kept]), "validation")
    assert found.confusion.sum(1).tolist() == [0, 0, len(kept), 0]
    assert found.followed == (0, 1, 2, 3)
