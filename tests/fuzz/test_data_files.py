"""Mutated files of data, of every format: each is read, or refused by a sentence, within bounds of time and memory."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from byte_mutants import mutants
from hypothesis import given
from hypothesis import strategies as st
from outcomes import LONG, SHORT, judge
from PIL import Image

from nnctl.components.signature import DataSignature
from nnctl.data.dataset import load_dataset
from nnctl.data.source import Source
from nnctl.data.sources import mnist
from nnctl.data.sources.arrays import Npy, Npz
from nnctl.data.sources.csv import Csv
from nnctl.data.sources.images import Images
from nnctl.data.sources.mnist import Mnist
from nnctl.data.sources.text import Text
from nnctl.inference.inputs import Part, read_parts

RNG = np.random.default_rng(0)
TABLES = (
    b"length,width,colour,species\n5.1,3.5,red,setosa\n4.9,3.0,blue,virginica\n6.2,3.4,red,virginica\n",
    b'1,2,0\n"3",4e2,1\n5,-6,0\n7,8,1\n',
    "größe;ziel\r\n1;ä\r\n2;b\r\n".encode(),
)
TEXTS = (b"the cat sat. " * 20, "Ünïcode — words\r\n\n".encode() * 9)


def saved(write: Callable[[io.BytesIO], Any]) -> bytes:
    """The bytes that somebody writes to a file."""
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def picture(kind: str, mode: str, **options: Any) -> bytes:
    image = Image.fromarray(RNG.integers(0, 256, (9, 7, 3), np.uint8)).convert(mode)
    return saved(lambda file: image.save(file, kind, **options))


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


ARRAYS = tuple(
    saved(lambda file, array=array: np.save(file, array))
    for array in (
        RNG.normal(size=(6, 3)),
        np.asfortranarray(RNG.normal(size=(6, 3)).astype(">f4")),
        RNG.integers(0, 256, (6, 2, 2), np.uint8),
        np.array(["a", "b", "c", "a", "b", "c"]),
        np.array([0, 1, 2, 0, 1, 2]),
    )
)
ARCHIVES = tuple(
    saved(lambda file, write=write: write(file, inputs=RNG.normal(size=(6, 3)), targets=np.array([0, 1] * 3)))
    for write in (np.savez, np.savez_compressed)
)
TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
PICTURES = (
    *(picture(kind, mode) for kind in ("PNG", "TIFF", "WEBP") for mode in ("RGB", "L", "RGBA")),
    *(picture(kind, mode) for kind in ("BMP", "JPEG", "PPM", "GIF") for mode in ("RGB", "L")),
    picture("PNG", "P"),
    picture("PNG", "1"),
    picture("JPEG", "RGB", progressive=True, exif=TURNED),
    picture("TIFF", "RGB", compression="tiff_lzw"),
    picture("TIFF", "L", compression="tiff_adobe_deflate"),
)
NUMBERS = tuple(idx(RNG.integers(0, 10, shape)) for shape in ((6, 28, 28), (6,)))


@dataclass(frozen=True)
class Kind:
    """A kind of file: files that are sound, what its format is made of, and how a mutant among others is read."""

    seeds: Sequence[bytes]
    words: Sequence[bytes]
    sources: Callable[[Path, bytes], Sequence[Source]]
    suffix: str = ""
    shape: tuple[int, ...] = (3,)


def _csv(folder: Path, content: bytes) -> Sequence[Source]:
    (folder / "t.csv").write_bytes(content)
    return [Csv(path="t.csv", target=-1), Csv(path="t.csv", target=0, delimiter=";", header=True)]


def _npz(folder: Path, content: bytes) -> Sequence[Source]:
    (folder / "t.npz").write_bytes(content)
    return [Npz(path="t.npz"), Npz(path="t.npz", target_type="labels", indices=True)]


def _npy(folder: Path, content: bytes) -> Sequence[Source]:
    (folder / "t.npy").write_bytes(content)
    (folder / "x.npy").write_bytes(ARRAYS[0])
    (folder / "y.npy").write_bytes(ARRAYS[-1])
    return [Npy(path="t.npy", targets="y.npy"), Npy(path="x.npy", targets="t.npy")]


def _images(folder: Path, content: bytes) -> Sequence[Source]:
    for name, bytes_ in (("cat", PICTURES[0]), ("dog", content)):
        (folder / name).mkdir()
        (folder / name / "t.png").write_bytes(bytes_)
    return [Images(path=".", size=(4, 4), grayscale=True)]


def _idx(folder: Path, content: bytes) -> Sequence[Source]:
    images, labels = PACKED
    sources = []
    for mutant in ("train-images", "train-labels"):
        (folder / mutant).mkdir()
        for name in mnist.FILES.checksums:
            whole = images if "images" in name else labels
            (folder / mutant / name).write_bytes(content if name.startswith(mutant) else whole)
        sources.append(Mnist(path=mutant, validation=2))
    return sources


def _text(folder: Path, content: bytes) -> Sequence[Source]:
    (folder / "t.txt").write_bytes(content)
    return [Text(path="t.txt", length=4), Text(path=".", tokens="words", length=2, vocabulary=5)]


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\nshowpage\n"
CELLS = (
    *(b'"', b",", b"\r", b"\0", b"nan", b"-inf", b"1e999", b"9" * 5000),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b]0;x\x07", b"\xe2\x80\xae"),
)
LITERALS = (b"'|O'", b"True", b"-1", b"10000000000", b"[('a', '<i4')]", b"'<M8[s]'", b"(" * 99)
MARKS = (b"IHDR", b"IDAT", b"\xff\xd8", b"\xff\xda", b"II*\0", b"GIF89a", b"RIFF", POSTSCRIPT)
PACKED = tuple(gzip.compress(numbers, 1, mtime=0) for numbers in NUMBERS)

KINDS = {
    "csv": Kind(TABLES, CELLS, _csv, ".csv", (2,)),
    "npz": Kind(ARCHIVES, (b"PK\x01\x02", b"PK\x05\x06", *LITERALS), _npz, ".npz"),
    "npy": Kind(ARRAYS, LITERALS, _npy, ".npy"),
    "images": Kind(PICTURES, MARKS, _images, ".png", (4, 4, 3)),
    "idx": Kind((*NUMBERS, *PACKED), (b"\x1f\x8b\x08", b"\0\0\x08\x41"), _idx),
    "text": Kind(TEXTS, (b"\r\n", b"\0", b"\xff", b"\xf4\x8f\xbf\xbf", b"\xe2\x80\xae", b"\x1f\x8b"), _text),
}


def all_parts(path: Path, signature: DataSignature) -> list[Part]:
    return list(read_parts(path, signature))


def read(kind: Kind, content: bytes) -> None:
    """Read a file as training does, and where it may be asked about, as prediction does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in kind.sources(folder, content):
            judge(partial(source.signature, folder))
            judge(partial(load_dataset, source, folder, 0))
        if kind.suffix:
            path = folder / f"p{kind.suffix}"
            path.write_bytes(content)
            for dtype in ("real", "uint8"):
                signature = DataSignature(kind.shape, dtype, None, (1,), None)
                judge(partial(all_parts, path, signature))


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
@SHORT
@given(data=st.data())
def test_mutated_files_in_short(name: str, data: st.DataObject) -> None:
    read(KINDS[name], data.draw(mutants(KINDS[name].seeds, KINDS[name].words)))


@pytest.mark.fuzz
@pytest.mark.parametrize("name", KINDS)
@LONG
@given(data=st.data())
def test_mutated_files(name: str, data: st.DataObject) -> None:
    read(KINDS[name], data.draw(mutants(KINDS[name].seeds, KINDS[name].words)))


@pytest.mark.parametrize("name", KINDS)
def test_sound_files_are_read(name: str, tmp_path: Path) -> None:
    """Else the mutants of a format would all be refused at its first byte."""
    for number, content in enumerate(KINDS[name].seeds):
        folder = tmp_path / str(number)
        folder.mkdir()
        reads = [partial(load_dataset, source, folder, 0) for source in KINDS[name].sources(folder, content)]
        assert 0 in map(judge, reads), number
