"""Rows of a run's data, on which what was exported is held against the net's own answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import load_dataset
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
