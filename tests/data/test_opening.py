"""What is opened as data: regular files alone. Pipes, devices, links to themselves and vanished files are sentences."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnctl.components.registry import components
from nnctl.data.dataset import load_dataset
from nnctl.data.formats import images
from nnctl.data.opening import open_file
from nnctl.data.source import Source
from nnctl.data.sources.arrays import Npy, Npz
from nnctl.data.sources.csv import Csv
from nnctl.data.sources.images import Images
from nnctl.data.sources.mnist import Mnist
from nnctl.data.sources.steps import SequenceSource, SeriesSource
from nnctl.data.sources.table import TableSource
from nnctl.data.sources.text import Shakespeare, Text
from nnctl.errors import DataError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its files are of other kinds")

READERS = [
    Csv(path="it", target=0),
    Npz(path="it"),
    Npy(path="it", targets="other"),
    Images(path="it"),
    Mnist(path="it"),
    Shakespeare(path="it"),
    TableSource(path="it", target="it"),
    SeriesSource(path="it", window=2, horizon=1),
    SequenceSource(path="it", group="it", target="that"),
    Text(path="it"),
]


def test_every_source_that_takes_a_path_is_here():
    paths = {name for name, cls in components("data").items() if "path" in cls.__dataclass_fields__}
    assert {source.type for source in READERS} == paths


@pytest.mark.parametrize("source", READERS, ids=lambda source: source.type)
@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "nothing", "long"])
def test_a_path_to_no_file(kind: str, source: Source, tmp_path: Path) -> None:
    if kind == "pipe":
        os.mkfifo(tmp_path / "it")
    elif kind == "device":
        (tmp_path / "it").symlink_to("/dev/zero")
    elif kind == "loop":
        (tmp_path / "it").symlink_to("it")
    folder = tmp_path if kind != "long" else tmp_path / ("x" * 300)
    with pytest.raises(DataError) as caught:
        load_dataset(source, folder, 0)
    words = {
        "pipe": "a named pipe, and",
        "device": "is a device, and",
        "loop": "cannot be read: Too many levels",
        "nothing": "there is no f",
        "long": "cannot be read: File name too long",
    }[kind]
    assert words in str(caught.value)


def test_a_pipe_in_a_folder_of_pictures_or_texts(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    os.mkfifo(tmp_path / "cat/a.png")
    with pytest.raises(DataError, match=r"a\.png is a named pipe, and a file is expected"):
        Images(path=".").signature(tmp_path)
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(DataError, match=r"a\.txt is a named pipe, and a file is expected"):
        Text(path=".").signature(tmp_path)


def test_a_folder_that_is_named_like_a_picture_or_a_text(tmp_path: Path) -> None:
    (tmp_path / "cat/a.png").mkdir(parents=True)
    with pytest.raises(DataError, match=r"cat holds a folder 'a\.png'"):
        Images(path=".").signature(tmp_path)
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(DataError, match=r"a\.txt is a folder, and a file is expected"):
        Text(path=".").signature(tmp_path)


def test_a_picture_that_goes_while_the_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("L", (2, 2)).save(tmp_path / "cat" / name)

    def forgetful(path: Path):
        (tmp_path / "cat/b.png").unlink(missing_ok=True)
        return open_file(path)

    monkeypatch.setattr(images, "open_file", forgetful)
    with pytest.raises(DataError, match=r"b\.png cannot be read: No such file"):
        load_dataset(Images(path="."), tmp_path, 0)


def test_a_home_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the home folder that ~ stands for is not known\n  write the path in full"):
        Csv(path="~nobody-of-that-name/a.csv", target=0).signature(tmp_path)


def test_a_path_with_a_nul(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no path: it holds a NUL character"):
        Npz(path="a\0b").signature(tmp_path)


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/cat"
    os.mkdir(folder)
    picture = os.fsdecode(folder + b"/caf\xe9.png")
    Image.new("L", (2, 2)).save(picture)
    (tmp_path / "dog").mkdir()
    Image.new("L", (2, 2)).save(tmp_path / "dog/a.png")
    assert len(load_dataset(Images(path="."), tmp_path, 0).train) == 2
    os.rename(folder, folder + b"\xe9")
    with pytest.raises(DataError, match=r"a folder named 'cat\\udce9', and the names of classes are printable UTF-8"):
        Images(path=".").signature(tmp_path)


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        Images(path=".").signature(tmp_path)


def test_a_memory_mapped_file_is_a_regular_one(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(4.0))
    (tmp_path / "link.npy").symlink_to("x.npy")
    np.save(tmp_path / "y.npy", np.array([0, 1, 0, 1]))
    assert len(load_dataset(Npy(path="link.npy", targets="y.npy"), tmp_path, 0).train) == 4
