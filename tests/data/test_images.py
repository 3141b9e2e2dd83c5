"""Folders of images."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from nnctl.data.dataset import load_dataset
from nnctl.data.sources.images import Images
from nnctl.errors import DataError


def save(path, height, width, colour=(255, 0, 0)):
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.new("RGB", (width, height), colour).save(path)


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "pets/dog/1.png", 4, 6)
    save(tmp_path / "pets/cat/1.png", 4, 6, (0, 0, 255))
    save(tmp_path / "pets/cat/2.PNG", 4, 6, (0, 255, 0))
    (tmp_path / "pets/cat/.hidden.png").write_text("x")
    (tmp_path / "pets/cat/notes.txt").write_text("x")
    return tmp_path


def test_classes_are_folders(folder):
    source = Images(path="pets")
    dataset = load_dataset(source, folder, 0)
    assert dataset.signature == source.signature(folder)
    assert dataset.signature.classes == ("cat", "dog")
    assert dataset.signature.input_shape == (4, 6, 3)
    assert dataset.train.targets.tolist() == [0, 0, 1]
    assert dataset.train.inputs[:, 0, 0].tolist() == [[0, 0, 255], [0, 255, 0], [255, 0, 0]]
    assert dataset.scale == np.float32(1 / 255)


def test_resized_and_grey(folder):
    save(folder / "pets/dog/2.png", 9, 9)
    dataset = load_dataset(Images(path="pets", size=(2, 3), grayscale=True), folder, 0)
    assert dataset.train.inputs.shape == (4, 2, 3, 1)
    assert dataset.train.inputs[3].tolist() == [[[76]] * 3] * 2


def test_sizes_that_differ(folder):
    save(folder / "pets/dog/2.png", 4, 5)
    with pytest.raises(DataError, match=r"dog/2\.png is 4×5, and the first image 4×6\n  resize .* size: \[4, 6\]"):
        load_dataset(Images(path="pets"), folder, 0)


def test_broken_image(folder):
    (folder / "pets/dog/2.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"dog/2\.png cannot be read as an image"):
        load_dataset(Images(path="pets"), folder, 0)
    whole = (folder / "pets/dog/1.png").read_bytes()
    (folder / "pets/dog/2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"dog/2\.png cannot be read as an image"):
        load_dataset(Images(path="pets"), folder, 0)


def test_sixteen_bits(folder):
    Image.new("I;16", (6, 4)).save(folder / "pets/dog/2.png")
    with pytest.raises(DataError, match="convert it to 8 bits"):
        load_dataset(Images(path="pets"), folder, 0)


def test_folder_without_classes_or_images(folder):
    with pytest.raises(DataError, match="has no sub-folders"):
        Images(path="pets/cat").signature(folder)
    (folder / "pets/bird").mkdir()
    with pytest.raises(DataError, match="bird holds no image"):
        Images(path="pets").signature(folder)
    with pytest.raises(DataError, match="did you mean 'pets'"):
        Images(path="pet").signature(folder)
    with pytest.raises(DataError, match="is a file, and a folder is expected"):
        Images(path="pets/cat/1.png").signature(folder)
