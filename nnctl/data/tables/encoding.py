"""The columns of a table as inputs of a net: fitted to the rows that train, the same for every other row."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nnctl.components.base import Column
from nnctl.components.signature import EmbeddedColumn
from nnctl.data.examples import Description, Fitted
from nnctl.data.limits import require_memory
from nnctl.data.stored.arrays import Rows, StoredArray
from nnctl.data.stored.folder import digest_of, entry
from nnctl.data.stored.progress import shown
from nnctl.data.tables.cell_kinds import kind_of
from nnctl.data.tables.cells import Table
from nnctl.data.tables.fitted import FittedColumns
from nnctl.data.tables.stored import StoredColumns
from nnctl.data.words import key, some

_INPUTS, _LEARNED = "inputs.f32", "learned.json"
_PART_ROWS = 1 << 16
"""Rows encoded at a time."""


@dataclass(frozen=True)
class TableInputs:
    """Inputs from a table, whose columns are not fitted yet; see `nnctl.data.examples.Unfitted`.

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

    def fit(self, train: NDArray[np.int64]) -> Fitted:
        """The inputs, their columns fitted to the rows `train`. Raises DataError."""
        columns = self.table.columns
        inputs: Rows
        if isinstance(columns, StoredColumns):
            inputs, kept = self._stored(columns, train)
        else:
            kept = self._learned(train)
            inputs = self._encoded(kept)
        cells = {name: _cells_of(columns[name].type) for name in (*self.columns, *self.targets)}
        fitted = FittedColumns(tuple(columns), self.targets, self.columns, cells, kept)
        embedded = embedded_in(self.columns, kept)
        description = replace(self.description.of_shape(inputs.shape[1:]), embedded=embedded)
        return Fitted(inputs, description, fitted.plain(), _constant(self.columns, kept))

    def _learned(self, train: NDArray[np.int64]) -> dict[str, Any]:
        """The lessons of the training rows, by column."""
        return {name: column.fit(self.table.cells(name).take(train)) for name, column in self.columns.items()}

    def _encoded(self, kept: Mapping[str, Any]) -> NDArray[np.float32]:
        """The inputs in memory."""
        shape = (len(self), width_of(self.columns, kept))
        require_memory(4 * math.prod(shape), f"{self.table.place.name}: {shape[1]:,} inputs of {shape[0]:,} rows")
        inputs = np.empty(shape, dtype=np.float32)
        first = 0
        for part in self._parts(kept):
            inputs[first : first + len(part)] = part
            first += len(part)
        return inputs

    def _stored(self, columns: StoredColumns, train: NDArray[np.int64]) -> tuple[StoredArray, dict[str, Any]]:
        """(the inputs on disk, what the training rows teach), made once for these rows and columns."""
        rows = hashlib.sha256(np.ascontiguousarray(train).data).hexdigest()
        digest = digest_of([], {"table": columns.digest, "columns": repr(dict(self.columns)), "train": rows})

        def make(folder: Path) -> None:
            kept = self._learned(train)
            (folder / _LEARNED).write_text(json.dumps(kept), encoding="utf-8")
            with (folder / _INPUTS).open("wb") as file:
                what = f"keeping the inputs of {self.table.place.name}"
                for part in shown(self._parts(kept), what, len(self), "rows"):
                    file.write(memoryview(cast(Any, part)).cast("B"))

        folder = entry(digest, self.table.place.name, "inputs", make)
        # Arrow keeps what it has read for the next time.
        pa.default_memory_pool().release_unused()
        kept = json.loads((folder / _LEARNED).read_text(encoding="utf-8"))
        return StoredArray(folder / _INPUTS, (len(self), width_of(self.columns, kept)), np.float32), kept

    def _parts(self, kept: Mapping[str, Any]) -> Iterator[NDArray[np.float32]]:
        for part in self.table.parts(_PART_ROWS, list(self.columns)):
            yield encode(part, self.columns, kept)


def _cells_of(type_: pa.DataType) -> str:
    """The kind of cells that another table's column must have: numbers may have decimals there."""
    kind = kind_of(type_)
    return "real" if kind == "whole" else kind


def embedded_in(columns: Mapping[str, Column], kept: Mapping[str, Any]) -> tuple[EmbeddedColumn, ...]:
    """The columns whose input is the index of a trained vector."""
    found, position = [], 0
    for name, column in columns.items():
        if (vectors := column.embedded(kept[name])) is not None:
            found.append(EmbeddedColumn(position, name, *vectors))
        position += len(column.features(name, kept[name]))
    return tuple(found)


def width_of(columns: Mapping[str, Column], kept: Mapping[str, Any]) -> int:
    """The number of inputs that columns become."""
    return sum(len(column.features(name, kept[name])) for name, column in columns.items())


def encode(table: Table, columns: Mapping[str, Column], kept: Mapping[str, Any]) -> NDArray[np.float32]:
    """Inputs (n, features) of a table's rows, by what the columns' `fit` gave. Raises DataError."""
    inputs = np.empty((len(table), width_of(columns, kept)), dtype=np.float32)
    position = 0
    for name, column in columns.items():
        part = column.encode(table.cells(name), kept[name])
        inputs[:, position : position + part.shape[1]] = part
        position += part.shape[1]
    return inputs


def _constant(columns: Mapping[str, Column], kept: Mapping[str, Any]) -> tuple[str, ...]:
    """Advice where columns are the same in every training row."""
    found = [name for name, column in columns.items() if column.constant(kept[name])]
    if not found:
        return ()
    which = f"column {found[0]!r} is" if len(found) == 1 else f"columns {some(found)} are"
    say = ", ".join(f"{key(name)}: ignore" for name in found[:3])
    return (f"{which} the same in every training row, which teaches nothing: under data.columns, say {say}",)
