"""The columns of a table as inputs of a net: fitted to the rows that train, the same for every other row."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nnctl.components.base import Column
from nnctl.components.signature import EmbeddedColumn
from nnctl.data.examples import Description, FittedInputs
from nnctl.data.limits import require_memory
from nnctl.data.stored.arrays import Rows, StoredArray
from nnctl.data.stored.folder import digest_of, entry
from nnctl.data.stored.progress import shown
from nnctl.data.tables.cell_kinds import kind_of
from nnctl.data.tables.cells import Table
from nnctl.data.tables.fitted import FittedColumns
from nnctl.data.tables.stored import StoredColumns
from nnctl.data.words import key, some
from nnctl.late import dataclass

_INPUTS, _FITTED = "inputs.f32", "fitted.json"
_PART_ROWS = 1 << 16
"""Rows encoded at a time."""


@dataclass(frozen=True)
class TableInputs:
    """Inputs from a table, whose columns are not fitted yet; see `nnctl.data.examples.UnfittedInputs`.

    columns: what each column in use is, by name, in the order of the inputs. targets: names of the target columns.
    """

    table: Table
    columns: Mapping[str, Column]
    targets: tuple[str, ...]
    description: Description

    def __len__(self) -> int:
        return len(self.table)

    def of(self, rows: NDArray[np.int64]) -> TableInputs:
        """The same of some rows."""
        return replace(self, table=self.table.take(rows))

    def fit(self, train: NDArray[np.int64]) -> FittedInputs:
        """The inputs, their columns fitted to the rows `train`. Raises DataError."""
        columns = self.table.columns
        inputs: Rows
        if isinstance(columns, StoredColumns):
            inputs, fitted = self._stored(columns, train)
        else:
            fitted = self._fit(train)
            inputs = self._encoded(fitted)
        cells = {name: _cells_of(columns[name].type) for name in (*self.columns, *self.targets)}
        plain = FittedColumns(tuple(columns), self.targets, self.columns, cells, fitted).plain()
        embedded = embedded_in(self.columns, fitted)
        description = replace(self.description.of_shape(inputs.shape[1:]), embedded=embedded)
        return FittedInputs(inputs, description, plain, _constant(self.columns, fitted))

    def _fit(self, train: NDArray[np.int64]) -> dict[str, Any]:
        """The fitted data of each column, from the training rows."""
        return {name: column.fit(self.table.cells(name).take(train)) for name, column in self.columns.items()}

    def _encoded(self, fitted: Mapping[str, Any]) -> NDArray[np.float32]:
        """The inputs in memory."""
        shape = (len(self), width_of(self.columns, fitted))
        require_memory(4 * math.prod(shape), f"{self.table.place.name}: {shape[1]:,} inputs of {shape[0]:,} rows")
        inputs = np.empty(shape, dtype=np.float32)
        first = 0
        for part in self._parts(fitted):
            inputs[first : first + len(part)] = part
            first += len(part)
        return inputs

    def _stored(self, columns: StoredColumns, train: NDArray[np.int64]) -> tuple[StoredArray, dict[str, Any]]:
        """(the inputs on disk, what the training rows teach), made once for these rows and columns."""
        rows = hashlib.sha256(np.ascontiguousarray(train).data).hexdigest()
        digest = digest_of([], {"table": columns.digest, "columns": repr(dict(self.columns)), "fitted_to": rows})

        def make(folder: Path) -> None:
            fitted = self._fit(train)
            (folder / _FITTED).write_text(json.dumps(fitted), encoding="utf-8")
            with (folder / _INPUTS).open("wb") as file:
                what = f"keeping the inputs of {self.table.place.name}"
                for part in shown(self._parts(fitted), what, len(self), "rows"):
                    file.write(memoryview(cast(Any, part)).cast("B"))

        folder = entry(digest, self.table.place.name, "inputs", make)
        # Arrow keeps what it has read for the next time.
        pa.default_memory_pool().release_unused()
        fitted = json.loads((folder / _FITTED).read_text(encoding="utf-8"))
        return StoredArray(folder / _INPUTS, (len(self), width_of(self.columns, fitted)), np.float32), fitted

    def _parts(self, fitted: Mapping[str, Any]) -> Iterator[NDArray[np.float32]]:
        for part in self.table.parts(_PART_ROWS, list(self.columns)):
            yield encode(part, self.columns, fitted)


def _cells_of(type_: pa.DataType) -> str:
    """The kind of cells that another table's column must have: numbers may have decimals there."""
    kind = kind_of(type_)
    return "real" if kind == "whole" else kind


def embedded_in(columns: Mapping[str, Column], fitted: Mapping[str, Any]) -> tuple[EmbeddedColumn, ...]:
    """The columns whose input is the index of a trained vector."""
    found, position = [], 0
    for name, column in columns.items():
        if (vectors := column.embedded(fitted[name])) is not None:
            found.append(EmbeddedColumn(position, name, *vectors))
        position += len(column.features(name, fitted[name]))
    return tuple(found)


def width_of(columns: Mapping[str, Column], fitted: Mapping[str, Any]) -> int:
    """The number of inputs that columns become."""
    return sum(len(column.features(name, fitted[name])) for name, column in columns.items())


def encode(table: Table, columns: Mapping[str, Column], fitted: Mapping[str, Any]) -> NDArray[np.float32]:
    """Inputs (n, features) of a table's rows, by what `Column.fit` gave of each column. Raises DataError."""
    inputs = np.empty((len(table), width_of(columns, fitted)), dtype=np.float32)
    position = 0
    for name, column in columns.items():
        part = column.encode(table.cells(name), fitted[name])
        inputs[:, position : position + part.shape[1]] = part
        position += part.shape[1]
    return inputs


def _constant(columns: Mapping[str, Column], fitted: Mapping[str, Any]) -> tuple[str, ...]:
    """Advice where columns are the same in every training row."""
    found = [name for name, column in columns.items() if column.constant(fitted[name])]
    if not found:
        return ()
    which = f"column {found[0]!r} is" if len(found) == 1 else f"columns {some(found)} are"
    say = ", ".join(f"{key(name)}: ignore" for name in found[:3])
    return (f"{which} the same in every training row, which teaches nothing: under data.columns, say {say}",)
