"""Arrays from .npz and .npy files, and examples from such arrays. No pickle is ever read."""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from nnctl.data.formats.array_headers import MAGIC, Header, read_header
from nnctl.data.formats.precision import as_float32
from nnctl.data.labels import decide, encode
from nnctl.data.limits import MOST_INDEX, require_memory, require_packing
from nnctl.data.opening import open_file
from nnctl.data.source import Description, Examples, TargetType
from nnctl.data.stored.arrays import LazyRows, Rows, StoredArray
from nnctl.data.stored.folder import digest_of, entry
from nnctl.data.stored.progress import shown
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError

_DAMAGE = (OSError, ValueError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error)
_UNPACKED = "save it unpacked, by numpy.savez"
_CHUNK_BYTES = 1 << 20
_STORED = "inputs"


def read_npz(path: Path, names: Mapping[str, str], outlines: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Arrays of an archive; `names`: role → name in the archive.

    Of the roles in `outlines` only shape and type are read; the array's numbers mean nothing then.
    What the others take is known, and held against what is left, before one is read. Raises DataError.
    """
    with _archive(path) as archive:
        members = {role: _member(archive, role, name, path) for role, name in names.items()}
        headers = {role: _header(archive, member, path) for role, member in members.items()}
        read = {role: header for role, header in headers.items() if role not in outlines}
        require_memory(sum(_taken(header) for header in read.values()), str(path))
        arrays = {}
        for role, header in headers.items():
            if role in outlines:
                arrays[role] = np.broadcast_to(np.zeros((), header.dtype), header.shape)
            else:
                arrays[role] = _array(archive, members[role], header, path)
        return arrays


def array_names(path: Path) -> list[str]:
    """Names of the arrays in an archive. Raises DataError."""
    with _archive(path) as archive:
        return _names(archive)


def read_npy(path: Path, *, outline: bool = False) -> NDArray[Any]:
    """The array of a .npy file, mapped into memory; as an outline only its shape and type. Raises DataError."""
    with open_file(path) as file:
        header = _npy_header(file, path)
        if outline:
            return np.broadcast_to(np.zeros((), header.dtype), header.shape)
        order: Literal["C", "F"] = "F" if header.fortran else "C"
        if not header.data_bytes:
            return np.empty(header.shape, header.dtype, order)
        require_memory(_taken(header), str(path))
        try:
            return np.memmap(file, header.dtype, "r", header.size, header.shape, order)
        except _DAMAGE as error:
            raise DataError(f"{path} cannot be read: {error}") from error


def stored_inputs(path: Path, name: str | None, indices: bool) -> StoredArray:
    """The inputs in a .npy file, or in an archive under a name, as they enter the feed, on disk.

    A file that has them in that form is read where it lies; else they are converted once, into the folder of kept
    data. Raises DataError.
    """
    with _stream(path, name) as (header, stream, what):
        if header.fortran and len(header.shape) > 1:
            raise DataError(f"{what} is in Fortran order and does not fit into memory\n  save it in C order")
        dtype = _input_dtype(np.empty(0, header.dtype), indices, what)
        shape = header.shape if len(header.shape) > 1 else (*header.shape, 1)
        if name is None and header.dtype == dtype and not indices:
            return StoredArray(path, shape, dtype, header.size)

        def make(folder: Path) -> None:
            with (folder / _STORED).open("wb") as file:
                for piece in shown(_pieces(stream, header, what), f"keeping {what}", header.shape[0], "rows"):
                    file.write(np.ascontiguousarray(_inputs(piece, indices, what)).data)

        said = {"array": name, "indices": indices}
        folder = entry(digest_of([path], said), f"{path}" if name is None else f"{path}:{name}", "inputs", make)
    return StoredArray(folder / _STORED, shape, dtype)


@contextmanager
def _stream(path: Path, name: str | None) -> Iterator[tuple[Header, IO[bytes], str]]:
    """(header, the stream that stands at the numbers, words for it) of an array."""
    if name is None:
        with open_file(path) as file:
            yield _npy_header(file, path), file, str(path)
        return
    with _archive(path) as archive:
        member = _member(archive, "inputs", name, path)
        header = _header(archive, member, path)
        with archive.open(member) as stream:
            stream.read(header.size)
            yield header, stream, f"{path}, array {name!r}"


def _pieces(stream: IO[bytes], header: Header, what: str) -> Iterator[NDArray[Any]]:
    """The rows of an array, some at a time."""
    each = header.dtype.itemsize * math.prod(header.shape[1:])
    step = max(1, _CHUNK_BYTES // each)
    for first in range(0, header.shape[0], step):
        count = min(step, header.shape[0] - first)
        try:
            numbers = stream.read(count * each)
        except _DAMAGE as error:
            raise DataError(f"{what}: {error}") from error
        if len(numbers) < count * each:
            raise DataError(f"{what} ends before its last row")
        yield np.frombuffer(numbers, header.dtype).reshape(count, *header.shape[1:])


def _npy_header(file: BinaryIO, path: Path) -> Header:
    """The header of a .npy file, whose length is what it promises; the file then stands at the numbers."""
    if file.read(2) == b"PK":
        raise DataError(f"{path} is an archive of arrays: use type: npz")
    file.seek(0)
    header = read_header(file, str(path))
    there = os.fstat(file.fileno()).st_size - header.size
    if there != header.data_bytes:
        raise DataError(f"{path} promises {header.data_bytes:,} bytes of numbers, and holds {there:,}")
    return header


def _taken(header: Header) -> int:
    """Bytes that an array takes, and what is made of it: numbers of four bytes, or labels of eight."""
    return header.data_bytes + 8 * math.prod(header.shape)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    with open_file(path) as file:
        if file.read(len(MAGIC)) == MAGIC:
            raise DataError(f"{path} holds one array and no archive: use type: npy")
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise DataError(f"{path} is no .npz archive that can be read: {error}") from error
        with archive:
            yield archive


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _member(archive: zipfile.ZipFile, role: str, name: str, path: Path) -> zipfile.ZipInfo:
    """The member of an array that is sound as far as the archive's directory tells. Raises DataError."""
    names = _names(archive)
    if name not in names:
        near = nearest(name, names)
        hint = f"did you mean {role}: {near}?" if near else f"say {role}: NAME"
        raise DataError(f"{path} has no array {cut(name)!r}; it has {some(names)}\n  {hint}")
    member = archive.getinfo(f"{name}.npy")
    what = f"{path}, array {name!r}"
    if member.flag_bits & 1:
        raise DataError(f"{what}: is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{what}: is packed in a way that numpy does not write\n  {_UNPACKED}")
    require_packing(member.file_size, member.compress_size, what, _UNPACKED)
    return member


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Header:
    what = f"{path}, array {member.filename.removesuffix('.npy')!r}"
    try:
        with archive.open(member) as stream:
            header = read_header(stream, what)
    except _DAMAGE as error:
        raise DataError(f"{what}: {error}") from error
    there = member.file_size - header.size
    if there != header.data_bytes:
        raise DataError(f"{what} promises {header.data_bytes:,} bytes of numbers, and holds {there:,}")
    return header


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, header: Header, path: Path) -> NDArray[Any]:
    try:
        with archive.open(member) as stream:
            stream.read(header.size)
            array = np.empty(math.prod(header.shape), header.dtype)
            memory = array.view(np.uint8).data
            filled = 0
            while chunk := stream.read(_CHUNK_BYTES):
                memory[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
    except _DAMAGE as error:
        raise DataError(f"{path}, array {member.filename.removesuffix('.npy')!r}: {error}") from error
    return array.reshape(header.shape, order="F" if header.fortran else "C")


def describe(
    arrays: Mapping[str, NDArray[Any]],
    *,
    indices: bool,
    target_type: TargetType | None,
    path: str,
    ignored: int | None = None,
) -> Description:
    """The description that `assemble` would give, from the shape and type of the inputs alone. Raises DataError."""
    _check_rows(arrays, path)
    inputs = arrays["inputs"]
    stepwise = _stepwise(inputs, arrays["targets"], target_type, ignored)
    targets, names = _targets(arrays["targets"], target_type, f"{path}, targets", None, stepwise, ignored)
    dtype = _input_dtype(inputs, indices, f"{path}, inputs")
    examples = len(inputs) + len(arrays.get("test_inputs", ()))
    return _description(inputs.shape, dtype, targets, names, examples)


def assemble(
    arrays: Mapping[str, Rows],
    *,
    indices: bool,
    target_type: TargetType | None,
    path: str,
    ignored: int | None = None,
) -> Examples:
    """Examples from arrays by role: inputs, targets, and where there are some weights, each also with test_ before it.

    Inputs may be stored ones. ignored: a label that need not occur, the last class where it does not. Raises DataError.
    """
    _check_rows(arrays, path)
    inputs = _kept_inputs(arrays["inputs"], indices, f"{path}, inputs")
    stepwise = _stepwise(inputs, arrays["targets"][:], target_type, ignored)
    targets, names = _targets(arrays["targets"][:], target_type, f"{path}, targets", None, stepwise, ignored)
    weights, test_weights = (arrays[role][:] if role in arrays else None for role in ("weights", "test_weights"))
    if "test_inputs" not in arrays:
        description = _description(inputs.shape, inputs.dtype, targets, names, len(inputs))
        return Examples(description, inputs, targets, weights=weights)
    test_inputs = _kept_inputs(arrays["test_inputs"], indices, f"{path}, test inputs")
    kind: TargetType = "values" if names is None else "labels"
    test_targets, _ = _targets(arrays["test_targets"][:], kind, f"{path}, test targets", names, stepwise, ignored)
    for what, train, test in (("inputs", inputs, test_inputs), ("targets", targets, test_targets)):
        if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
            raise DataError(
                f"{path}: an example's {what} are {train.dtype} {train.shape[1:]} in the training set "
                f"and {test.dtype} {test.shape[1:]} in the test set"
            )
    description = _description(inputs.shape, inputs.dtype, targets, names, len(inputs) + len(test_inputs))
    return Examples(description, inputs, targets, test_inputs, test_targets, weights=weights, test_weights=test_weights)


def _check_rows(arrays: Mapping[str, Rows], path: str) -> None:
    for role, array in arrays.items():
        if array.ndim == 0:
            raise DataError(f"{path}: {role} is a single number, and one row an example is expected")
        if not len(array):
            raise DataError(f"{path}: {role} is empty")
        if 0 in array.shape:
            raise DataError(f"{path}: {role} has shape {array.shape}: an example holds no number")


def _description(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    targets: NDArray[Any],
    names: tuple[str, ...] | None,
    examples: int,
) -> Description:
    return Description(
        # A vector of numbers is one feature an example.
        input_shape=shape[1:] or (1,),
        input_dtype="index" if dtype == np.int64 else "uint8" if dtype == np.uint8 else "real",
        classes=names,
        target_shape=targets.shape[1:],
        examples=examples,
    )


def _input_dtype(array: NDArray[Any], indices: bool, what: str) -> np.dtype[Any]:
    """The stored type of the inputs: int64 for indices, else uint8 or float32."""
    if indices and array.dtype.kind not in "iu":
        raise DataError(f"{what}: indices: true wants integers, not {array.dtype}")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what}: numbers are expected, not {array.dtype}")
    if indices:
        return np.dtype(np.int64)
    return np.dtype(np.uint8 if array.dtype == np.uint8 else np.float32)


