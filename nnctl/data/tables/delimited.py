"""Delimited text read in columns by Arrow, and pointed into by our own reader of rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from nnctl.data.formats.delimited import DelimitedFile
from nnctl.data.tables.cells import Table
from nnctl.data.tables.layout import Layout
from nnctl.data.words import cut
from nnctl.errors import DataError

_LEADING_ZERO = r"^\s*[+-]?0[0-9]"


@dataclass(frozen=True)
class TextPlace:
    """A place in delimited text: rows are found by reading it again."""

    file: DelimitedFile
    names: tuple[str, ...]
    has_header: bool

    @property
    def name(self) -> str:
        """The file's, in messages."""
        return self.file.name

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        """The error for a cell, with its line."""
        found = next(islice(self.file.rows(), row + self.has_header, None), None)
        if found is None:
            return DataError(f"{self.name}: row {row + 1}, column {cut(column)!r}: {message}")
        return self.file.cell_error(found, self.names.index(column), message, expected, hint)


def read_delimited(path: Path, layout: Layout) -> Table:
    """The table in a text file. One kind a column, decided over the whole file. Raises DataError."""
    place = text_place(path, layout)
    columns = _columns(path, place.file.delimiter, layout, place.names, place.has_header)
    return Table(dict(zip(place.names, columns, strict=True)), place)


def text_place(path: Path, layout: Layout) -> TextPlace:
    """The place of a text file's cells, from its first row. Raises DataError."""
    delimiter = layout.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
    file = DelimitedFile.at(path, delimiter)
    top = next(file.rows(), None)
    if top is None:
        raise DataError(f"{path} is empty")
    has_header = layout.header if layout.header is not None else not any(_is_number(cell) for cell in top[1])
    names = tuple(cell.strip() for cell in top[1]) if has_header else tuple(str(i) for i in range(len(top[1])))
    return TextPlace(file, names, has_header)


def _columns(
    path: Path, delimiter: str, layout: Layout, names: tuple[str, ...], has_header: bool
) -> list[pa.ChunkedArray]:
    marks = {form for mark in layout.missing for form in (mark, mark.lower(), mark.upper(), mark.title())}
    types = dict.fromkeys(layout.as_text.intersection(names), pa.string())
    read = pacsv.ReadOptions(column_names=list(names), skip_rows=int(has_header), encoding=layout.encoding)
    parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True)

    def convert() -> pacsv.ConvertOptions:
        return pacsv.ConvertOptions(
            column_types=types,
            null_values=sorted(marks),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            decimal_point=layout.decimal,
        )

    with pacsv.open_csv(path, read, parse, convert()) as stream:
        first = stream.schema
    # Whole numbers are read as texts at first: their leading zeros are no zeros of a number.
    whole = [field.name for field in first if pa.types.is_integer(field.type)]
    types |= dict.fromkeys(whole, pa.string())
    types |= {f.name: f.type for f in first if f.name not in types and not pa.types.is_null(f.type)}
    while True:
        try:
            table = pacsv.read_csv(path, read, parse, convert())
            break
        except pa.ArrowInvalid as error:
            changed = next((n for i, n in enumerate(names) if f"column #{i}:" in str(error)), None)
            if changed is None or types.get(changed) == pa.string():
                raise DataError(f"{path}: {error}") from error
            types[changed] = pa.string()
    return [_decided(table[name], name in layout.as_text) for name in names]


def _decided(column: pa.ChunkedArray, as_text: bool) -> pa.ChunkedArray:
    """Texts as whole or real numbers where every one of them is such a number."""
    if as_text or not pa.types.is_string(column.type):
        return column
    if pc.any(pc.match_substring_regex(column, _LEADING_ZERO)).as_py():
        return column
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.cast(pc.utf8_trim_whitespace(column), kind)
        except pa.ArrowInvalid:
            continue
    return column


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
