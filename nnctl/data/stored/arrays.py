"""Rows of examples that are read as they are asked for, and arrays in files, larger than memory where they must be."""

from __future__ import annotations

import math
import mmap
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, TypeAlias, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nnctl.data.limits import require_memory
from nnctl.data.opening import unreadable
from nnctl.errors import DataError

_PIECE_BYTES = 1 << 24
"""Bytes that are read at a time, 16 MiB: what lies between reads is all that stays in memory."""
_STRETCH_BYTES = 1 << 26
"""Bytes of a file that may be mapped at a time while rows are gathered from it, 64 MiB."""


class LazyRows(ABC):
    """Rows (n, …) that are arrays only when some are asked for: indexed by slices and by arrays of rows."""

    dtype: np.dtype[Any]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(n, …)."""

    @abstractmethod
    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[Any]: ...

    @abstractmethod
    def of(self, rows: NDArray[np.int64]) -> Self:
        """The same rows at these indices; nothing is read."""

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the rows take as an array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]


class StoredArray(LazyRows):
    """An array (n, …) in a file, or some of its rows; indexed by slices and by arrays of rows, it gives arrays.

    The file holds rows one after the other, in C order and this machine's byte order, from `offset` on. What was read
    does not stay in this process's memory. The system keeps it for as long as nobody else wants the memory.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], dtype: DTypeLike, offset: int = 0, rows: NDArray[Any] | None = None
    ) -> None:
        self.path, self.dtype = path, np.dtype(dtype)
        self._whole, self._offset, self._rows = shape, offset, rows
        size = offset + math.prod(shape) * self.dtype.itemsize
        try:
            with path.open("rb") as file:
                if file.seek(0, 2) < size:
                    raise DataError(f"{path} holds fewer bytes than {shape[0]:,} rows take: it was cut, or changed")
                self._mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        except OSError as error:
            raise unreadable(path, error) from error
        self._view: NDArray[Any] = np.frombuffer(self._mapping, self.dtype, math.prod(shape), offset).reshape(shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, …)."""
        return self._whole if self._rows is None else (len(self._rows), *self._whole[1:])

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[Any]:
        if isinstance(rows, slice):
            first, stop, step = rows.indices(len(self))
            if step != 1:
                raise IndexError("rows on disk are read one after the other")
            if self._rows is None:
                return self._run(first, max(first, stop))
            return self._gather(self._rows[first:stop])
        return self._gather(rows if self._rows is None else self._rows[rows])

    def of(self, rows: NDArray[np.int64]) -> Self:
        """See `LazyRows`."""
        chosen = rows if self._rows is None else self._rows[rows]
        return type(self)(self.path, self._whole, self.dtype, self._offset, chosen)

    def _run(self, first: int, stop: int) -> NDArray[Any]:
        """Neighbouring rows, which the system reads ahead."""
        rows = np.empty((stop - first, *self._whole[1:]), self.dtype)
        each = self._view.strides[0]
        step = _rows_in(self._whole, self.dtype)
        for start in range(first, stop, step):
            end = min(start + step, stop)
            begin = (self._offset + start * each) // mmap.PAGESIZE * mmap.PAGESIZE
            self._advise("MADV_WILLNEED", begin, self._offset + end * each - begin)
            rows[start - first : end - first] = self._view[start:end]
            self._advise("MADV_DONTNEED")
        return rows

    def _gather(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows of the file in any order."""
        gathered = np.empty((len(rows), *self._whole[1:]), self.dtype)
        # In the order of the file: with a page the system maps its neighbours, where other rows of these lie.
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        stretches = ordered * self._view.strides[0] // _STRETCH_BYTES
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(stretches)) + 1):
            gathered[order[part]] = self._view[ordered[part]]
            self._advise("MADV_DONTNEED")
        return gathered

    def _advise(self, name: str, *where: int) -> None:
        """Tell the system what is wanted of the mapping next, where it takes such advice."""
        if hasattr(mmap, name):
            self._mapping.madvise(getattr(mmap, name), *where)


Rows: TypeAlias = NDArray[Any] | LazyRows
"""Examples as an array, or as rows on disk or windows over a series. `[slice]` and `[indices]` give arrays of each."""


def pieces_of(rows: Rows, of: int = 1) -> Iterator[NDArray[Any]]:
    """Rows in order, in arrays of bounded size. of: their lengths are multiples of it, but for the last."""
    step = of * max(1, _rows_in(rows.shape, rows.dtype) // of)
    for first in range(0, len(rows), step):
        yield rows[first : first + step]


@overload
def chosen(rows: NDArray[Any], indices: NDArray[np.int64]) -> NDArray[Any]: ...
@overload
def chosen(rows: Rows, indices: NDArray[np.int64]) -> Rows: ...
def chosen(rows: Rows, indices: NDArray[np.int64]) -> Rows:
    """Rows by increasing indices; a view where they are in memory and consecutive, for images are large."""
    if isinstance(rows, LazyRows):
        return rows.of(indices)
    first, last = int(indices[0]), int(indices[-1])
    return rows[first : last + 1] if last - first + 1 == len(indices) else rows[indices]


def in_memory(rows: Rows, what: str) -> NDArray[Any]:
    """The rows as one array, for what needs them together. Raises DataError where they do not fit."""
    if isinstance(rows, LazyRows):
        require_memory(rows.nbytes, what)
    return rows[:]


def equal(one: Rows, other: Rows) -> bool:
    """True where both hold the same rows in the same order."""
    return one.shape == other.shape and all(map(np.array_equal, pieces_of(one), pieces_of(other)))


def _rows_in(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """The number of rows in a piece."""
    return max(1, _PIECE_BYTES // max(1, math.prod(shape[1:]) * dtype.itemsize))