def _kept_inputs(array: Rows, indices: bool, what: str) -> Rows:
    return array if isinstance(array, LazyRows) else _inputs(array, indices, what)


def _inputs(array: NDArray[Any], indices: bool, what: str) -> NDArray[Any]:
    dtype = _input_dtype(array, indices, what)
    if array.ndim == 1:
        array = array[:, None]
    if dtype == np.float32:
        return as_float32(array, what)
    if indices and not 0 <= array.min() <= array.max() <= MOST_INDEX:
        wrong = array.min() if array.min() < 0 else array.max()
        raise DataError(f"{what}: an index is {wrong}, and they count from 0 to {MOST_INDEX:,} at the most")
    return array.astype(dtype, order="C", copy=False)


def _stepwise(inputs: Rows, targets: NDArray[Any], target_type: TargetType | None, ignored: int | None) -> bool:
    """True of labels (n, time) of inputs (n, time, …), where the spec says that they are labels."""
    said = target_type == "labels" or (ignored is not None and target_type is None)
    steps = targets.ndim == 2 and targets.shape[1] > 1 and targets.shape == inputs.shape[:2]
    return said and steps and targets.dtype.kind in "biuU"


def _targets(
    array: NDArray[Any],
    target_type: TargetType | None,
    what: str,
    names: tuple[str, ...] | None,
    stepwise: bool,
    ignored: int | None,
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    if stepwise or decide(array, target_type, what) == "labels":
        labels, found = encode(np.asarray(array).reshape(-1), names)
        if ignored is not None and str(ignored) not in found:
            # A test set may have it, where the training set has none.
            found = (*found, str(ignored))
        return labels.reshape(array.shape if stepwise else len(array)), found
    return as_float32(array.reshape(len(array), -1) if array.ndim == 1 else array, what), None
