"""A trained net looked at over a split: the same as from all of its answers at once, whatever the pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.data.dataset import Dataset, Split
from nnctl.data.stored.arrays import LazyRows
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
    monkeypatch.setattr(examination, "_NUMBERS", 150)


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
    assert [place for place, *_ in found.worst] == np.argsort(-(error**2))[:24].tolist()
    for place, squared, answer, target in found.worst:
        assert squared == pytest.approx(error[place] ** 2, rel=1e-5)
        np.testing.assert_allclose(answer, answers[place], rtol=1e-5)
        np.testing.assert_array_equal(target, split.targets[place].reshape(-1))


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


def test_rows_on_disk_and_sequences_with_a_label_a_step(small_pieces: None, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.random((70, 5, 2), np.float32))
    np.save(tmp_path / "y.npy", rng.integers(0, 3, (70, 5)))
    text = """
data: {type: npy, path: x.npy, targets: y.npy, target_type: labels, validation: 20, in_memory: false}
layers: [{type: rnn, units: 3, return_sequence: true}, {type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1, batch_size: 20}
backend: numpy
"""
    run, data = opened(text, tmp_path)
    split = data.splits["validation"]
    assert isinstance(split.inputs, LazyRows)
    found = examine_classes(run, split, "validation")
    answers = run.scores(split.inputs).argmax(1).reshape(20, 5)
    assert found.labels == 100
    assert np.trace(found.confusion) == np.sum(answers == split.targets)
    for mistake in found.mistakes:
        assert split.targets[mistake.example, mistake.step] == mistake.label
        assert answers[mistake.example, mistake.step] == mistake.answer
