"""The columns of a table as inputs of a net: fitted to the rows that train, the same for every other row."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Column
from nnctl.components.registry import components
from nnctl.data.limits import require_memory
from nnctl.data.source import Description, Fitted
from nnctl.data.stored.arrays import Rows, StoredArray
from nnctl.data.stored.folder import digest_of, entry
from nnctl.data.stored.progress import shown
from nnctl.data.tables.cells import Table
from nnctl.data.tables.stored import StoredColumns
from nnctl.data.words import some
from nnctl.errors import DataError

_INPUTS, _LEARNED = "inputs.f32", "learned.json"
_PART_ROWS = 1 << 16
"""Rows encoded at a time."""


@dataclass(frozen=True)
class FittedColumn:
    """A column and what it learned of the training rows."""

    column: Column
    learned: Mapping[str, Any]

    @classmethod
    def of_data(cls, kept: Mapping[str, Any]) -> FittedColumn:
        """The column that `as_data` gave."""
        said = {name: tuple(v) if isinstance(v, list) else v for name, v in kept["column"].items() if name != "type"}
        return cls(components("column")[kept["column"]["type"]](**said), kept["learned"])

    @property
    def as_data(self) -> dict[str, Any]:
        """The column as plain data: its type with the fields that are not the default, and its lesson."""
        column = cast(Any, self.column)
        said = {f.name: value for f in fields(column) if (value := getattr(column, f.name)) != f.default}
        return {"column": {"type": column.type, **said}, "learned": dict(self.learned)}


def fitted_columns(kept: Mapping[str, Any]) -> dict[str, FittedColumn]:
    """The columns of a trained net by name, in the order of its inputs, from `Fitted.kept` of a table."""
    return {name: FittedColumn.of_data(column) for name, column in kept["columns"].items()}


@dataclass(frozen=True)
class TableInputs:
    """Inputs from a table, whose columns are not fitted yet; see `nnctl.data.source.Unfitted`.

    columns: what each column in use is, by name, in the order of the inputs.
    """

    table: Table
    columns: Mapping[str, Column]
    description: Description

    def __len__(self) -> int:
        return len(self.table)

    def fit(self, train: NDArray[np.int64]) -> Fitted:
        """The inputs, their columns fitted to the rows `train`. Raises DataError."""
        columns = self.table.columns
        inputs: Rows
        if isinstance(columns, StoredColumns):
            inputs, fitted = self._stored(columns, train)
        else:
            fitted = self._fitted(train)
            inputs = self._encoded(fitted)
        description = self.description.of_shape(inputs.shape[1:])
        kept = {"columns": {name: column.as_data for name, column in fitted.items()}}
        return Fitted(inputs, description, kept, _constant(fitted))

    def _fitted(self, train: NDArray[np.int64]) -> dict[str, FittedColumn]:
        """The columns with the lessons of the training rows."""
        return {
            name: FittedColumn(column, column.fit(self.table.cells(name).take(train)))
            for name, column in self.columns.items()
        }

    def _encoded(self, fitted: Mapping[str, FittedColumn]) -> NDArray[np.float32]:
        """The inputs in memory."""
        shape = (len(self), width_of(fitted))
        require_memory(4 * math.prod(shape), f"{self.table.place.name}: {shape[1]:,} inputs of {shape[0]:,} rows")
        inputs = np.empty(shape, dtype=np.float32)
        first = 0
        for part in self._parts(fitted):
            inputs[first : first + len(part)] = part
            first += len(part)
        return inputs

    def _stored(
        self, columns: StoredColumns, train: NDArray[np.int64]
    ) -> tuple[StoredArray, dict[str, FittedColumn]]:
        """(the inputs on disk, the fitted columns), made once for these rows and columns."""
        rows = hashlib.sha256(np.ascontiguousarray(train).data).hexdigest()
        digest = digest_of([], {"table": columns.digest, "columns": repr(dict(self.columns)), "train": rows})

        def make(folder: Path) -> None:
            fitted = self._fitted(train)
            kept = {name: column.as_data for name, column in fitted.items()}
            (folder / _LEARNED).write_text(json.dumps(kept), encoding="utf-8")
            with (folder / _INPUTS).open("wb") as file:
                what = f"keeping the inputs of {self.table.place.name}"
                for part in shown(self._parts(fitted), what, len(self), "rows"):
                    file.write(memoryview(cast(Any, part)).cast("B"))

        folder = entry(digest, self.table.place.name, "inputs", make)
        fitted = fitted_columns({"columns": json.loads((folder / _LEARNED).read_text(encoding="utf-8"))})
        return StoredArray(folder / _INPUTS, (len(self), width_of(fitted)), np.float32), fitted

    def _parts(self, fitted: Mapping[str, FittedColumn]) -> Iterator[NDArray[np.float32]]:
        for part in self.table.parts(_PART_ROWS, list(fitted)):
            yield encode(part, fitted)


def width_of(columns: Mapping[str, FittedColumn]) -> int:
    """The number of inputs that columns become."""
    return sum(len(fitted.column.features(name, fitted.learned)) for name, fitted in columns.items())


def encode(table: Table, columns: Mapping[str, FittedColumn]) -> NDArray[np.float32]:
    """Inputs (n, features) of a table's rows. Raises DataError."""
    inputs = np.empty((len(table), width_of(columns)), dtype=np.float32)
    position = 0
    for name, fitted in columns.items():
        part = fitted.column.encode(table.cells(name), fitted.learned)
        inputs[:, position : position + part.shape[1]] = part
        position += part.shape[1]
    if not position:
        raise DataError(f"{table.place.name}: no column is left for the inputs")
    return inputs


def _constant(columns: Mapping[str, FittedColumn]) -> tuple[str, ...]:
    """Advice where columns are the same in every training row."""
    found = [name for name, fitted in columns.items() if fitted.column.constant(fitted.learned)]
    if not found:
        return ()
    which = f"column {found[0]!r} is" if len(found) == 1 else f"columns {some(found)} are"
    say = ", ".join(f"{name}: ignore" for name in found[:3])
    return (f"{which} the same in every training row, which teaches nothing: under data.columns, say {say}",)
