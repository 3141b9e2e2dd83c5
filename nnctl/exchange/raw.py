"""Raw inputs: a table's columns or a series' steps as a run's data holds them, and the rules that make inputs of them.

Formats that carry the making with them begin here; what enters a net as the data has it needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from nnctl.components.base import Column
from nnctl.components.encodings import Dated, Encoding, Scaled
from nnctl.data.sources.csv import Csv
from nnctl.data.sources.table import TableSource
from nnctl.data.tables.fitted import FittedColumns
from nnctl.data.tables.layout import MISSING
from nnctl.data.words import some
from nnctl.inference.opened import SavedRun
from nnctl.late import dataclass


@dataclass(frozen=True)
class RawColumn:
    """A column of a table. fitted: what training rows taught it. features: names of the inputs that it becomes.

    encoding: what makes these, None where only its kind can: then they are given as they are.
    """

    name: str
    kind: Column
    fitted: Mapping[str, Any]
    features: tuple[str, ...]
    encoding: Encoding | None


@dataclass(frozen=True)
class RawTable:
    """Columns of a table that become inputs, in the order of these.

    names: of all columns of its file, where no row has them; else None. missing: what a text has where a cell is
    missing, in small letters. delimiter, encoding, decimal: of its file, where that is a text.
    """

    columns: tuple[RawColumn, ...]
    names: tuple[str, ...] | None
    missing: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: str = "."

    @property
    def remarks(self) -> list[str]:
        """A sentence on columns that only their kind can make into inputs."""
        given = [column.name for column in self.columns if column.encoding is None]
        if not given:
            return []
        return [f"made into inputs by their kind alone, and taken as what training made of them: {some(given)}"]

    @property
    def dates(self) -> list[str]:
        """Names of the columns of dates."""
        return [column.name for column in self.columns if isinstance(column.encoding, Dated)]

    @property
    def scaled(self) -> tuple[Scaled, ...] | None:
        """The encoding of each where all of them are numbers."""
        found = tuple(column.encoding for column in self.columns if isinstance(column.encoding, Scaled))
        return found if len(found) == len(self.columns) else None


@dataclass(frozen=True)
class RawSteps:
    """Steps of series, numbers in columns (n, steps, columns).

    ended: whether these are sequences whose last steps may be none, NaN in every column; inputs are then one column
    wider, which is 1 at each step that there is.
    """

    names: tuple[str, ...]
    scaled: tuple[Scaled, ...]
    ended: bool
    remarks: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()


RawInputs: TypeAlias = RawTable | RawSteps


def raw_inputs(saved: SavedRun) -> RawInputs | None:
    """The columns that the inputs of a run are made of; None where its data has them as they enter the net."""
    fitted = saved.saved.progress.get("fitted", {})
    if (columns := FittedColumns.of(fitted)) is not None:
        found = (_column(columns, name) for name in columns.kinds)
        # A date may become no input, for it orders the rows alone.
        source = saved.loaded.spec.data
        assert isinstance(source, Csv | TableSource), "only tables have columns"
        layout = source.layout
        marks = MISSING if layout.missing is None else layout.missing
        return RawTable(
            tuple(column for column in found if column.features),
            columns.names if columns.numbered else None,
            tuple(mark.lower() for mark in marks),
            layout.delimiter_of(Path(source.where(saved.loaded.folder))),
            layout.encoding,
            layout.decimal,
        )
    for name, ended in (("series", False), ("sequences", True)):
        if name in fitted:
            scaling = [fitted[name][column] for column in fitted["inputs"]]
            scaled = tuple(Scaled(found["shift"], found["scale"]) for found in scaling)
            return RawSteps(tuple(fitted["inputs"]), scaled, ended)
    return None


def _column(columns: FittedColumns, name: str) -> RawColumn:
    kind, fitted = columns.kinds[name], columns.fitted[name]
    return RawColumn(name, kind, fitted, kind.features(name, fitted), kind.encoding(fitted))
