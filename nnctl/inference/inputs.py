"""Inputs of a trained net from tables, arrays and pictures, in parts that fit into memory."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnctl.components.signature import DataSignature
from nnctl.data.formats.precision import as_float32
from nnctl.data.limits import MOST_INDEX
from nnctl.data.paths import IMAGE_SUFFIXES
from nnctl.data.pictures import PictureOptions
from nnctl.data.stored.arrays import Rows
from nnctl.errors import DataError
from nnctl.late import dataclass
from nnctl.training.specs import STDIN

if TYPE_CHECKING:
    from nnctl.data.formats.csv_rows import DelimitedFile, Row
    from nnctl.data.formats.image_folders import LeftOut

ARRAY_SUFFIXES = (".npy", ".npz")
STDIN_NAME = "<stdin>"
"""The name of stdin in messages."""
_PART_ROWS = 16_000
"""Examples in a part at the most: what is done once for a part is little beside them."""
_PART_NUMBERS = 1 << 23
"""Numbers in a part at the most."""

ErrorOf = Callable[[NDArray[Any], int, str], DataError]
"""The error for an example: (its inputs as the net computes with them, its index, message)."""


@dataclass(frozen=True)
class Part:
    """Some examples of one path, in order.

    inputs: (n, *input_shape) as the net reads them. names, indices: of each its file, and its index there.
    last: whether the path has no more of them. kept: cells that are passed through, n a column, by its name.
    steps: of each, where sequences are filled up behind them; None where all are full.
    """

    inputs: NDArray[Any]
    names: Sequence[str]
    indices: Sequence[int]
    last: bool
    error: ErrorOf
    kept: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    steps: NDArray[np.int64] | None = None


def part_rows(signature: DataSignature) -> int:
    """The number of examples that are read and answered at once."""
    return max(1, min(_PART_ROWS, _PART_NUMBERS // math.prod(signature.input_shape)))


def read_parts(
    path: Path,
    signature: DataSignature,
    *,
    pictures: PictureOptions | None = None,
    whole: bool = False,
    filling: float | None = None,
) -> Iterator[Part]:
    """The examples at a path: a .npy, .npz (array `inputs`, or its only one), .csv, .tsv, an image, a folder of images.

    "-" is a table on stdin. A table holds the inputs' columns alone, as numbers, with or without a header. An image is
    resized to the net's. One example without its batch axis, and rows that are flat, are taken as well.
    pictures: how the run read its own, None where it had none. whole: in one part, for nets that read on from one
    example to the next. filling: what fills sequences of arrays up, None where nothing does. Raises DataError.
    """
    rows = part_rows(signature)
    if path.is_dir():
        paths, _ = _pictures(path, pictures)
        step = len(paths) if whole else rows
        for first in range(0, len(paths), step):
            some = paths[first : first + step]
            inputs = np.concatenate([_image(each, signature, pictures) for each in some])
            names = [str(each) for each in some]
            indices = [0] * len(some)
            yield Part(inputs, names, indices, first + step >= len(paths), error_of(inputs, names, indices))
        return
    arrays = _arrays(path, signature, pictures, None if whole else rows, filling)
    first, array = 0, next(arrays)
    while True:
        following = next(arrays, None)
        names, places = [str(path)] * len(array), range(first, first + len(array))
        yield Part(array, names, places, following is None, error_of(array, names, places))
        if following is None:
            return
        first, array = first + len(array), following


def error_of(inputs: Rows, names: Sequence[str], indices: Sequence[int]) -> ErrorOf:
    """The error for an example that is known by its file, and its index there."""

    def error(computed: NDArray[Any], index: int, message: str) -> DataError:
        which = f"example {indices[index]} (counted from 0): " if len(indices) > 1 or indices[index] else ""
        largest = np.ravel(inputs[index : index + 1])[np.argmax(np.abs(np.ravel(computed)))]
        return DataError(f"{names[index]}: {which}{message}\n  the largest of its inputs is {largest:g}")

    return error


def _arrays(
    path: Path, signature: DataSignature, pictures: PictureOptions | None, rows: int | None, filling: float | None
) -> Iterator[NDArray[Any]]:
    """The examples of a file, so many at a time; all if None. At least one array, which may be empty."""
    suffix = path.suffix.lower()
    if path == STDIN or suffix in (".csv", ".tsv", ".txt"):
        for numbers in _table(path, "\t" if suffix == ".tsv" else ",", rows):
            yield shaped(numbers, signature, STDIN_NAME if path == STDIN else str(path))
    elif suffix in IMAGE_SUFFIXES:
        yield _image(path, signature, pictures)
    elif suffix in ARRAY_SUFFIXES:
        array = read_array(path)
        if filling is None:
            array = _batched(array, signature.input_shape)
        else:
            array = _ended(array, filling, signature.input_shape[0], str(path))
        step = len(array) if rows is None else rows
        for first in range(0, max(1, len(array)), max(1, step)):
            yield shaped(array[first : first + step], signature, str(path))
    else:
        from nnctl.data.paths import existing_file

        existing_file(str(path), Path())
        raise DataError(f"{path}: is of no kind that can be read\n  expected .csv, .tsv, .npy, .npz or an image")


def _ended(array: NDArray[Any], filling: float, length: int, name: str) -> NDArray[np.float32]:
    """Sequences of an array, filled up to the net's length as those that it was trained on."""
    from nnctl.data.series.ends import with_ends

    if array.ndim > 1 and array.shape[1] > length:
        raise DataError(f"{name}: sequences have {array.shape[1]:,} steps, and the net reads at most {length:,}")
    return with_ends(array, filling, name, length)


