"""The columns of a table as inputs of a net: fitted to the rows that train, the same for every other row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Column
from nnctl.data.limits import require_memory
from nnctl.data.source import Description, Fitted
from nnctl.data.tables.cells import Table
from nnctl.errors import DataError


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
        kept = {name: column.fit(self.table.cells(name).take(train)) for name, column in self.columns.items()}
        inputs = encode(self.table, self.columns, kept)
        return Fitted(inputs, self.description.of_shape(inputs.shape[1:]), {"columns": kept})


def encode(table: Table, columns: Mapping[str, Column], kept: Mapping[str, Any]) -> NDArray[np.float32]:
    """Inputs (n, features) of a table's rows, by what the columns' `fit` gave. Raises DataError."""
    width = sum(len(column.features(name, kept[name])) for name, column in columns.items())
    require_memory(4 * len(table) * width, f"{table.place.name}: {width:,} inputs of {len(table):,} rows")
    inputs = np.empty((len(table), width), dtype=np.float32)
    position = 0
    for name, column in columns.items():
        part = column.encode(table.cells(name), kept[name])
        inputs[:, position : position + part.shape[1]] = part
        position += part.shape[1]
    if not width:
        raise DataError(f"{table.place.name}: no column is left for the inputs")
    return inputs
