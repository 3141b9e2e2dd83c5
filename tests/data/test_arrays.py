"""NumPy files: dtypes, labels and values, the test set, and refusals. No pickle is read."""

from __future__ import annotations

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.data.sources.arrays import Npy, Npz
from nnctl.errors import DataError

INPUTS = np.arange(12.0).reshape(4, 3)
LABELS = np.array([1, 2, 1, 5])


@pytest.fixture
def archive(tmp_path):
    def write(arrays, **fields):
        np.savez(tmp_path / "a.npz", **arrays)
        source = Npz(path="a.npz", **fields)
        dataset = load_dataset(source, tmp_path, 0)
        assert source.signature(tmp_path) == dataset.signature
        return dataset

    return write


def test_labels_are_the_distinct_integers(archive):
    dataset = archive({"inputs": INPUTS, "targets": LABELS})
    assert dataset.signature.classes == ("1", "2", "5")
    assert dataset.train.targets.tolist() == [0, 1, 0, 2]
    assert dataset.train.inputs.dtype == np.float32
    assert dataset.signature.input_dtype == "real"


def test_uint8_stays_uint8_and_vectors_become_columns(archive):
    dataset = archive({"inputs": np.arange(4, dtype=np.uint8), "targets": np.array([0.5, 1, 2, 3])})
    assert dataset.train.inputs.dtype == np.uint8
    assert dataset.signature.input_dtype == "uint8"
    assert dataset.signature.input_shape == (1,)
    assert dataset.train.targets.shape == (4, 1)


def test_text_labels_and_one_column_of_them(archive):
    dataset = archive({"inputs": INPUTS, "targets": np.array([["b"], ["a"], ["b"], ["c"]])})
    assert dataset.signature.classes == ("a", "b", "c")
    assert dataset.train.targets.tolist() == [1, 0, 1, 2]


def test_indices(archive):
    dataset = archive({"inputs": LABELS.reshape(2, 2), "targets": np.array([0, 1])}, indices=True)
    assert dataset.signature.input_dtype == "index"
    assert dataset.train.inputs.dtype == np.int64


def test_own_test_set(archive):
    arrays = {"x": INPUTS, "y": LABELS, "tx": INPUTS[:2], "ty": np.array([5, 1])}
    names = {"inputs": "x", "targets": "y", "test_inputs": "tx", "test_targets": "ty"}
    dataset = archive(arrays, **names)
    assert dataset.test.targets.tolist() == [2, 0]
    assert len(dataset.train) == 4
    assert len(archive(arrays, **names, test=1).test) == 1
    with pytest.raises(DataError, match="class '7' of the test set does not occur in the training set"):
        archive(arrays | {"ty": np.array([7, 1])}, **names)
    with pytest.raises(DataError, match=r"inputs are float32 \(3,\) in the training set and float32 \(2,\)"):
        archive(arrays | {"tx": INPUTS[:2, :2]}, **names)


def test_a_test_set_needs_both_arrays():
    (problem,) = Npz(path="a.npz", test_inputs="x").problems()
    assert problem.message == "test_inputs without test_targets"


@pytest.mark.parametrize(
    ("arrays", "fields", "message"),
    [
        ({"input": INPUTS, "targets": LABELS}, {}, "has no array 'inputs'; .*\n  did you mean inputs: input?"),
        ({"inputs": INPUTS, "targets": LABELS[:2]}, {}, "a.npz: 4 inputs, but 2 targets"),
        ({"inputs": INPUTS[:0], "targets": LABELS}, {}, "inputs is empty"),
        ({"inputs": np.float64(1), "targets": LABELS}, {}, "inputs is a single number"),
        (
            {"inputs": INPUTS * np.nan, "targets": LABELS},
            {},
            r"a.npz: input 0 \(counted from 0\) is nan at posi",
        ),
        ({"inputs": INPUTS * 1e40, "targets": LABELS}, {}, "inputs: 1e.40 is too large for single precision"),
        ({"inputs": INPUTS * 1j, "targets": LABELS}, {}, "numbers are expected, not complex128"),
        ({"inputs": INPUTS, "targets": LABELS}, {"indices": True}, "indices: true wants integers, not float64"),
        ({"inputs": -LABELS, "targets": LABELS}, {"indices": True}, "an index is -5"),
        ({"inputs": INPUTS, "targets": INPUTS}, {"target_type": "labels"}, "labels are one an example"),
        (
            {"inputs": INPUTS, "targets": np.array([["a", "b"]] * 4)},
            {},
            r"labels are one an example, and these .* \(2,\)",
        ),
        ({"inputs": INPUTS, "targets": np.array(list("abca"))}, {"target_type": "values"}, "text cannot be target"),
        ({"inputs": np.zeros(101), "targets": np.arange(101)}, {}, "101 different integers"),
        ({"inputs": INPUTS, "targets": np.array([1, None, 2, 3])}, {}, "Python objects, which are never loaded"),
    ],
)
def test_broken_archive(archive, arrays, fields, message):
    with pytest.raises(DataError, match=message):
        archive(arrays, **fields)


def test_several_truths_an_example_are_values(archive):
    dataset = archive({"inputs": INPUTS, "targets": np.array([[True, False]] * 4)})
    assert dataset.train.targets.tolist() == [[1.0, 0.0]] * len(dataset.train)
    assert dataset.signature.classes is None


def test_signature_reads_no_inputs(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.zeros((4, 1000)), targets=LABELS)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    # The stored numbers are damaged, their header is not.
    place = content.index(b"NUMPY") + 10_000
    content[place] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    source = Npz(path="a.npz")
    assert source.signature(tmp_path).input_shape == (1000,)
    with pytest.raises(DataError, match="array 'inputs': Bad CRC-32"):
        load_dataset(source, tmp_path, 0)


def test_signature_refuses_objects_and_text(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.array([1, None]), targets=LABELS)
    with pytest.raises(DataError, match="Python objects, which are never loaded"):
        Npz(path="a.npz").signature(tmp_path)
    np.savez(tmp_path / "b.npz", inputs=np.array(list("abcd")), targets=LABELS)
    with pytest.raises(DataError, match="numbers are expected, not <U1"):
        Npz(path="b.npz").signature(tmp_path)


def test_npy(tmp_path):
    np.save(tmp_path / "x.npy", INPUTS)
    np.save(tmp_path / "y.npy", LABELS)
    source = Npy(path="x.npy", targets="y.npy")
    dataset = load_dataset(source, tmp_path, 0)
    assert np.array_equal(dataset.train.inputs, INPUTS)
    assert dataset.signature == source.signature(tmp_path)


def test_broken_npy(tmp_path):
    np.save(tmp_path / "x.npy", INPUTS)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-10])
    (tmp_path / "empty.npy").touch()
    np.savez(tmp_path / "z.npz", a=INPUTS)
    for name, words in (
        ("cut.npy", "promises 96 bytes of numbers, and holds 86"),
        ("empty.npy", "begins with nothing"),
    ):
        with pytest.raises(DataError, match=words):
            Npy(path=name, targets="x.npy").signature(tmp_path)
    with pytest.raises(DataError, match="is an archive of arrays: use type: npz"):
        Npy(path="z.npz", targets="x.npy").signature(tmp_path)
    with pytest.raises(DataError, match="holds one array and no archive: use type: npy"):
        Npz(path="x.npy").signature(tmp_path)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "z.npz").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"is no \.npz archive that can be read"):
        Npz(path="cut.npz").signature(tmp_path)
    with pytest.raises(DataError, match="are the same file"):
        Npy(path="x.npy", targets="x.npy").signature(tmp_path)