def read_array(path: Path) -> NDArray[Any]:
    """The array of a .npy, or of a .npz the one called `inputs`, or its only one. Raises DataError."""
    from nnctl.data.formats.numpy_files import array_names, read_npy, read_npz

    if path.suffix.lower() == ".npy":
        return read_npy(path)
    names = array_names(path)
    return read_npz(path, {"inputs": names[0] if len(names) == 1 else "inputs"})["inputs"]


def left_out(path: Path, pictures: PictureOptions | None) -> tuple[str, ...]:
    """A sentence on what `read_parts` leaves out of a folder, if it does. Raises DataError."""
    return _pictures(path, pictures)[1].sentences if path.is_dir() else ()


def _pictures(folder: Path, pictures: PictureOptions | None) -> tuple[list[Path], LeftOut]:
    """The pictures in a folder, or where there is none, those of its classes, as training reads them; what is left."""
    from nnctl.data.formats.image_folders import LeftOut, find_pictures, holds_pictures, pictures_in

    nested = pictures is not None and pictures.nested
    if holds_pictures(folder):
        others = LeftOut()
        return pictures_in(folder, others, nested=nested), others
    found = find_pictures(folder, nested=nested)
    return found.listed[0], found.left_out


def _image(path: Path, signature: DataSignature, pictures: PictureOptions | None) -> NDArray[Any]:
    """The picture (1, height, width, channels), by the options of the run's own pictures, resized to the net's size."""
    from nnctl.data.formats.images import bits_of, read_image

    shape = signature.input_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise DataError(f"{path}: is an image, and the net reads examples of shape {shape}")
    image = read_image(path, (pictures or PictureOptions()).fitted(shape))
    bits = 16 if pictures is not None and signature.input_dtype == "real" else 8
    if bits_of(image) != bits:
        raise DataError(
            f"{path} has {bits_of(image)} bits a channel, and the net was not trained on such pictures\n"
            f"  save it with {bits} bits a channel"
        )
    return shaped(image[None], signature, str(path))


def _table(path: Path, delimiter: str, rows: int | None) -> Iterator[NDArray[np.float64]]:
    """Rows of numbers (n, columns), so many at a time; all if None."""
    from nnctl.data.formats.csv_rows import DelimitedFile, blocks
    from nnctl.data.limits import require_columns, require_memory

    stdin = path == STDIN
    file = DelimitedFile(STDIN_NAME, delimiter, _stdin, again=False) if stdin else DelimitedFile.at(path, delimiter)
    found = file.rows()
    top = next(found, None)
    # A header is no example.
    rest = found if top is None or all(_number(cell) is None for cell in top[1]) else chain([top], found)
    columns: int | None = None
    gathered: list[NDArray[np.float64]] = []
    for block in blocks(rest):
        columns = len(block[0][1]) if columns is None else columns
        require_columns(columns, file.name)
        gathered.append(_numbers(file, block, columns))
        if rows is None:
            require_memory(2 * sum(part.nbytes for part in gathered), file.name)
        while rows is not None and sum(map(len, gathered)) > rows:
            joined = np.concatenate(gathered)
            yield joined[:rows]
            gathered = [joined[rows:]]
    if not gathered:
        raise DataError(f"{file.name}: has no row of numbers")
    yield np.concatenate(gathered)


def _stdin() -> BinaryIO:
    # The descriptor is the process's, and stays open.
    return os.fdopen(0, "rb", closefd=False)


def _numbers(file: DelimitedFile, block: list[Row], columns: int) -> NDArray[np.float64]:
    """Numbers (rows, columns), all finite. Raises DataError at the first cell that is none."""
    for row in block:
        if len(row[1]) != columns:
            message = f"{len(row[1])} columns, and the rows before have {columns}"
            raise file.row_error(row, message, "quote a cell that holds the delimiter")
    try:
        numbers = np.array([cells for _, cells in block], dtype=np.float64)
    except ValueError:
        numbers = np.full(1, np.nan)
    if not np.isfinite(numbers).all():
        from nnctl.data.words import cut

        for row in block:
            for column, cell in enumerate(row[1]):
                number = _number(cell)
                if number is None or not math.isfinite(number):
                    what = "not a number" if number is None else "not finite"
                    raise file.cell_error(row, column, f"{cut(cell.strip())!r} is {what}", "a number")
    return numbers


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _batched(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array with its batch axis, which one example may lack."""
    return array[None] if array.shape == shape else array


def shaped(array: NDArray[Any], signature: DataSignature, name: str) -> NDArray[Any]:
    """The examples of an array (n, …) as the net reads them; rows may be flat. Raises DataError where they are none."""
    shape = signature.input_shape
    size = int(np.prod(shape, dtype=np.int64))
    if array.shape[1:] != shape:
        if array.ndim != 2 or array.shape[1] != size:
            raise DataError(f"{name}: an example has shape {array.shape[1:]}, and the net reads {shape}")
        array = array.reshape(-1, *shape)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: numbers are expected, not {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{name}: a value is not finite")
    if signature.input_dtype == "real":
        return as_float32(array, name)
    levels = signature.input_dtype == "uint8"
    # Held against the largest before they are made whole, for a float may be beyond every integer.
    if not np.all((array >= 0) & (array <= (255 if levels else MOST_INDEX)) & (array == np.floor(array))):
        expected = "whole numbers from 0 to 255" if levels else "indices, whole numbers from 0"
        raise DataError(f"{name}: the net reads {expected}, and this holds others")
    return array.astype(np.uint8 if levels else np.int64)
