"""IDX files of one's own: every type of numbers, any number of axes, plain or gzip."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.data.formats.idx import read_idx
from nnctl.data.sources.idx import Idx
from nnctl.errors import DataError

TYPES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx(array: np.ndarray) -> bytes:
    shape = np.array(array.shape, dtype=">u4").tobytes()
    return (
        bytes([0, 0, TYPES[array.dtype.name], array.ndim])
        + shape
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write(folder: Path, **files: np.ndarray) -> dict[str, str]:
    for name, array in files.items():
        (folder / name).write_bytes(idx(array))
    return {name: name for name in files}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(7,), (7, 3), (7, 4, 5), (7, 4, 5, 3), (2, 1, 2, 1, 2, 1, 2, 1)])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_and_any_number_of_axes(dtype: str, shape: tuple[int, ...], packed: bool, tmp_path: Path) -> None:
    array = (np.random.default_rng(0).normal(0, 40, shape) + 60).astype(dtype)
    content = idx(array)
    (tmp_path / "x").write_bytes(gzip.compress(content, 1, mtime=0) if packed else content)
    found = read_idx(tmp_path / "x")
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    outline = read_idx(tmp_path / "x", outline=True)
    assert (outline.dtype, outline.shape) == (array.dtype, shape)


def test_pictures_and_labels(tmp_path: Path) -> None:
    pixels = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
    files = write(tmp_path, images=pixels, labels=np.array([3, 5, 3, 5, 7, 7], dtype=np.int32))
    files |= write(tmp_path, test_images=pixels[:2], test_labels=np.array([7, 5], dtype=np.uint8))
    source = Idx(**files)
    dataset = load_dataset(source, tmp_path, 0)
    assert dataset.signature == source.signature(tmp_path)
    assert dataset.signature.classes == ("3", "5", "7")
    assert dataset.scale == np.float32(1 / 255)
    np.testing.assert_array_equal(dataset.train.inputs, pixels[..., None])
    assert (dataset.train.targets.tolist(), dataset.test.targets.tolist()) == ([0, 1, 0, 1, 2, 2], [2, 1])


def test_numbers_and_values(tmp_path: Path) -> None:
    numbers = np.array([[-1.5, 2.0], [0.25, 1e6]])
    files = write(tmp_path, images=numbers, labels=np.array([0.5, -2.0], dtype=np.float32))
    dataset = load_dataset(Idx(**files), tmp_path, 0)
    assert (dataset.signature.input_dtype, dataset.signature.classes, dataset.scale) == ("real", None, None)
    np.testing.assert_array_equal(dataset.train.inputs, numbers.astype(np.float32))
    assert dataset.train.targets.tolist() == [[0.5], [-2.0]]
    files = write(tmp_path, images=numbers.astype(np.int16), labels=np.array([0, 1], dtype=np.uint8))
    assert load_dataset(Idx(**files), tmp_path, 0).train.inputs.tolist() == [[-1, 2], [0, 16960]]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(3, dtype=np.uint8), r"3 targets|3 .*targets"),
        (np.zeros((), dtype=np.uint8), "targets is a single number"),
    ],
)
def test_labels_that_do_not_fit(labels: np.ndarray, words: str, tmp_path: Path) -> None:
    files = write(tmp_path, images=np.zeros((2, 2), dtype=np.uint8), labels=labels)
    with pytest.raises(DataError, match=words):
        load_dataset(Idx(**files, target_type="values"), tmp_path, 0)


def test_half_a_test_set() -> None:
    (problem,) = Idx(images="a", labels="b", test_images="c").problems()
    assert problem.field == "test_images"


def test_a_file_that_is_none(tmp_path: Path) -> None:
    files = write(tmp_path, images=np.zeros((2, 2), dtype=np.uint8), labels=np.arange(2, dtype=np.uint8))
    with pytest.raises(DataError, match=r"there is no file .*imgs\n  did you mean 'images'"):
        Idx(images="imgs", labels="labels").signature(tmp_path)
    (tmp_path / "images").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="images is no IDX file: it begins with 93 4e 55 4d"):
        Idx(**files).signature(tmp_path)
