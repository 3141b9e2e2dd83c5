"""Files that are small and would become large, and wide tables: refused, or read in bounded time and memory."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnctl.data.dataset import load_dataset
from nnctl.data.formats.idx import read_idx, unpacked_md5
from nnctl.data.limits import CLASSES, COLUMNS, PIXELS
from nnctl.data.sources.csv import Csv
from nnctl.data.sources.images import Images
from nnctl.data.sources.text import Text
from nnctl.errors import DataError

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n(made) (w) file\nshowpage\n%%EOF\n"


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.fixture
def picture(tmp_path):
    def write(content: bytes, name: str = "a.png") -> Images:
        (tmp_path / "cat").mkdir()
        (tmp_path / "cat" / name).write_bytes(content)
        return Images(path=".")

    return write


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tiff", "a.webp"])
def test_postscript_is_no_picture_whatever_its_name(name, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(DataError, match="cannot be read as an image: it is none of PNG, JPEG"):
        picture(POSTSCRIPT, name).signature(tmp_path)


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (9000, 9000), (12_000, 8_000)])
def test_a_picture_beyond_any_camera(width, height, picture, tmp_path):
    with pytest.raises(DataError, match="at most 67,108,864 pixels are read"):
        picture(png(width, height)).signature(tmp_path)
    assert width * height > PIXELS


def test_a_size_beyond_any_picture():
    (problem,) = Images(path=".", size=(100_000, 100_000)).problems()
    assert problem.field == "size"


def test_pictures_beyond_what_is_left_of_memory(picture, tmp_path, monkeypatch):
    source = replace(picture(png(2, 2, b"\0ab\0cd")), in_memory=True)
    monkeypatch.setattr("nnctl.process.memory.available", lambda: 1)
    with pytest.raises(DataError, match=r"1 images of shape \(2, 2, 3\) takes 12 bytes"):
        load_dataset(source, tmp_path, 0)


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jpg", "pgm", "png", "ppm", "tif", "webp"])
def test_every_suffix_has_its_format(suffix, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("L", (3, 2), 128).save(tmp_path / name / f"a.{suffix}")
    assert load_dataset(Images(path=".", grayscale=True), tmp_path, 0).train.inputs.shape == (2, 2, 3, 1)


def bomb(path: Path, head: bytes, megabytes: int) -> None:
    with gzip.open(path, "wb", 1) as file:
        file.write(head)
        for _ in range(megabytes):
            file.write(bytes(1 << 20))


def test_an_idx_bomb(tmp_path):
    bomb(tmp_path / "more", b"\0\0\x08\x01" + struct.pack(">I", 1 << 30), 1)
    with pytest.raises(DataError, match=r"more unpacks to 1\.0 GiB from .*\n  unpack it"):
        read_idx(tmp_path / "more")
    bomb(tmp_path / "on", b"\0\0\x08\x01" + struct.pack(">I", 1 << 20), 2)
    with pytest.raises(DataError, match="goes on after its 1,048,576 bytes"):
        read_idx(tmp_path / "on")


@pytest.mark.slow
def test_the_checksum_of_a_bomb(tmp_path):
    bomb(tmp_path / "x", b"", 513)
    with pytest.raises(OSError, match="unpacks to more than"):
        unpacked_md5(tmp_path / "x")


def test_texts_and_tables_are_not_unpacked(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"1,2\n", mtime=0))
    with pytest.raises(DataError, match=r"gz:1:2: error: the file is not UTF-8: .*\n  unpack it first"):
        Csv(path="a.csv.gz", target=0).signature(tmp_path)
    with pytest.raises(DataError, match=r"gz:1:2: error: the file is not UTF-8: .*\n  unpack it first"):
        Text(path="a.csv.gz").signature(tmp_path)


def test_a_text_beyond_what_is_left_of_memory(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("x" * 100)
    monkeypatch.setattr("nnctl.process.memory.available", lambda: 1000)
    with pytest.raises(DataError, match=r"a\.txt takes 3\.1 KiB of memory to read"):
        Text(path="a.txt").signature(tmp_path)


@pytest.mark.slow
def test_wide_tables_are_read_and_wider_ones_refused(tmp_path):
    """Of 10⁵ columns each step that is quadratic in them would take minutes."""
    names, numbers = (",".join(f"{c}{i}" for i in range(100_000)) for c in ("c", "1."))
    (tmp_path / "wide.csv").write_text(f"{names}\n{numbers}\n{numbers}\n")
    wide = Csv(path="wide.csv", target="c7", target_type="values", ignore=tuple(f"c{i}" for i in range(8, 20_000)))
    assert load_dataset(wide, tmp_path, 0).signature.input_shape == (80_007,)
    texts = ",".join("abc"[i % 3] for i in range(100_000))
    (tmp_path / "texts.csv").write_text(f"{names}\n{texts}\n{texts[:-1]}d\n")
    assert load_dataset(Csv(path="texts.csv", target=-1), tmp_path, 0).signature.input_shape == (99_999,)
    (tmp_path / "wider.csv").write_text("1," * COLUMNS + "1\n")
    with pytest.raises(DataError, match="has 131,073 columns, and at most 131,072 are read"):
        Csv(path="wider.csv", target=0).signature(tmp_path)


@pytest.mark.slow
def test_many_classes_are_read_and_more_refused(tmp_path):
    rows = "".join(f"{i},name {i % 100_000}\n" for i in range(200_000))
    (tmp_path / "many.csv").write_text(rows)
    source = Csv(path="many.csv", target=1, test=100_000, classes=tuple(f"name {i}" for i in range(99_999, -1, -1)))
    dataset = load_dataset(source, tmp_path, 0)
    assert len(dataset.signature.classes) == 100_000
    assert np.array_equal(np.sort(dataset.test.targets), np.arange(100_000))
    (tmp_path / "more.csv").write_text("".join(f"1,n{i}\n" for i in range(CLASSES + 1)))
    with pytest.raises(DataError, match="131,073 different labels, and at most 131,072 can be told apart"):
        Csv(path="more.csv", target=1).signature(tmp_path)


def test_a_label_of_a_hundred_thousand_characters_takes_its_place_once(tmp_path):
    """As an array of text of one width it would take 400 MB."""
    rows = "".join(f"{i},{'x' * 100_000 if i == 7 else 'y'}\n" for i in range(1000))
    (tmp_path / "a.csv").write_text(rows)
    assert load_dataset(Csv(path="a.csv", target=1), tmp_path, 0).train.targets.sum() == 999


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"1,2\n" + b"9" * 100_000 + b"x,2\n", r"a\.csv:2:1: error: '9+….*…9+x' is no number"),
        (b"1,2\n" + b"9" * 10_000 + b",2\n", r"a\.csv:2:1: error: 9+….*… *9* does not fit single precision"),
        (b'1,2\n"' + b"9" * 200_000 + b'",2\n', r"a\.csv:2:1: error: a cell is longer than 131,072 characters"),
        (b"1,2\n3," + b"4" * (1 << 24) + b"\n", r"a\.csv:2:16777217: error: the line goes on beyond 16,777,216"),
        (b"1,2\n3\0,4\n", r"a\.csv:2:2: error: there is a NUL character"),
        ("1,2\n3,4\n".encode("utf-16"), r"a\.csv:1:1: error: the file is not UTF-8: .*\n  .*begins like UTF-16"),
        ("1,2\n3,4\n".encode("utf-16-le"), r"a\.csv:1:2: error: there is a NUL character"),
        ("a,é\n".encode("latin-1"), r"a\.csv:1:3: error: the file is not UTF-8: .*\n  save it as UTF-8"),
        (b"1,2\n3,4,5\n", r"a\.csv:2:1: error: 3 cells in a table of 2 columns"),
        (b"a,b\nnan,2\n", r"a\.csv:2:1: error: missing value in column 'a'"),
        (b"a,b\n1,2\ninf,2\n", r"a\.csv:3:1: error: inf does not fit single precision"),
    ],
)
def test_a_strange_table_is_one_sentence_with_its_place(content, words, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=words):
        Csv(path="a.csv", target=1).signature(tmp_path)


def test_line_ends_may_differ_and_a_byte_order_mark_stand_first(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfa,y\r1,0\n2,1\r\n\r\n3,0")
    dataset = load_dataset(Csv(path="a.csv", target="y"), tmp_path, 0)
    assert dataset.train.inputs[:, 0].tolist() == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory otherwise")
def test_the_largest_picture_takes_less_than_a_gigabyte(tmp_path):
    (tmp_path / "cat").mkdir()
    side = 8192
    (tmp_path / "cat/a.png").write_bytes(png(side, side, bytes(side * (side + 1))))
    program = (
        "import re, sys; from pathlib import Path\n"
        "from nnctl.data.formats.images import read_image\n"
        "from nnctl.data.pictures import PictureOptions\n"
        "assert read_image(Path(sys.argv[1]), PictureOptions()).shape == (8192, 8192, 3)\n"
        "print(*re.findall(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text()))"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "cat/a.png")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1 << 20
