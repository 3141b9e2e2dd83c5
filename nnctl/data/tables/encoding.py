"""The columns of a table as inputs of a net: fitted to the rows that train, the same for every other row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Column
from nnctl.components.registry import components
from nnctl.data.limits import require_memory
from nnctl.data.source import Description, Fitted
from nnctl.data.tables.cells import Table
from nnctl.data.words import some
from nnctl.errors import DataError


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
        fitted = {
            name: FittedColumn(column, column.fit(self.table.cells(name).take(train)))
            for name, column in self.columns.items()
        }
        inputs = encode(self.table, fitted)
        kept = {"columns": {name: column.as_data for name, column in fitted.items()}}
        description = self.description.of_shape(inputs.shape[1:])
        return Fitted(inputs, description, kept, _constant(inputs[train], fitted))


def encode(table: Table, columns: Mapping[str, FittedColumn]) -> NDArray[np.float32]:
    """Inputs (n, features) of a table's rows. Raises DataError."""
    width = sum(len(c.column.features(name, c.learned)) for name, c in columns.items())
    require_memory(4 * len(table) * width, f"{table.place.name}: {width:,} inputs of {len(table):,} rows")
    inputs = np.empty((len(table), width), dtype=np.float32)
    position = 0
    for name, fitted in columns.items():
        part = fitted.column.encode(table.cells(name), fitted.learned)
        inputs[:, position : position + part.shape[1]] = part
        position += part.shape[1]
    if not width:
        raise DataError(f"{table.place.name}: no column is left for the inputs")
    return inputs


def _constant(inputs: NDArray[np.float32], columns: Mapping[str, FittedColumn]) -> tuple[str, ...]:
    """Advice where columns are the same in every training row, inputs (n, features) of these."""
    if len(inputs) < 2:
        return ()
    varies = np.any(inputs != inputs[0], axis=0)
    found, position = [], 0
    for name, fitted in columns.items():
        width = len(fitted.column.features(name, fitted.learned))
        if width and not varies[position : position + width].any():
            found.append(name)
        position += width
    if not found:
        return ()
    which = f"column {found[0]!r} is" if len(found) == 1 else f"columns {some(found)} are"
    say = ", ".join(f"{name}: ignore" for name in found[:3])
    return (f"{which} the same in every training row, which teaches nothing: under data.columns, say {say}",)
