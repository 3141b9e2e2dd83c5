"""Arrays as inputs: the types that they enter the feed in, in memory or on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.formats.numpy_files import opened_array, rows_of
from nnctl.data.formats.precision import as_float32
from nnctl.data.limits import MOST_INDEX
from nnctl.data.stored.arrays import StoredArray
from nnctl.data.stored.folder import digest_of, entry
from nnctl.data.stored.progress import shown
from nnctl.errors import DataError

_STORED = "inputs"
"""The name of the file in an entry of the folder of kept data."""


def input_dtype(array: NDArray[Any], indices: bool, what: str) -> np.dtype[Any]:
    """The type that inputs enter the feed in: int64 for indices, else uint8 or float32. Raises DataError."""
    if indices and array.dtype.kind not in "iu":
        raise DataError(f"{what}: indices: true wants integers, not {array.dtype}")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what}: numbers are expected, not {array.dtype}")
    if indices:
        return np.dtype(np.int64)
    return np.dtype(np.uint8 if array.dtype == np.uint8 else np.float32)


def as_inputs(array: NDArray[Any], indices: bool, what: str) -> NDArray[Any]:
    """An array as it enters the feed, (n, …), a vector as one feature an example. Raises DataError."""
    dtype = input_dtype(array, indices, what)
    if array.ndim == 1:
        array = array[:, None]
    if dtype == np.float32:
        return as_float32(array, what)
    if indices and not 0 <= array.min() <= array.max() <= MOST_INDEX:
        wrong = array.min() if array.min() < 0 else array.max()
        raise DataError(f"{what}: an index is {wrong}, and they count from 0 to {MOST_INDEX:,} at the most")
    return array.astype(dtype, order="C", copy=False)


def stored_inputs(path: Path, name: str | None, indices: bool) -> StoredArray:
    """The inputs in a .npy file, or in an archive under a name, as they enter the feed, on disk.

    A file that has them in that form is read where it lies; else they are converted once, into the folder of kept
    data. Raises DataError.
    """
    with opened_array(path, name) as (header, stream, what):
        if header.fortran and len(header.shape) > 1:
            raise DataError(f"{what} is in Fortran order and does not fit into memory\n  save it in C order")
        dtype = input_dtype(np.empty(0, header.dtype), indices, what)
        shape = header.shape if len(header.shape) > 1 else (*header.shape, 1)
        if name is None and header.dtype == dtype and not indices:
            return StoredArray(path, shape, dtype, header.size)

        def make(folder: Path) -> None:
            with (folder / _STORED).open("wb") as file:
                for piece in shown(rows_of(stream, header, what), f"keeping {what}", header.shape[0], "rows"):
                    file.write(np.ascontiguousarray(as_inputs(piece, indices, what)).data)

        said = {"array": name, "indices": indices}
        folder = entry(digest_of([path], said), f"{path}" if name is None else f"{path}:{name}", "inputs", make)
    return StoredArray(folder / _STORED, shape, dtype)
