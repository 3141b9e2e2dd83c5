"""Proposals for pictures, arrays, texts and idx files."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from tests.workbooks import number_cell, text_cell, workbook

RNG = np.random.default_rng(0)


def pictures(folder, size=(12, 16), count=6, mode="RGB", classes=("cat", "dog")):
    """A folder with a folder of pictures a class."""
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = RNG.integers(0, 255, (*size, len(mode)), dtype=np.uint8)
            Image.fromarray(pixels.squeeze(), mode).save(folder / name / f"{i}.png")


def test_pictures_of_one_size(init, trains, tmp_path):
    pictures(tmp_path / "photos")
    proposed = init("photos")
    assert proposed.data == {"type": "images", "path": "photos", "validation": 0.2, "test": 0.2}
    assert [layer for layer in proposed.spec["layers"] if "conv2d" in str(layer)]
    trains(proposed)


def test_broken_pictures_are_told_together(init, tmp_path):
    pictures(tmp_path / "photos")
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name / "broken.png").write_bytes(b"<html>")
    proposed = init("photos")
    assert proposed.code == 3
    assert "photos/cat/broken.png cannot be read as an image" in proposed.err
    assert "\n  1 more cannot be read: photos/dog/broken.png\n" in proposed.err


def test_a_class_of_one_picture_is_told(init, tmp_path):
    pictures(tmp_path / "photos")
    pictures(tmp_path / "photos", count=1, classes=("emu",))
    assert "class 'emu' has 1 picture: too few to learn it and to measure it" in init("photos").err


def test_pictures_of_several_kinds(init, trains, tmp_path):
    pictures(tmp_path / "photos", size=(300, 400))
    pictures(tmp_path / "photos", size=(100, 90), classes=("emu",))
    for name, image in {
        "clear.png": Image.new("RGBA", (40, 30), (0, 0, 0, 0)),
        "deep.png": Image.fromarray(RNG.integers(0, 65535, (40, 30), dtype=np.uint16)),
    }.items():
        image.save(tmp_path / "photos" / "emu" / name)
    frames = [Image.new("RGB", (20, 20), (i * 90, 0, 0)) for i in range(3)]
    frames[0].save(tmp_path / "photos" / "dog" / "moves.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "photos" / "dog" / "more").mkdir()
    frames[0].save(tmp_path / "photos" / "dog" / "more" / "x.png")
    (tmp_path / "photos" / "dog" / "notes.md").write_text("")
    proposed = init("photos")
    data = proposed.data
    assert (data["size"], data["background"], data["bits"], data["frames"], data["nested"]) == (
        [48, 64], "white", 8, "first", True)  # fmt: skip
    assert "notes.md" in proposed.err
    trains(proposed)


def test_folders_of_splits_are_taken_as_they_are(init, trains, tmp_path):
    for name in ("train", "val", "test"):
        pictures(tmp_path / "photos" / name, mode="L")
    proposed = init("photos")
    assert proposed.data == {"type": "images", "path": "photos", "grayscale": True}
    trains(proposed)


@pytest.mark.parametrize(
    ("shape", "dtype", "first"),
    [
        ((12, 12, 1), "uint8", "conv2d"),
        ((20, 3), "float32", "lstm"),
        ((5,), "float64", "dense"),
        ((2, 2, 2), "float32", "flatten"),
    ],
    ids=["images", "sequences", "rows", "small"],
)
def test_arrays_by_their_shape(init, trains, tmp_path, shape, dtype, first):
    inputs = RNG.integers(0, 9, (60, *shape)).astype(dtype)
    np.savez(tmp_path / "a.npz", x=inputs, y=np.arange(60) % 3, other=np.zeros(2))
    proposed = init("a.npz")
    assert (proposed.data["inputs"], proposed.data["targets"], proposed.data["target_type"]) == ("x", "y", "labels")
    assert first in str(proposed.spec["layers"][0])
    assert "left out: other" in proposed.err
    trains(proposed)


def test_arrays_with_a_test_set_and_real_targets(init, trains, tmp_path):
    arrays = {"inputs": RNG.normal(size=(60, 4)), "targets": RNG.normal(size=(60, 2))}
    np.savez(tmp_path / "a.npz", **arrays, **{f"test_{name}": array[:9] for name, array in arrays.items()})
    proposed = init("a.npz")
    assert (proposed.data["test_inputs"], "test" in proposed.data) == ("test_inputs", False)
    assert proposed.spec["layers"][-1] == {"type": "dense", "units": 2}
    trains(proposed)


def test_targets_in_another_file(init, trains, tmp_path):
    np.save(tmp_path / "x.npy", RNG.normal(size=(40, 3)))
    np.save(tmp_path / "y.npy", np.arange(40) % 2)
    proposed = init("x.npy")
    assert (proposed.data["path"], proposed.data["targets"]) == ("x.npy", "y.npy")
    trains(proposed)
    np.save(tmp_path / "z.npy", np.arange(40) / 7)
    assert (init("x.npy").code, init("x.npy", "--target", "z.npy").data["target_type"]) == (3, "values")


def idx(path, array):
    """Write an idx file of bytes."""
    path.write_bytes(
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    )


def test_idx_files_with_their_labels(init, trains, tmp_path):
    for part in ("train", "t10k"):
        idx(tmp_path / f"{part}-images-idx3-ubyte", RNG.integers(0, 255, (40, 8, 8)))
        idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(40) % 4)
    proposed = init("train-images-idx3-ubyte")
    assert proposed.data["labels"] == "train-labels-idx1-ubyte"
    assert proposed.data["test_images"] == "t10k-images-idx3-ubyte"
    trains(proposed)


def test_a_text_is_written_on(init, trains, tmp_path):
    (tmp_path / "tale.txt").write_text("Once upon a time there was a net that learned to write. " * 20)
    proposed = init("tale.txt")
    assert proposed.data["type"] == "text"
    assert proposed.spec["layers"][-1]["units"] == len(set((tmp_path / "tale.txt").read_text()))
    trains(proposed)


ERRORS = {
    "an empty folder": (("folder",), 3, "folder is empty"),
    "no classes": (("flat",), 3, "has no sub-folders"),
    "one class": (("one",), 3, "nothing to tell apart"),
    "a target of pictures": (("one", "--target", "x"), 2, "--target is of a table"),
    "arrays without names": (("arrays.npz",), 3, "which of the arrays are the targets"),
    "no targets": (("lonely.npy",), 3, "where are its targets"),
    "a short text": (("short.txt",), 3, "5 characters teach nothing"),
    "one character": (("aaa.txt",), 3, "every character is 'a'"),
    "one amount": (("same.npz",), 3, "every target is 1.5"),
    "a target that is no number": (("gap.npz",), 3, "target 7 (counted from 0) is no finite number"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_sentences_with_the_fix(init, tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "flat" / "a.png")
    pictures(tmp_path / "one", classes=("cat",))
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3), b=np.zeros(3))
    np.save(tmp_path / "lonely.npy", np.zeros((40, 2)))
    (tmp_path / "short.txt").write_text("words")
    (tmp_path / "aaa.txt").write_text("a" * 500)
    amounts = np.where(np.arange(40) == 7, np.nan, 1.5)
    np.savez(tmp_path / "same.npz", inputs=np.ones((40, 2)), targets=np.nan_to_num(amounts, nan=1.5))
    np.savez(tmp_path / "gap.npz", inputs=np.ones((40, 2)), targets=amounts)
    arguments, code, message = ERRORS[name]
    proposed = init(*arguments)
    assert (proposed.code, proposed.text) == (code, "")
    assert message in proposed.err


def test_a_workbook_of_several_sheets(init, trains, tmp_path):
    def cells(rows):
        return [
            [(text_cell if isinstance(each, str) else number_cell)(f"{'AB'[i]}{r}", each) for i, each in enumerate(row)]
            for r, row in enumerate(rows, 2)
        ]

    answers = [("size", "kind"), *((float(x), "big" if x > 0 else "small") for x in RNG.normal(size=60))]
    workbook(tmp_path / "b.xlsx", {"notes": cells([("what", "why"), ("a", "b")]), "my answers": cells(answers)})
    asked = init("b.xlsx", "--target", "kind")
    assert asked.code == 3
    assert "say one: in a spec sheet: notes, to nnctl init --sheet notes" in asked.err
    proposed = init("b.xlsx", "--target", "kind", "--sheet", "my answers")
    assert proposed.data["sheet"] == "my answers"
    trains(proposed)
    assert "did you mean 'my answers'?" in init("b.xlsx", "--sheet", "my answer").err
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    wrong = init("t.csv", "--sheet", "a")
    assert (wrong.code, "t.csv is none" in wrong.err) == (2, True)
