"""Examples of a split as a page shows them: as pictures where they are, else in the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Dataset
from nnctl.data.tables.cells import Table as TableOfCells
from nnctl.data.tables.fitted import FittedColumns
from nnctl.figures.figure import Gallery, Picture, Table
from nnctl.figures.scales import number
from nnctl.inference.opened import TrainedRun
from nnctl.inference.table_rows import run_table
from nnctl.report.section import Drawn, Listed, Part, Written
from nnctl.screen.characters import word
from nnctl.visualization.boundary import in_units_of_data, input_names
from nnctl.visualization.pictures import is_picture, photographs, smaller

_MOST_INPUTS = 8
"""Inputs of an example that are listed."""
_MOST_COLUMNS = 12
"""Columns of a table that are listed."""
_MOST_TOKENS = 60
_SIDE = 48
"""Pixels of a side of a picture: two dozen in three colours take less than 200 KB."""


class Examples:
    """The examples of a split, to be shown by their places in it."""

    def __init__(self, run: TrainedRun, data: Dataset, name: str) -> None:
        """Begin with a split by its name. Nothing is read before it is shown."""
        self._run, self._unit, self._split = run, data.unit, data.splits[name]
        self._places = data.places.get(name)
        self.pictures = is_picture(run.signature.input_shape)
        """True where they are images."""

    def part(self, title: str, places: Sequence[int], heads: Sequence[str], said: Sequence[tuple[float, ...]]) -> Part:
        """Some examples, under a title. heads, said: numbers that stand with each, the caption of a picture first."""
        chosen = np.asarray(places, np.int64)
        inputs = np.asarray(self._split.inputs[chosen])
        if self.pictures:
            pictures = [
                Picture(smaller(pixels, _SIDE), number(words[0]))
                for pixels, words in zip(photographs(inputs, self._unit), said)
            ]
            table = Table(("example", *heads), tuple((place, *words) for place, words in zip(places, said)))
            return Drawn(Gallery(title, tuple(pictures)), table=table)
        if self._table is None:
            every, values = self._inputs(inputs)
            most = _MOST_INPUTS
        else:
            every, values = self._cells(self._table, chosen)
            most = _MOST_COLUMNS
        names = [word(name, 40) for name in every[:most]]
        rows = tuple((place, *words, *own[:most]) for place, words, own in zip(places, said, values))
        title += f", {most} of {len(every):,} columns" if len(every) > most else ""
        return Listed(title, Table(("example", *heads, *names), rows))

    @cached_property
    def _table(self) -> TableOfCells | None:
        """The table that the examples are rows of, where their places in it are known."""
        return None if self._places is None else run_table(self._run.loaded, self._run.fitted)

    def _cells(self, table: TableOfCells, chosen: NDArray[np.int64]) -> tuple[list[str], list[list[object]]]:
        """Names of the columns but for targets, and the cells of each example as the file has them."""
        assert self._places is not None
        rows, back = np.unique(self._places[chosen], return_inverse=True)
        some = table.take(rows)
        columns = FittedColumns.of(self._run.fitted)
        names = [name for name in some.columns if columns is None or name not in columns.targets]
        cells = [[_cell(value) for value in some.cells(name).values.to_pylist()] for name in names]
        return names, [[column[row] for column in cells] for row in back.tolist()]

    def _inputs(self, inputs: np.ndarray) -> tuple[list[str], list[list[object]]]:
        """Names of the inputs that are listed, and those of each example, as the data has them."""
        signature = self._run.signature
        if signature.input_dtype == "index" and inputs.ndim == 2 and signature.vocabulary is not None:
            texts = ["".join(signature.vocabulary[token] for token in row[:_MOST_TOKENS]) for row in inputs.tolist()]
            return ["inputs"], [[word(text, _MOST_TOKENS)] for text in texts]
        if inputs.ndim != 2:
            return [], [[] for _ in inputs]
        return input_names(self._run), in_units_of_data(self._run, inputs).tolist()


def _cell(value: object) -> object:
    """A cell of a table: numbers with all their digits, for they are to be found again in its file."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Written(f"{value:.15g}" if isinstance(value, float) else str(value))
    return value
