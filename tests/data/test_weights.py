"""Weights of examples and labels that are left out, from files to splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.components.signature import DataSignature
from nnctl.data.dataset import Dataset, load_dataset
from nnctl.data.summary import summarize
from nnctl.errors import DataError
from nnctl.spec.load import load_text

NONE = -100
INPUTS = np.arange(24.0).reshape(12, 2)
LABELS = np.array([0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1])


def loaded(folder: Path, fields: str = "", **arrays: Any) -> Dataset:
    """The data set of an .npz of these arrays."""
    np.savez(folder / "a.npz", **({"inputs": INPUTS, "targets": LABELS} | arrays))
    return loaded_as(folder, f"{{type: npz, path: a.npz, {fields}}}")


def loaded_as(folder: Path, data: str) -> Dataset:
    spec = load_text(f"data: {data}\nlayers: [flatten]\ncost: log_likelihood\n").spec
    return load_dataset(spec.data, folder, 1)


def test_balanced_weighs_by_the_training_labels(tmp_path: Path) -> None:
    data = loaded(tmp_path, "weights: balanced, validation: 2, split: ordered, classes: [1, 0]")
    assert data.signature == DataSignature((2,), "real", ("1", "0"), weights_shape=())
    # Of ten training labels two are 0: 10/(2·2) and 10/(2·8).
    np.testing.assert_array_equal(data.train.weights, np.where(LABELS[:10] == 0, 2.5, 0.625).astype(np.float32))
    assert data.validation is not None
    np.testing.assert_array_equal(data.validation.weights, np.full(2, 0.625, np.float32))
    plain = loaded(tmp_path, "validation: 2, split: ordered, classes: [1, 0]")
    assert plain.train.weights is None
    assert plain.fingerprint != data.fingerprint


def test_given_weights_have_a_mean_of_1_over_the_training_set(tmp_path: Path) -> None:
    given = np.arange(12.0) * 1e200
    fields = "weights: w, validation: 3, split: ordered, test_inputs: x, test_targets: y"
    data = loaded(tmp_path, fields, w=given, x=INPUTS[:2], y=LABELS[:2])
    np.testing.assert_allclose(data.train.weights, np.arange(9) / 4, rtol=1e-6)
    assert data.validation is not None
    assert data.test is not None
    np.testing.assert_allclose(data.validation.weights, np.arange(9, 12) / 4, rtol=1e-6)
    data = loaded(tmp_path, f"{fields}, test_weights: v", w=np.full(12, 4.0), x=INPUTS[:2], y=LABELS[:2], v=[1, 6])
    assert data.test is not None
    np.testing.assert_array_equal(data.test.weights, [0.25, 1.5])


def test_copies_have_the_weights_of_their_originals(tmp_path: Path) -> None:
    mixed = "{type: augmented, augment: [{type: mixup, alpha: 1.0}], copies: 2}"
    data = loaded(tmp_path, f"weights: w, expand: [{mixed}]", w=np.arange(1.0, 13.0), targets=np.arange(12) % 2)
    weights = data.train.weights
    assert weights is not None
    assert weights.mean() == pytest.approx(1.0, rel=1e-6)
    # A mixed example has the label, and with it the weight, of one of the two.
    parity = np.rint(weights / weights[0]).astype(int) - 1
    np.testing.assert_array_equal(parity % 2, data.train.targets)
    assert (parity[12:24] != np.arange(12)).any()


def test_what_is_left_out_is_no_class(tmp_path: Path) -> None:
    numbers = np.arange(12) % 4 // 2
    labels = np.where(np.arange(12) % 3 == 0, NONE, numbers)
    data = loaded(tmp_path, f"ignore: {NONE}, weights: balanced, validation: 4", targets=labels)
    assert data.signature == DataSignature((2,), "real", ("0", "1"), weights_shape=(), ignores=True)
    for split in (data.train, data.validation):
        assert split is not None
        rows = (split.inputs[:, 0] // 2).astype(int)
        np.testing.assert_array_equal(split.targets, np.where(rows % 3 == 0, -1, numbers[rows]))
    counted = data.train.targets >= 0
    assert data.train.weights is not None
    assert data.train.weights[counted].mean() == pytest.approx(1.0)
    assert not data.train.weights[~counted].any()
    # Left-out labels are held out in proportion, as a class is.
    assert data.validation is not None
    assert (data.validation.targets < 0).sum() == 1
    assert summarize(data)[0]["left_out"] == 3
    assert sum(summarize(data)[0]["classes"].values()) == 5


def test_labels_of_steps(tmp_path: Path) -> None:
    inputs, labels = np.zeros((3, 4, 2)), np.array([[0, 2, NONE, NONE], [2, 2, 0, NONE], [0, 0, 0, 2]])
    data = loaded(tmp_path, f"ignore: {NONE}, weights: balanced", inputs=inputs, targets=labels)
    assert data.signature == DataSignature((4, 2), "real", ("0", "2"), (4,), weights_shape=(4,), ignores=True)
    np.testing.assert_array_equal(data.train.targets, [[0, 1, -1, -1], [1, 1, 0, -1], [0, 0, 0, 1]])
    np.testing.assert_array_equal(
        data.train.weights, np.array([[0.9, 9 / 8, 0, 0], [9 / 8, 9 / 8, 0.9, 0], [0.9, 0.9, 0.9, 9 / 8]], np.float32)
    )
    rows = loaded(tmp_path, f"ignore: {NONE}, weights: w", inputs=inputs, targets=labels, w=[3, 2, 1])
    # 2, 3 and 4 labels count: their mean weight is (6 + 6 + 4)/9.
    np.testing.assert_allclose(rows.train.weights, np.array([3, 2, 1]) * 9 / 16, rtol=1e-6)
    assert loaded(tmp_path, "target_type: labels", inputs=inputs, targets=labels).signature.target_shape == (4,)


def test_a_test_set_may_leave_out_where_the_training_set_does_not(tmp_path: Path) -> None:
    fields = f"ignore: {NONE}, test_inputs: x, test_targets: y"
    data = loaded(tmp_path, fields, x=INPUTS[:2], y=np.array([NONE, 1]))
    assert data.test is not None
    assert data.signature.classes == ("0", "1")
    np.testing.assert_array_equal(data.test.targets, [-1, 1])


def test_a_class_of_a_generated_set_can_be_left_out(tmp_path: Path) -> None:
    data = loaded_as(tmp_path, "{type: copy_memory, examples: 5, delay: 2, copied: 2, symbols: 3, ignore: 0}")
    assert data.signature.classes == ("blank", "1", "2", "3")
    data = loaded_as(tmp_path, "{type: blobs, centers: 3, examples: 30, ignore: 1}")
    assert data.signature.classes == ("0", "2")
    assert sorted(np.unique(data.train.targets)) == [-1, 0, 1]


def test_a_column_of_a_table_has_weights(tmp_path: Path) -> None:
    rows = [f"{i},{i % 2},{1 + i % 3}" for i in range(9)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,w", *rows]))
    table = "{type: table, path: t.csv, target: y, target_type: labels, weights: w}"
    data = loaded_as(tmp_path, table)
    assert data.signature.input_shape == (1,)
    np.testing.assert_allclose(data.train.weights, (1 + np.arange(9) % 3) / 2, rtol=1e-6)
    (tmp_path / "t.csv").write_text("\n".join(["x,y,w", *rows[:4], "4,0,-1", *rows[5:]]))
    with pytest.raises(DataError, match=r"t\.csv:6:5: error: this is no weight|this is no weight"):
        loaded_as(tmp_path, table)


@pytest.mark.parametrize(
    ("fields", "arrays", "words"),
    [
        ("weights: w", {"w": np.where(np.arange(12) == 7, -1.0, 1.0)}, r"weight of example 7 \(counted from 0\) is -1"),
        ("weights: w", {"w": np.where(np.arange(12) == 3, np.nan, 1.0)}, "weight of example 3 .* is nan"),
        ("weights: w", {"w": np.zeros(12)}, "all weights of the train split are 0"),
        ("weights: w, validation: 2, split: ordered", {"w": np.where(np.arange(12) < 10, 1, 0)},
         "all weights of the validation split are 0"),
        ("ignore: -100, validation: 2, split: ordered", {"targets": np.array([0, 1] * 5 + [NONE] * 2)},
         "all labels of the validation split are -100"),
        ("weights: w", {"w": np.ones((12, 2))}, r"one number for each of 12 examples .* shape \(12, 2\)"),
        ("weights: v", {"w": np.ones(12)}, "has no array 'v'"),
        ("weights: balanced, target_type: values", {}, "balanced is of classes"),
        ("weights: balanced, subset: 3, split: ordered", {"targets": np.array([0, 1, 0] + [2] * 9)},
         "no training label is '?2'?, and no weight balances"),
        ("ignore: 1, target_type: values", {}, "labels can be left out, and these targets are values"),
        ("ignore: -100, subset: 2, split: ordered", {"targets": np.array([NONE, NONE] + [0, 1] * 5)},
         "all labels of the train split are -100"),
        ("weights: w, target_type: values, augment: [mixup]", {"w": np.ones(12)}, "mixup mixes values"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(tmp_path: Path, fields: str, arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        loaded(tmp_path, fields, **arrays)


def test_only_some_sources_have_weights_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="blobs data has no weights called 'w'"):
        loaded_as(tmp_path, "{type: blobs, weights: w}")
