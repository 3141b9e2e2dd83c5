"""Delimited text read in columns by Arrow, in blocks of whole rows on every core."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import field, replace
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from nnctl.data.tables.cell_kinds import TYPES, Part, kind_of, of_texts, trimmed
from nnctl.data.tables.grammar import Grammar
from nnctl.data.tables.heading import Heading, heading_of
from nnctl.data.tables.layout import COMMENT, Layout
from nnctl.data.tables.places import TextPlace
from nnctl.data.tables.reader import Batch, Reader
from nnctl.data.tables.text_files import Block, TextFile, lines_in
from nnctl.errors import DataError
from nnctl.late import dataclass

_DELIMITERS = (";", "\t", "|", ",")
_HEAD_ROWS = 100
"""Rows by which the shape of a table is told."""
_SAY_COMMENT = f"if it is a comment, say comment: {COMMENT!r}"
_LARGEST = 9.2e18
"""Numbers beyond this may be whole ones that a double would round."""
_DIRECT = ("real", "truth", "date", "time", "instant")
"""Kinds that Arrow reads as they are; of others the text has to be looked at."""
_SEPARATOR = re.compile(rb'^"?sep=(.)"?\r?\n', re.IGNORECASE)


class DelimitedReader(Reader):
    """A reader of delimited text.

    A quoted cell that is empty is missing, as one without quotes is; other quoted marks of missing cells are texts, and
    a quoted number is a number.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self._file = TextFile(path, layout.encoding)
        said = _SEPARATOR.match(self._file.head())
        delimiter = layout.delimiter_of(path)
        if said is not None and layout.delimiter is None:
            delimiter = said[1].decode()
        self._grammar = Grammar(delimiter, layout.comment)
        self._skip = 0 if said is None else 1
        self._layout = layout
        self.notated = layout.notated
        rows = self._first_rows()
        self._check_comment(rows)
        _check_delimiter(path, rows, delimiter)
        cells = [[cell.text for cell in self._grammar.cells(row)] for row in rows]
        self.heading = heading_of(str(path), cells, layout.header)
        self.place = TextPlace(
            self._file, self._grammar, self._skip, self.heading.positions, self.heading.has_header, self.heading.doubt
        )
        self.decimal = layout.decimal

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self.heading.positions)

    def batches(
        self, types: Mapping[str, pa.DataType] | None = None, only: Collection[str] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        work = _Work(self._layout, self._grammar, self.heading, types, only)
        blocks = self._blocks()
        first = next(blocks, None)
        if first is None:
            raise DataError(f"{self.place.name} holds no rows below its header")
        work.look_at(first)
        waiting: deque[tuple[Block, Future[Batch]]] = deque()
        with ThreadPoolExecutor(pa.cpu_count()) as pool:
            try:
                for block in chain([first], blocks):
                    waiting.append((block, pool.submit(work.convert, block)))
                    if len(waiting) > 2 * pa.cpu_count():
                        yield self._result(*waiting.popleft())
                while waiting:
                    yield self._result(*waiting.popleft())
            finally:
                pool.shutdown(cancel_futures=True)

    def _first_rows(self) -> list[str]:
        rows: list[str] = []
        for block in self._file.blocks(self._grammar, self._skip):
            found = islice(self._grammar.rows(block.data), _HEAD_ROWS - len(rows))
            rows += [block.data[row.start : row.end].decode() for row in found]
            if len(rows) == _HEAD_ROWS:
                break
        if not rows:
            raise DataError(f"{self._file.path} is empty")
        return rows

    def _check_comment(self, rows: list[str]) -> None:
        """Raise DataError where the table begins with a line of comment that nobody has spoken of."""
        if self._layout.comment is not None or not rows[0].startswith(COMMENT):
            return
        below = next((row for row in rows if not row.startswith(COMMENT)), None)
        if below is not None and len(self._grammar.cells(below)) != len(self._grammar.cells(rows[0])):
            place = TextPlace(self._file, self._grammar, self._skip, {}, has_header=False)
            raise place.row_error(rows[0], 1 + self._skip, "this line has other cells than the rows", _SAY_COMMENT)

    def _blocks(self) -> Iterator[Block]:
        """Blocks with rows of cells, the header left out."""
        header = self.heading.has_header
        for block in self._file.blocks(self._grammar, self._skip):
            if header:
                row = next(self._grammar.rows(block.data), None)
                if row is None:
                    continue
                header = False
                if rest := block.data[row.end :]:
                    yield replace(block, data=rest, ahead=lines_in(block.data[: row.end]))
            else:
                yield block

    def _result(self, block: Block, future: Future[Batch]) -> Batch:
        try:
            batch = future.result()
        except pa.ArrowInvalid as error:
            raise self._ragged(block) or DataError(f"{self.place.name}: {error}") from error
        if batch.behind is not None and batch.behind.null_count < len(batch.behind):
            ragged = self._ragged(block, pc.index(pc.is_valid(batch.behind), True).as_py())
            assert ragged is not None
            raise ragged
        return batch

    def _ragged(self, block: Block, index: int | None = None) -> DataError | None:
        """The error for the first row of another length, or for the row at `index`; None where there is none."""
        width = self.heading.width
        for i, row in enumerate(self._grammar.rows(block.data)):
            text = block.data[row.start : row.end].decode()
            cells = self._grammar.cells(text)
            if len(cells) == width and i != index:
                continue
            columns = width - self.heading.empty
            message = f"{len(cells)} cell{'s' * (len(cells) != 1)} in a table of {columns} columns"
            if self._layout.comment is None and text.startswith(COMMENT):
                hint = _SAY_COMMENT
            elif len(cells) > columns:
                hint = "quote a cell that holds the delimiter"
            else:
                hint = "fill the row up, or remove it; a line that is no row may begin with what `comment:` says"
            return self.place.row_error(
                text, self._file.line_of(block, self._grammar, self._skip) + row.lines, message, hint
            )
        return None


@dataclass
class _Work:
    """The conversion of blocks, on any thread.

    types: of columns, where they are known. only: columns that are read, all if None. guesses: types that Arrow reads
    columns as; those that are not here are read as texts, which are looked at.
    """

    layout: Layout
    grammar: Grammar
    heading: Heading
    types: Mapping[str, pa.DataType] | None
    only: Collection[str] | None
    guesses: dict[str, pa.DataType] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        only = self.heading.positions if self.only is None else set(self.only)
        self.names = [name for name in self.heading.positions if name in only]
        self.as_written = set(self.layout.as_text)
        if self.types is not None:
            self.as_written |= {name for name, type_ in self.types.items() if kind_of(type_) == "text"}

        positions = {name: self.heading.positions[name] for name in self.names}
        if self.heading.empty:
            positions[_BEHIND] = self.heading.width - 1
        self.placeholders = [str(i) for i in range(self.heading.width)]
        self.asked = {name: str(i) for name, i in positions.items()}
        marks = self.layout.marks
        # One blank before or behind a mark may be left where there are quotes.
        self.missing = sorted({*marks, *(f" {m}" for m in marks if m), *(f"{m} " for m in marks if m)})

    def look_at(self, block: Block) -> None:
        """Guess the types of columns that are not known, from a block."""
        for name in self.names:
            if self.types is not None and name in self.types and kind_of(self.types[name]) in _DIRECT:
                self.guesses[name] = TYPES[kind_of(self.types[name])]
        data = self.grammar.plain(block).data
        unknown = [n for n in self.names if n not in self.as_written and (self.types is None or n not in self.types)]
        if not data or not unknown:
            return
        try:
            table = self._read(data, {}, block.quoted)
        except pa.ArrowInvalid:
            # A row of another length is reported where the block is converted.
            return
        for name in unknown:
            values = table[name]
            if values.null_count == len(values) or not _is_direct(values.type):
                continue
            if pa.types.is_floating(values.type) and pc.max(pc.abs(values)).as_py() > _LARGEST:
                continue
            self.guesses[name] = TYPES[kind_of(values.type)]

    def convert(self, block: Block) -> Batch:
        """The cells of a block. Raises pyarrow.ArrowInvalid for a row of another length."""
        data, loose = self.grammar.plain(block)
        if not data:
            return Batch(0, {}, len(block.data))
        table = self._typed(data, block.quoted)
        behind = table[_BEHIND].chunk(0) if self.heading.empty else None
        parts = {name: self._part(name, table[name], loose) for name in self.names}
        return Batch(len(table), parts, len(block.data), behind)

    def _typed(self, data: bytes, quoted: bool) -> pa.Table:
        """The columns as guessed, or else as texts. Raises pyarrow.ArrowInvalid for a row of another length."""
        guesses = {name: self.guesses.get(name, pa.string()) for name in self.names}
        try:
            return self._read(data, guesses, quoted)
        except pa.ArrowInvalid:
            found = self._read(data, dict.fromkeys(self.as_written, pa.string()), quoted).schema
        wrong = [name for name, guess in guesses.items() if not _agree(guess, found.field(name).type)]
        for name in wrong:
            guesses[name] = pa.string()
            self.guesses.pop(name, None)
        return self._read(data, guesses, quoted)

    def _part(self, name: str, column: pa.ChunkedArray, loose: bool) -> Part:
        # A block is one piece.
        values = column.chunk(0)
        if not pa.types.is_string(values.type):
            return Part(kind_of(values.type), values)
        if loose:
            values = trimmed(values, "" in self.layout.marks)
        if name in self.as_written or name in self.texts:
            return Part("text", values)
        part = of_texts(values, self.layout.decimal)
        if part.kind == "text":
            self.texts.add(name)
        return part

    def _read(self, data: bytes, types: Mapping[str, pa.DataType], quoted: bool) -> pa.Table:
        asked = self.asked
        table = pacsv.read_csv(
            pa.BufferReader(data),
            pacsv.ReadOptions(
                use_threads=False,
                block_size=len(data) + 1,
                column_names=self.placeholders,
            ),
            pacsv.ParseOptions(delimiter=self.grammar.plain_delimiter, quote_char='"' if quoted else False),
            pacsv.ConvertOptions(
                check_utf8=False,
                include_columns=list(asked.values()),
                column_types={asked[name]: type_ for name, type_ in types.items() if name in asked}
                | ({asked[_BEHIND]: pa.string()} if _BEHIND in asked else {}),
                null_values=self.missing,
                true_values=["true", "True", "TRUE"],
                false_values=["false", "False", "FALSE"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                decimal_point=self.layout.decimal,
            ),
        )
        return table.rename_columns(list(asked))


_BEHIND = "\0"
"""The column behind the last delimiter: no name of a file's column has this character."""


def _is_direct(type_: pa.DataType) -> bool:
    """True where Arrow's reading of such cells is ours."""
    return not pa.types.is_time(type_) and kind_of(type_) in _DIRECT


def _agree(guess: pa.DataType, found: pa.DataType) -> bool:
    """True where cells that Arrow found to be of a type can be read as the guess."""
    if pa.types.is_string(guess) or pa.types.is_null(found) or guess == found:
        return True
    if pa.types.is_timestamp(guess):
        # Nanoseconds are finer than the guess.
        return bool(found == pa.timestamp("s", guess.tz)) or (guess.tz is None and bool(pa.types.is_date(found)))
    # Whole numbers that Arrow finds may be hexadecimal, and it reads none of these as reals.
    return False


def _check_delimiter(path: Path, rows: list[str], delimiter: str) -> None:
    """Raise DataError where a table has one column, and another delimiter would give it more."""
    if len(Grammar(delimiter).cells(rows[0])) > 1:
        return
    other = next((d for d in _DELIMITERS if d != delimiter and d in rows[0]), None)
    if other is None and delimiter != " ":
        counts = {len(Grammar(" ").cells(row)) for row in rows[:2]}
        other = " " if len(rows) > 1 and len(counts) == 1 and counts != {1} else None
    if other is not None:
        raise DataError(f"{path} has one column only, by the delimiter {delimiter!r}\n  say delimiter: {other!r}")
