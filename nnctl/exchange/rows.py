"""Rows of a run's data: those on which what was exported is held against the net, raw and as they enter it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import load_dataset
from nnctl.data.series.inputs import WindowInputs
from nnctl.data.series.sequences import SequenceInputs
from nnctl.data.tables.cells import Table
from nnctl.data.tables.encoding import encode
from nnctl.data.tables.fitted import FittedColumns
from nnctl.data.words import some
from nnctl.errors import DataError, RunError
from nnctl.exchange.raw import RawInputs, RawTable
from nnctl.inference.opened import SavedRun
from nnctl.inference.table_rows import run_table, unfitted_inputs
from nnctl.late import dataclass


@dataclass(frozen=True)
class RealRows:
    """Examples of a split, some repeated. inputs: as they enter the net, (n, …). raw: what these are made of, if asked.

    It is the cells of a table's columns, or the numbers (n, steps, columns) of series.
    """

    split: str
    inputs: NDArray[Any]
    raw: Table | NDArray[np.float64] | None = None


def real_rows(saved: SavedRun, count: int, raw: RawInputs | None) -> RealRows:
    """So many examples of a split that was not trained on, where there is one. raw: what their inputs are made of.

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
    if raw is None:
        rows = np.asarray(data.splits[split].inputs[:count])
        return RealRows(split, np.resize(rows, (count, *rows.shape[1:])))
    # Where the training set has copies and is the only one, its own are the data's first rows.
    places = data.places.get(split, np.arange(count))
    return _made(saved, raw, split, np.sort(places[:count]), count)


def _made(saved: SavedRun, raw: RawInputs, split: str, places: NDArray[np.int64], count: int) -> RealRows:
    """Inputs that are made of the rows at `places` as `predict` makes them, and these rows."""
    fitted = saved.saved.progress["fitted"]
    if isinstance(raw, RawTable):
        columns = FittedColumns.of(fitted)
        assert columns is not None, "the columns of a table are fitted"
        table = run_table(saved.loaded, fitted)
        assert table is not None, "a run with columns has a table"
        table = table.take(places[places < len(table)])
        table = next(table.parts(count, list(columns.kinds))).take(np.resize(np.arange(len(table)), count))
        return RealRows(split, encode(table, columns.kinds, columns.fitted), table)
    inputs = unfitted_inputs(saved.loaded)
    assert isinstance(inputs, WindowInputs | SequenceInputs)
    inputs = inputs.of(places[places < len(inputs)])
    again = np.resize(np.arange(len(inputs)), count)
    return RealRows(split, np.asarray(inputs.made_by(fitted)[:])[again], inputs.raw()[again])


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
