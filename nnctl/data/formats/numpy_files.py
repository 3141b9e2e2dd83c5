"""Arrays from .npz and .npy files, whole or some rows at a time. No pickle is ever read."""

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
from nnctl.data.limits import require_memory, require_packing
from nnctl.data.opening import open_file
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError

_DAMAGE = (OSError, ValueError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error)
_UNPACKED = "save it unpacked, by numpy.savez"
_CHUNK_BYTES = 1 << 20


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


@contextmanager
def opened_array(path: Path, name: str | None) -> Iterator[tuple[Header, IO[bytes], str]]:
    """An array of a .npy file, or of an archive by its name: (header, stream that stands at the numbers, words for it).

    Raises DataError.
    """
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


def rows_of(stream: IO[bytes], header: Header, what: str) -> Iterator[NDArray[Any]]:
    """The rows of an opened array, some at a time. Raises DataError."""
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
