"""Sequences in arrays that are filled up by NaN or by a number: they answer as they would alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.data.dataset import Dataset, load_dataset
from nnctl.data.sources.arrays import Npz
from nnctl.errors import DataError
from nnctl.inference.opened import open_run
from nnctl.inference.prediction import predict
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

LENGTHS = (2, 5, 1, 4)
NET = """
data: {type: npz, path: s.npz, padding: nan}
layers:
  - {type: mask, name: there, inputs: [input]}
  - {type: gru, units: 3, inputs: [input, there]}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
schedule: {epochs: 2}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sequences() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 2)) for length in LENGTHS]


def filled(by: float) -> np.ndarray:
    array = np.full((len(LENGTHS), max(LENGTHS), 2), by)
    for row, sequence in zip(array, sequences(), strict=True):
        row[: len(sequence)] = sequence
    return array


def load(inputs: np.ndarray, targets: np.ndarray | None = None, **fields: Any) -> Dataset:
    np.savez("s.npz", inputs=inputs, targets=np.array([0, 1, 0, 1]) if targets is None else targets)
    return load_dataset(Npz(path="s.npz", **fields), Path(), 0)


@pytest.mark.parametrize("padding", ["nan", -100.0])
def test_what_is_filled_up_becomes_zeros(padding: Any) -> None:
    data = load(filled(float(padding)), padding=padding)
    assert data.signature.input_shape == (5, 3)
    assert Npz(path="s.npz", padding=padding).signature(Path()) == data.signature
    for row, sequence in zip(data.train.inputs[:], sequences(), strict=True):
        np.testing.assert_array_equal(row[: len(sequence), :2], sequence.astype(np.float32))
        assert row[:, 2].tolist() == [1] * len(sequence) + [0] * (5 - len(sequence))
        assert not row[len(sequence) :].any()


def test_labels_of_steps_are_left_out_by_their_own_number() -> None:
    labels = np.where(np.arange(5) < np.array(LENGTHS)[:, None], np.arange(20).reshape(4, 5) % 2, -100)
    data = load(filled(np.nan), labels, padding="nan", ignore=-100)
    np.testing.assert_array_equal(data.train.targets, np.where(labels == -100, -1, labels))


def test_each_answer_is_that_to_the_sequence_alone() -> None:
    load(filled(np.nan), padding="nan")
    follow(session.train(load_text(NET, "s.yaml", ("backend=numpy",)), out=Path("run")), [RunSink()])
    run = open_run(Path("run"))
    together = list(predict(run, [Path("s.npz")]))
    for row, sequence in zip(together, sequences(), strict=True):
        np.save("alone.npy", sequence[None])
        (alone,) = predict(run, [Path("alone.npy")])
        assert alone["probability"] == pytest.approx(row["probability"], rel=1e-6)
    np.save("long.npy", np.zeros((1, 6, 2)))
    with pytest.raises(DataError, match="sequences have 6 steps, and the net reads at most 5"):
        list(predict(run, [Path("long.npy")]))


def test_gaps_within_sequences_are_errors() -> None:
    inputs = filled(np.nan)
    inputs[1, 2] = np.nan
    with pytest.raises(DataError, match=r"example 1 \(counted from 0\) is filled up at step 2, and goes on behind it"):
        load(inputs, padding="nan")
    inputs = filled(np.nan)
    inputs[1, 2, 0] = np.nan
    with pytest.raises(DataError, match=r"input 1 \(counted from 0\) is nan at position 2, 0"):
        load(inputs, padding="nan")
    with pytest.raises(DataError, match=r"padding is of sequences"):
        load(np.zeros(4), padding=0.0)


@pytest.mark.parametrize("fields", [{"indices": True}, {"in_memory": False}])
def test_fields_that_padding_does_not_go_with(fields: dict[str, Any]) -> None:
    (problem,) = Npz(path="s.npz", padding=0.0, **fields).problems()
    assert problem.message == f"{next(iter(fields))} beside padding"
