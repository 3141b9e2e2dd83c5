"""Tables of type csv: rows into columns, in one pass, one kind a column, every error with its line and column."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import field
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from nnctl.data.columns.category import Category
from nnctl.data.columns.number import Number
from nnctl.data.examples import Description, Examples
from nnctl.data.formats.csv_rows import DelimitedFile, Row, blocks
from nnctl.data.formats.precision import as_float32, loses_differences
from nnctl.data.labels import decide, encode, encode_texts
from nnctl.data.limits import CATEGORIES, require_columns, require_memory
from nnctl.data.source import TargetType
from nnctl.data.tables.fitted import FittedColumns
from nnctl.data.tables.heading import is_number
from nnctl.data.tables.layout import MISSING
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError
from nnctl.late import dataclass

ColumnReference = str | int
_MISSING = frozenset(mark.lower() for mark in MISSING)
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Roles:
    """Roles of the columns, as the spec gives them."""

    targets: tuple[ColumnReference, ...]
    ignored: tuple[ColumnReference, ...] = ()
    categorical: tuple[ColumnReference, ...] = ()
    target_type: TargetType | None = None


@dataclass
class Categories:
    """A column of text: a code for each row, and the texts in the order they came."""

    texts: dict[str, int] = field(default_factory=dict)
    codes: array[int] = field(default_factory=lambda: array("q"))

    def encoded(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """As `encode`."""
        return encode_texts(list(self.texts), self.codes)


@dataclass(frozen=True)
class Table:
    """A table in columns.

    numbers: (n, k) float64, the numeric columns in use, named by `numeric`; categories: by column.
    """

    path: Path
    names: list[str]
    inputs: list[int]
    targets: list[int]
    target_type: TargetType | None
    numeric: list[int]
    numbers: NDArray[np.float64]
    categories: dict[int, Categories]


def read_table(path: Path, delimiter: str, header: bool | None, roles: Roles) -> Table:
    """The columns of a file. `header` None: the first row is one if none of its cells is a number.

    Raises DataError, with file, line and column, on a cell that is missing, is no number in
    a column of numbers, or on a row that is shorter or longer than the first.
    """
    file = DelimitedFile.at(path, delimiter)
    rows = file.rows()
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path} is empty")
    _check_delimiter(path, first, delimiter)
    require_columns(len(first[1]), str(path))
    has_header = header if header is not None else not any(_is_number(cell) for cell in first[1])
    names = _names(path, first) if has_header else [str(i) for i in range(len(first[1]))]
    if has_header:
        top = next(rows, None)
        if top is None:
            raise DataError(f"{path} holds a header and no examples")
        first = top
    reader = _Reader(file, path, names, {name: i for i, name in enumerate(names)}, has_header)
    reader.check_width(first)

    targets = [reader.position(reference, "target") for reference in roles.targets]
    ignored = {reader.position(reference, "ignore") for reference in roles.ignored}
    roles_taken = ignored.union(targets)
    inputs = [i for i in range(len(names)) if i not in roles_taken]
    if not inputs:
        raise DataError(f"{path}: no column is left for the inputs")
    textual = {reader.position(reference, "categorical") for reference in roles.categorical}
    if roles.target_type == "labels":
        textual.update(targets)
    textual.update(i for i in (*inputs, *targets) if not _is_number(first[1][i]) and not _is_missing(first[1][i]))
    for i in targets:
        if i in textual and (len(targets) > 1 or roles.target_type == "values"):
            message = f"{cut(first[1][i])!r} is no number"
            hint = "if the texts are classes, say target_type: labels" if len(targets) == 1 else ""
            raise file.cell_error(first, i, message, "a number, for target values are numbers", hint)

    numeric = [i for i in (*inputs, *targets) if i not in textual]
    categories = {i: Categories() for i in (*inputs, *targets) if i in textual}
    parts: list[NDArray[np.float64]] = []
    taken = 0
    for block in blocks(chain([first], rows)):
        for row in block:
            reader.check_width(row)
        parts.append(reader.numbers(block, numeric))
        for i, column in categories.items():
            reader.encode(block, i, column)
        # What is there already counts as taken; to come are all parts in one, and the inputs.
        taken += parts[-1].nbytes
        require_memory(2 * taken, str(path))
    numbers = np.concatenate(parts)
    return Table(path, names, inputs, targets, roles.target_type, numeric, numbers, categories)


def to_examples(table: Table) -> Examples:
    """Examples: inputs float32 (n, columns), categories as 0/1 columns in the order of `encode`; labels or values.

    Raises DataError.
    """
    n = len(table.numbers)
    where = {column: index for index, column in enumerate(table.numeric)}
    of_inputs = {i: table.categories[i] for i in table.inputs if i in table.categories}
    for i, column in of_inputs.items():
        if len(column.texts) > CATEGORIES:
            name = cut(table.names[i])
            raise DataError(
                f"{table.path}: column {name!r} holds {len(column.texts):,} different texts, "
                f"and at most {CATEGORIES} categories are made into inputs\n  ignore: [{name}]"
            )
    width = sum(len(of_inputs[i].texts) if i in of_inputs else 1 for i in table.inputs)
    require_memory(4 * n * width, f"{table.path}: {width:,} inputs, one a category and one a column of numbers,")
    encoded = {i: column.encoded() for i, column in of_inputs.items()}
    inputs = np.zeros((n, width), dtype=np.float32)
    position = 0
    for i in table.inputs:
        if i in encoded:
            codes, texts = encoded[i]
            inputs[np.arange(n), position + codes] = 1.0
            position += len(texts)
        else:
            inputs[:, position] = table.numbers[:, where[i]]
            position += 1
    classes: tuple[str, ...] | None = None
    targets: NDArray[np.int64] | NDArray[np.float32]
    if table.targets[0] in table.categories:
        targets, classes = table.categories[table.targets[0]].encoded()
    else:
        columns = table.numbers[:, [where[i] for i in table.targets]]
        what = f"{table.path}, column {some([table.names[i] for i in table.targets])}"
        if decide(columns, table.target_type, what) == "labels":
            targets, classes = encode(columns[:, 0])
        else:
            targets = as_float32(columns, what)
    description = Description(
        input_shape=inputs.shape[1:],
        classes=classes,
        target_shape=targets.shape[1:],
        examples=n,
    )
    fitted = FittedColumns(
        tuple(table.names),
        tuple(table.names[i] for i in table.targets),
        {table.names[i]: Category() if i in encoded else Number(scale="none") for i in table.inputs},
        {table.names[i]: "text" if i in table.categories else "real" for i in (*table.inputs, *table.targets)},
        {table.names[i]: _fitted(encoded[i][1] if i in encoded else None) for i in table.inputs},
    )
    advice = tuple(
        f"column {cut(table.names[i])!r} has numbers that differ and are equal in single precision, to which csv "
        "rounds before it rescales: data of type: table rescales in double precision first"
        for i in table.inputs
        if i in where and loses_differences(table.numbers[:, where[i]])
    )
    return Examples(description, inputs, targets, fitted=fitted.plain(), advice=advice)


def _fitted(categories: tuple[str, ...] | None) -> dict[str, Any]:
    """The fitted data of a category, or of a number that enters as it is: `Column.encode` then gives equal inputs."""
    if categories is None:
        return {"fill": None, "shift": 0.0, "scale": 1.0}
    return {"categories": list(categories), "rare": []}


@dataclass(frozen=True)
class _Reader:
    """A reader of rows into columns: checks them and converts them."""

    file: DelimitedFile
    path: Path
    names: list[str]
    places: dict[str, int]
    has_header: bool

    def position(self, reference: ColumnReference, key: str) -> int:
        path, count = self.path, len(self.names)
        if isinstance(reference, int):
            if not -count <= reference < count:
                raise DataError(f"{path}: {key} is column {reference}, and there are {count}, numbered from 0")
            return reference % count
        if not self.has_header:
            raise DataError(
                f"{path}: {key} names the column {reference!r}, and the file has no header\n"
                "  give its number from 0, or say header: true"
            )
        if reference not in self.places:
            near = nearest(reference, self.names)
            hint = f"did you mean {near!r}?" if near else f"the columns are {some(self.names)}"
            raise DataError(f"{path}: {key}: there is no column {cut(reference)!r}\n  {hint}")
        return self.places[reference]

    def check_width(self, row: Row) -> None:
        cells = row[1]
        if len(cells) != len(self.names):
            message = f"{len(cells)} cell{'s' * (len(cells) != 1)} in a table of {len(self.names)} columns"
            raise self.file.row_error(row, message, "quote a cell that holds the delimiter")

    def numbers(self, block: Sequence[Row], columns: list[int]) -> NDArray[np.float64]:
        """Numbers (rows, columns), all finite in single precision."""
        cells = [[row[i] for i in columns] for _, row in block]
        try:
            values = np.array(cells, dtype=np.float64)
        except ValueError:
            self._find_bad_number(block, columns)
        # A NaN fails the comparison too.
        if not np.all(np.abs(values) <= _FLOAT32_MAX):
            self._find_bad_number(block, columns)
        return values

    def encode(self, block: Sequence[Row], column: int, into: Categories) -> None:
        for row in block:
            text = row[1][column].strip()
            if _is_missing(text):
                raise self._missing(row, column)
            into.codes.append(into.texts.setdefault(text, len(into.texts)))

    def _find_bad_number(self, block: Sequence[Row], columns: list[int]) -> NoReturn:
        for row in block:
            for i in columns:
                cell = row[1][i]
                if _is_missing(cell):
                    raise self._missing(row, i)
                if not _is_number(cell):
                    hint = f"if the column holds names, say categorical: [{self._reference(i)}]"
                    wanted = f"a number in column {cut(self.names[i])!r}"
                    raise self.file.cell_error(row, i, f"{cut(cell.strip())!r} is no number", wanted, hint)
                if not abs(float(cell)) <= _FLOAT32_MAX:
                    message = f"{cut(cell.strip())} does not fit single precision"
                    raise self.file.cell_error(row, i, message, "a magnitude below 3.4e38")
        raise AssertionError("a block of numbers was refused, and each of them is sound")

    def _missing(self, row: Row, column: int) -> DataError:
        hint = f"remove the row, fill the gap, or leave the column out with ignore: [{self._reference(column)}]"
        return self.file.cell_error(row, column, f"missing value in column {cut(self.names[column])!r}", "", hint)

    def _reference(self, column: int) -> str:
        return cut(self.names[column]) if self.has_header else str(column)


def _names(path: Path, header: Row) -> list[str]:
    names = [cell.strip() for cell in header[1]]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{path}:{header[0]}:1: error: two columns are named {cut(name)!r}")
        seen.add(name)
    return names


def _check_delimiter(path: Path, first: Row, delimiter: str) -> None:
    if len(first[1]) > 1:
        return
    text = first[1][0]
    other = next((d for d in (",", ";", "\t", "|", " ") if d != delimiter and d in text.strip()), None)
    hint = f"\n  say delimiter: {other!r}" if other else ""
    raise DataError(f"{path} has one column only, and inputs and a target are needed{hint}")


def _is_number(cell: str) -> bool:
    # Not a number, for float, and a mark of a missing cell here: nan.
    return is_number(cell) and not _is_missing(cell)


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in _MISSING
