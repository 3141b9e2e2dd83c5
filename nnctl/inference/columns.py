"""Inputs in memory for a net that was trained on a table's columns: frames, mappings of columns, arrays by place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc

from nnctl.data.tables.fitted import FittedColumns
from nnctl.data.words import some
from nnctl.errors import DataError


@contextmanager
def as_file(inputs: Any, columns: FittedColumns, name: str) -> Iterator[Path]:
    """The file of a table that holds inputs, for the readers of tables; it is gone afterwards, and no error names it.

    inputs: a frame (whatever has Arrow's `__arrow_c_stream__`) or a mapping of equally long columns, both by name, or
    an array (n, columns) of the net's columns in the order of the training table. name: of the inputs in messages.
    Raises DataError.
    """
    with tempfile.TemporaryDirectory(prefix="nnctl-") as folder:
        path = Path(folder) / "inputs.arrow"
        table = _table(inputs, columns, name)
        with ipc.new_file(str(path), table.schema) as file:
            file.write_table(table)
        try:
            yield path
        except DataError as error:
            raise DataError(error.message.replace(str(path), name)) from error


def _table(inputs: Any, columns: FittedColumns, name: str) -> pa.Table:
    try:
        if isinstance(inputs, Mapping):
            return pa.table({str(key): pa.array(column, from_pandas=True) for key, column in inputs.items()})
        if hasattr(inputs, "__arrow_c_stream__"):
            return pa.table(inputs)
        array = np.asarray(inputs)
        # Where there are texts, NumPy would write numbers and NaN as texts, too.
        return _by_place(np.asarray(inputs, object) if array.dtype.kind == "U" else array, columns, name)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"{name}: is no table: {str(error).splitlines()[0]}") from error


def _by_place(array: np.ndarray[Any, Any], columns: FittedColumns, name: str) -> pa.Table:
    names = list(columns.kinds)
    if array.ndim != 2 or array.shape[1] != len(names):
        raise DataError(
            f"{name}: an array of shape {array.shape}, and the net reads (n, {len(names)})\n"
            f"  a column each: {some(names)}"
        )
    # Of objects, what each holds says its type; NaN is a missing cell, as it is in frames.
    return pa.table({key: pa.array(array[:, i], from_pandas=True) for i, key in enumerate(names)})
