"""Rows of a run's data: those on which what was exported is held against the net, and what it reads of a table's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import load_dataset
from nnctl.data.tables.fitted import FittedColumns
from nnctl.data.words import some
from nnctl.errors import DataError, RunError
from nnctl.inference.opened import SavedRun


def real_rows(saved: SavedRun, count: int) -> tuple[str, NDArray[Any]]:
    """A split, of examples that were not trained on where there are any, and so many of its inputs, some repeated.

    Raises RunError where the data is another, DataError where it is not there.
    """
    loaded, path = saved.loaded, saved.folder.path
    without = "--no-check exports without a look at it"
    try:
        data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    except DataError as error:
        raise DataError(f"{error.message}\n  {without}", error.field) from error
    if data.fingerprint != saved.saved.progress["data"]:
        raise RunError(f"{path}: the data is not what this run was trained on\n  {without}")
    split = next(name for name in ("test", "validation", "train") if name in data.splits)
    rows = np.asarray(data.splits[split].inputs[:count])
    return split, np.resize(rows, (count, *rows.shape[1:]))


def columns_of(saved: SavedRun) -> tuple[str, ...]:
    """Names of the inputs where they are numbers that are made of columns before they enter the net; else none."""
    fitted = saved.saved.progress.get("fitted", {})
    if (columns := FittedColumns.of(fitted)) is not None:
        return tuple(f for name, kind in columns.kinds.items() for f in kind.features(name, columns.fitted[name]))
    return tuple(fitted.get("inputs", ()))


def words_on_columns(saved: SavedRun) -> list[str]:
    """A sentence on such inputs, where there are some."""
    names = columns_of(saved)
    return [f"the inputs are the numbers that training made of the columns: {some(names)}"] if names else []
