"""Headers of NumPy's files that are not what they seem: told from a sentence, never from memory or a traceback."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from nnctl.data import limits
from nnctl.data.dataset import load_dataset
from nnctl.data.sources.arrays import Npy, Npz
from nnctl.errors import DataError

LABELS = np.array([0, 1, 0, 1])
INPUTS = np.arange(12.0).reshape(4, 3)


def member(header: str | bytes, data: bytes = b"", version: int = 1) -> bytes:
    text = header if isinstance(header, bytes) else header.encode("latin-1")
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text + data


def header(descr: str = "'<f8'", fortran: str = "False", shape: str = "(4, 3)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


def write(path, inputs: bytes, targets: np.ndarray = LABELS, packing: int = zipfile.ZIP_STORED) -> None:
    saved = io.BytesIO()
    np.save(saved, targets)
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("inputs.npy", inputs)
        archive.writestr("targets.npy", saved.getvalue())


NUMBERS = INPUTS.tobytes()
BROKEN = {
    "promises 10^12 elements": (member(header(shape="(1000000, 1000000)"), NUMBERS), "promises 8,000,000,000,000 b"),
    "promises 10^30 elements": (member(header(shape=f"({10**15}, {10**15})"), NUMBERS), "more numbers than any memory"),
    "a length that is a bool": (member(header(shape="(True, 3)"), NUMBERS), "a header whose shape is none"),
    "a length below 0": (member(header(shape="(-4, 3)"), NUMBERS), "a header whose shape is none"),
    "a shape that is a list": (member(header(shape="[4, 3]"), NUMBERS), "a header whose shape is none"),
    "65 axes": (member(header(shape=f"({'1, ' * 65})"), b"12345678"), "a header whose shape is none: up to 32"),
    "no columns": (member(header(shape="(4, 0)")), r"inputs has shape \(4, 0\): an example holds no number"),
    "no rows": (member(header(shape="(0, 3)")), "inputs is empty"),
    "records": (member(header("[('a', '<f8')]", shape="(4,)"), NUMBERS), "holds records"),
    "objects": (member(header("'|O'", shape="(4,)"), NUMBERS), "Python objects, which are never loaded"),
    "complex numbers": (member(header("'<c16'", shape="(2, 3)"), NUMBERS), "numbers are expected, not complex128"),
    "dates": (member(header("'<M8[s]'"), NUMBERS), "numbers are expected, not datetime64"),
    "an unknown dtype": (member(header("'<f3'"), NUMBERS), "holds <f3, and numbers or text are expected"),
    "text of no bytes": (member(header("'<U0'")), "holds <U0, which takes no bytes"),
    "an order that is a number": (member(header(fortran="1"), NUMBERS), "fortran_order is neither True nor False"),
    "no shape": (member("{'descr': '<f8', 'fortran_order': False}", NUMBERS), "without descr, fortran_order and shape"),
    "no literal": (member("__import__('os')", NUMBERS), "a header that cannot be read"),
    "nested deep": (member("(" * 5000, NUMBERS), "a header that cannot be read"),
    "a header of a gigabyte": (member(header(), NUMBERS, 2).replace(b"\x02\0" + len(header()).to_bytes(4, "little"),
        b"\x02\0\0\0\0\x40"), "a header of 1,073,741,824 characters"),
    "a header that is cut": (member(header())[:20], "ends inside its header"),
    "version 9": (member(header(), NUMBERS, 1).replace(b"Y\x01", b"Y\x09"), r"version 9\.0"),
    "no array": (b"not an array", "is no array of NumPy's"),
    "too few numbers": (member(header(), NUMBERS[:-1]), "promises 96 bytes of numbers, and holds 95"),
    "too many numbers": (member(header(), NUMBERS + b"1"), "promises 96 bytes of numbers, and holds 97"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_header(name, tmp_path):
    content, words = BROKEN[name]
    write(tmp_path / "a.npz", content)
    (tmp_path / "a.npy").write_bytes(content)
    np.save(tmp_path / "y.npy", LABELS)
    for source in (Npz(path="a.npz"), Npy(path="a.npy", targets="y.npy")):
        with pytest.raises(DataError, match=words):
            load_dataset(source, tmp_path, 0)
        with pytest.raises(DataError, match=words):
            source.signature(tmp_path)


def test_a_bomb_is_refused_by_the_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "ALWAYS_UNPACKED", 1 << 20)
    head = member(header("'|u1'", shape="(3000000,)"))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("inputs.npy", "w") as stream:
            stream.write(head)
            stream.write(bytes(3_000_000))
        archive.writestr("targets.npy", head)
    with pytest.raises(DataError, match=r"array 'inputs' unpacks to 2\.9 MiB from .* KiB; .*\n  save it unpacked"):
        Npz(path="a.npz").signature(tmp_path)


def test_packing_that_numpy_does_not_write(tmp_path):
    write(tmp_path / "a.npz", member(header(), NUMBERS), packing=zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match="is packed in a way that numpy does not write"):
        Npz(path="a.npz").signature(tmp_path)


def test_an_array_beyond_what_is_left_of_memory(tmp_path, monkeypatch):
    write(tmp_path / "a.npz", member(header(), NUMBERS))
    monkeypatch.setattr("nnctl.process.memory.available", lambda: 100)
    with pytest.raises(DataError, match=r"a\.npz takes 192 bytes of memory to read, and 100 bytes are left"):
        load_dataset(Npz(path="a.npz", in_memory=True), tmp_path, 0)


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda x: x.astype(">f4"), lambda x: x.astype(np.longdouble), lambda x: x.astype(np.int8)],
    ids=["Fortran", "big-endian", "long double", "int8"],
)
def test_orders_and_widths_of_numbers_make_no_difference(change, tmp_path):
    changed = change(INPUTS)
    np.savez(tmp_path / "a.npz", inputs=changed, targets=LABELS)
    np.save(tmp_path / "a.npy", changed)
    np.save(tmp_path / "y.npy", LABELS)
    for source in (Npz(path="a.npz"), Npy(path="a.npy", targets="y.npy")):
        inputs = load_dataset(source, tmp_path, 0).train.inputs
        assert inputs.tolist() == INPUTS.tolist()
        assert inputs.dtype == np.float32
        assert inputs.flags.c_contiguous


def test_labels_that_are_whole_floats_and_those_that_are_no_number(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=INPUTS, targets=LABELS.astype(float))
    assert load_dataset(Npz(path="a.npz"), tmp_path, 0).signature.classes == ("0", "1")
    np.savez(tmp_path / "b.npz", inputs=INPUTS, targets=np.array([0.0, np.nan, 1.0, 1.0]))
    with pytest.raises(DataError, match=r"label 1 \(counted from 0\) is nan"):
        load_dataset(Npz(path="b.npz", target_type="labels"), tmp_path, 0)


def test_an_index_that_no_embedding_has(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.array([1, 2**63, 3, 4], np.uint64), targets=LABELS)
    with pytest.raises(DataError, match="an index is 9223372036854775808, and they count from 0 to 2,147,483,647"):
        load_dataset(Npz(path="a.npz", indices=True), tmp_path, 0)


@pytest.mark.parametrize("target_type", [None, "labels", "values"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("point", [0xD800, 0x110000, 0x1000000])
def test_text_labels_that_are_no_text(tmp_path, point, order, target_type):
    points = np.array([97, point, 97, 98], f"{order}u4")
    np.savez(tmp_path / "a.npz", inputs=INPUTS, targets=points.view(f"{order}U1"))
    with pytest.raises(DataError, match="no text" if target_type != "values" else "targets"):
        load_dataset(Npz(path="a.npz", target_type=target_type), tmp_path, 0)
