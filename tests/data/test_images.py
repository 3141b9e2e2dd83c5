"""Folders of images."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from nnctl.cli import main
from nnctl.data.dataset import load_dataset
from nnctl.data.sources.images import Images
from nnctl.errors import DataError

BLUE = (0, 0, 255)


def save(path, height=4, width=6, colour=(255, 0, 0)):
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
    with pytest.raises(DataError, match=r"dog/2\.png is 4×5, and .*cat/1\.png is 4×6\n  resize .* size: \[4, 6\]"):
        load_dataset(Images(path="pets"), folder, 0)


def test_broken_image(folder):
    (folder / "pets/dog/2.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"dog/2\.png cannot be read as an image"):
        load_dataset(Images(path="pets"), folder, 0)
    whole = (folder / "pets/dog/1.png").read_bytes()
    (folder / "pets/dog/2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"dog/2\.png cannot be read as an image"):
        load_dataset(Images(path="pets"), folder, 0)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_broken_images_are_told_together(first, in_memory, folder):
    whole = (folder / "pets/cat/1.png").read_bytes()
    broken = [*(["cat/0.png"] if first else []), "cat/3.png", "dog/2.png", "dog/3.png"]
    for path in broken:
        (folder / "pets" / path).write_bytes(b"" if "3" in path else whole[: len(whole) // 2])
    with pytest.raises(DataError) as caught:
        load_dataset(Images(path="pets", in_memory=in_memory), folder, 0)
    lines = str(caught.value).replace(f"{folder}/pets/", "").splitlines()
    assert lines[0].startswith(f"{broken[0]} cannot be read as an image: ")
    assert lines[1] == f"  {len(broken) - 1} more cannot be read: {', '.join(broken[1:])}"
    assert lines[2] == "  mend them, or move them away"


def test_after_a_hundred_broken_images_no_more_are_looked_for(folder):
    for i in range(300):
        (folder / f"pets/cat/b{i:03}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"b000\.png cannot .*\n  at least 1[0-9]{2} more cannot be read: .*, …\n"):
        load_dataset(Images(path="pets"), folder, 0)


def test_folder_without_classes_or_images(folder):
    with pytest.raises(DataError, match="has no sub-folders"):
        Images(path="pets/cat").signature(folder)
    (folder / "pets/bird").mkdir()
    with pytest.raises(DataError, match=r"bird holds no image \(.*\)\n  put images there, or remove it"):
        Images(path="pets").signature(folder)
    with pytest.raises(DataError, match="did you mean 'pets'"):
        Images(path="pet").signature(folder)
    with pytest.raises(DataError, match="is a file, and a folder is expected"):
        Images(path="pets/cat/1.png").signature(folder)


def test_one_image_and_one_class(folder):
    shutil.rmtree(folder / "pets/dog")
    with pytest.raises(DataError, match="is of the class 'cat': there is nothing to tell apart"):
        Images(path="pets").signature(folder)
    (folder / "pets/cat/2.PNG").unlink()
    assert len(load_dataset(Images(path="pets", reconstruct=True), folder, 0).train) == 1


def test_what_is_left_out_is_counted(folder):
    assert load_dataset(Images(path="pets"), folder, 0).advice == (
        "left out of the pictures: 1 hidden (.hidden.png); 1 of other kinds (notes.txt)",
    )
    save(folder / "pets/stray.png")
    save(folder / "pets/__MACOSX/cat/1.png")
    for name in ("dog/Thumbs.db", "dog/._1.png", "dog/b.heic", "dog/c.txt", "dog/d.txt", "readme"):
        (folder / "pets" / name).write_text("x")
    (folder / "pets/dog/.ipynb_checkpoints").mkdir()
    assert load_dataset(Images(path="pets"), folder, 0).advice == (
        "left out of the pictures: 5 hidden (__MACOSX, .hidden.png, ._1.png, …); "
        "5 of other kinds (readme, notes.txt, b.heic, …); 1 outside the folders of the classes (stray.png)",
    )


def test_folders_within_a_class(folder):
    save(folder / "pets/cat/black/old/3.png", colour=BLUE)
    save(folder / "pets/cat/a.png/4.png")
    with pytest.raises(DataError, match=r"cat holds a folder 'a\.png', .*\n  give data the field nested: true"):
        Images(path="pets").signature(folder)
    source = Images(path="pets", nested=True)
    assert load_dataset(source, folder, 0).train.targets.tolist() == [0, 0, 0, 0, 1]
    (folder / "pets/cat/black/again").symlink_to(folder / "pets/cat")
    with pytest.raises(DataError, match="black/again leads to a folder whose pictures are read already\n  remove"):
        source.signature(folder)


def test_folders_without_pictures_of_their_own_want_the_word(folder):
    save(folder / "animals/pets/cat/1.png")
    save(folder / "animals/farm/cow/1.png")
    with pytest.raises(DataError, match="farm holds a folder 'cow'"):
        Images(path="animals").signature(folder)
    assert Images(path="animals", nested=True).signature(folder).classes == ("farm", "pets")


def test_links(folder):
    (folder / "pets/dog/2.png").symlink_to(folder / "pets/cat/1.png")
    (folder / "pets/bird").symlink_to(folder / "pets/cat")
    assert load_dataset(Images(path="pets"), folder, 0).train.targets.tolist() == [0, 0, 1, 1, 2, 2]
    (folder / "pets/dog/3.png").symlink_to(folder / "gone.png")
    with pytest.raises(DataError, match=r"dog/3\.png cannot be read: No such file"):
        load_dataset(Images(path="pets"), folder, 0)


@pytest.fixture
def split(tmp_path):
    """Pictures under train/, val/ and test/, of which the last two lack the class c."""
    for number, place in enumerate(("train/a", "train/a", "train/b", "train/c", "val/a", "val/b", "test/b", "test/a")):
        save(tmp_path / "set" / place / f"{number}.png", colour=(number, 0, 0))
    return tmp_path


def test_folders_of_splits(split):
    source = Images(path="set")
    dataset = load_dataset(source, split, 0)
    assert dataset.signature == source.signature(split)
    assert dataset.signature.classes == ("a", "b", "c")
    assert source.describe(split).examples == 8
    assert source.splits_in(split) == tuple(dataset.splits) == ("train", "validation", "test")
    found = {name: (s.inputs[:, 0, 0, 0].tolist(), s.targets.tolist()) for name, s in dataset.splits.items()}
    assert found == {
        "train": ([0, 1, 2, 3], [0, 0, 1, 2]),
        "validation": ([4, 5], [0, 1]),
        "test": ([7, 6], [0, 1]),
    }
    chosen = load_dataset(Images(path="set", classes=("b", "a")), split, 0)
    assert chosen.validation.targets.tolist() == [1, 0]
    # A part of the test folder, and none of the others.
    assert len(load_dataset(Images(path="set", test=1), split, 0).test) == 1
    none = Images(path="set", validation=0, test=0)
    assert none.splits_in(split) == tuple(load_dataset(none, split, 0).splits) == ("train",)


@pytest.mark.parametrize(("fields", "asked"), [({"validation": 0.25}, "validation"), ({"fold": (0, 2)}, "fold")])
def test_two_ways_to_validate(fields, asked, split):
    with pytest.raises(DataError, match=f"a folder of validation pictures, and {asked} asks for .*\n  remove {asked}"):
        Images(path="set", **fields).signature(split)
    shutil.rmtree(split / "set/val")
    dataset = load_dataset(Images(path="set", split="ordered", **fields), split, 0)
    assert (len(dataset.validation), len(dataset.test)) == (2 if asked == "fold" else 1, 2)


@pytest.mark.parametrize("name", ["validation", "valid", "Val"])
def test_names_of_splits(name, split):
    (split / "set/val").rename(split / "set" / name)
    (split / "set/train").rename(split / "set/Training")
    assert Images(path="set").splits_in(split) == ("train", "validation", "test")
    save(split / "set/val/a/1.png")
    if name == "Val" and (split / "set/Val").samefile(split / "set/val"):
        pytest.skip("names of this file system are the same in capitals")
    with pytest.raises(DataError, match=r"holds both .* which is the validation split"):
        Images(path="set").signature(split)


def test_splits_that_do_not_fit(split):
    save(split / "set/test/d/1.png")
    with pytest.raises(DataError, match=r"test/d is of a class that .*train lacks.*\n  add training examples of 'd'"):
        Images(path="set").signature(split)
    save(split / "set/more/d/1.png")
    with pytest.raises(DataError, match=r"holds test/, with folders in it, beside more/: splits or classes\?"):
        Images(path="set").signature(split)
    shutil.rmtree(split / "set/more")
    shutil.rmtree(split / "set/train")
    with pytest.raises(DataError, match=r"holds test/ and no train/: there is nothing to train on"):
        Images(path="set").signature(split)


def test_a_train_may_be_a_class(tmp_path):
    for place in ("car", "train"):
        save(tmp_path / place / "1.png")
    assert Images(path=".").signature(tmp_path).classes == ("car", "train")


def test_pictures_that_lie_in_the_folders_of_splits_themselves(tmp_path):
    for place in ("test", "train"):
        save(tmp_path / place / "1.png")
    with pytest.raises(DataError, match="test holds no folders of classes, and the pictures of a split"):
        Images(path=".").signature(tmp_path)


SPEC = """
data: {type: images, path: set, background: white}
layers: [flatten, {type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2, early_stopping: {monitor: validation_accuracy, patience: 5}}
backend: numpy
"""


def test_a_folder_of_validation_may_be_monitored(split, monkeypatch, capsys):
    monkeypatch.chdir(split)
    (split / "spec.yaml").write_text(SPEC)
    (split / "set/train/a/notes.txt").write_text("x")
    assert main(["train", "spec.yaml", "--out", "run"]) == 0
    assert "note: left out of the pictures: 1 of other kinds (notes.txt)" in capsys.readouterr().err
    assert main(["data", "show", "spec.yaml"]) == 0
    captured = capsys.readouterr()
    assert [json.loads(line)["examples"] for line in captured.out.splitlines()] == [4, 2, 2]
    assert captured.err == "note: left out of the pictures: 1 of other kinds (notes.txt)\n"
    assert main(["predict", "run", "set", "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1 + 8
    assert "note: left out of the pictures: 1 of other kinds" in captured.err
    shutil.rmtree(split / "set/val")
    assert main(["train", "spec.yaml", "--out", "none"]) == 2
    assert "'validation_accuracy' will not be measured: the data has no validation split" in capsys.readouterr().err
    # What was trained answers without its data.
    shutil.move(split / "set/test/a/7.png", split / "7.png")
    shutil.rmtree(split / "set")
    Image.new("RGBA", (6, 4), (7, 0, 0, 0)).save(split / "clear.png")
    save(split / "white.png", colour=(255, 255, 255))
    assert main(["predict", "run", "7.png", "clear.png", "white.png"]) == 0
    dark, clear, white = (json.loads(line)["probabilities"] for line in capsys.readouterr().out.splitlines())
    assert clear == white != dark
