"""Rows of the table that a run was trained on, as its file has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnctl.data.examples import UnfittedInputs
from nnctl.data.paths import existing_file
from nnctl.data.source import Source
from nnctl.data.sources.csv import Csv
from nnctl.data.stored.arrays import Rows
from nnctl.data.tables.cells import Table
from nnctl.data.tables.encoding import TableInputs
from nnctl.inference.tables import table_reader
from nnctl.spec.load import Loaded


def run_table(loaded: Loaded, fitted: Mapping[str, Any]) -> Table | None:
    """The table of a run's data, its columns as they were read, those that are left out among them.

    Its rows are the source's examples, in order. fitted: the run's, see `nnctl.data.examples.FittedInputs`. Of data of
    type csv it has the columns of inputs alone. None where the data is no table. Raises DataError.
    """
    source = loaded.spec.data
    reader = table_reader(source, fitted)
    if reader is None:
        return None
    if isinstance(source, Csv):
        return reader.cells(existing_file(source.path, loaded.folder))
    inputs = unfitted_inputs(loaded)
    assert isinstance(inputs, TableInputs), "data of type table has its columns"
    return inputs.table


def unfitted_inputs(loaded: Loaded) -> Rows | UnfittedInputs:
    """The inputs of a run's data before training rows teach them anything. Raises DataError."""
    spec = loaded.spec
    assert isinstance(spec.data, Source)
    seed = spec.seed if spec.data.seed is None else spec.data.seed
    return spec.data.read(loaded.folder, seed).inputs
