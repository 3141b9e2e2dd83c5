"""Proposals for tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from nnctl.data.tables import numerals
from nnctl.data.tables.cells import Cells, Table
from nnctl.data.tables.kinds import different, grouped_by_points
from nnctl.data.tables.layout import MISSING, Layout
from nnctl.data.tables.reader import NoCellsError
from nnctl.data.tables.reading import TEXT, open_table
from nnctl.data.words import cut, some
from nnctl.errors import DataError
from nnctl.proposals import nets, targets
from nnctl.proposals.columns import GROUPED, OWNERS, Decided, count_of, decide, decide_grouped, gaps_in, words_of
from nnctl.proposals.layouts import layout_of
from nnctl.proposals.proposal import Called, Proposal
from nnctl.proposals.series import of_series, time_of
from nnctl.spec.noted import Noted

_MOST_LISTED = 60
"""Columns of which each is listed; of more, numbers of which nothing is to be said are not."""
_OWNING = OWNERS | {"id", "key", "number", "nr", "no"}
_LEAST_OWNERS = 20
_TOTALS = frozenset(["total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "insgesamt", "somme"])
_MOST_SAID = 20
_NEARLY_ALL = 0.9
_MOST_MARKS = 3
"""Different words in a column of numbers that are taken for marks of missing cells."""


def of_table(path: Path, called: Called, target: str | None, sheet: str | None) -> Proposal:
    """A proposal for a table. target: the column to predict, by its name if None. sheet: of a workbook.

    Raises DataError, UsageError.
    """
    data: dict[str, object] = {"type": "table", "path": called(path)}
    layout, fields = layout_of(path) if path.name.lower().endswith(TEXT) else (Layout(sheet=sheet), {})
    if sheet is not None:
        fields["sheet"] = sheet
    table, layout, odd = _opened(path, layout)
    if marks := _marks_of(table):
        layout = replace(layout, missing=(*MISSING, *marks))
        fields["missing_values"] = Noted(list(layout.missing or ()), f"{some(marks)} among numbers: nothing, it seems")
        table = open_table(path, layout, None)
    if len(table) < nets.LEAST_EXAMPLES:
        few = f"{len(table)} row{'s' * (len(table) != 1)}"
        raise DataError(f"{path} holds {few}, and {nets.LEAST_EXAMPLES} are few already\n  give it more")
    data |= fields
    if (time := time_of(table)) is not None and (series := of_series(table, time, target, data)) is not None:
        return series
    name, why = targets.column_of(table, target)
    doubts = _taken_for_missing(path, layout, table.cells(name))
    try:
        about = targets.describe(table.cells(name))
    except DataError as error:
        raise DataError("\n  ".join([error.message, *doubts])) from error
    numbers = targets.numbers_of(table.cells(name))
    columns = {other: _decided(table, other, name, numbers) for other in table.columns if other != name}
    columns |= {other: Decided("ignore", f"a cell is a single value, and it holds {odd[other]}") for other in odd}
    if (comma := _with_decimal_comma(columns, about, name)) is not None:
        grouped = _grouped_by_points(path, layout, table)
        columns |= {
            n: decide_grouped(cells, comma) for n, cells in grouped.items() if n in columns and columns[n].is_used
        }
        if name in grouped and about.answer.sizes is None:
            about = targets.describe_grouped(grouped[name], comma)
    owner = _owner_of(table, name)
    if owner is not None:
        columns[owner] = Decided("ignore", "whose row it is: the split is by it")
    used = {other: column for other, column in columns.items() if column.is_used}
    if not used:
        raise DataError(f"{path}: no column is left for the inputs\n  {_reasons(columns)}")
    data["target"] = Noted(name, why) if why else name
    data["columns"] = _listed(columns, about, name)
    if owner is not None:
        data["split"] = Noted({"by": owner}, "its rows stay on one side: else the test would ask what is known")
    rows = len(table) - gaps_in(table.cells(name))
    held_out, schedule = nets.of_few_classes(rows, about.answer) or (
        nets.shares(rows),
        nets.training(nets.training_examples(rows)),
    )
    data |= held_out | about.fields
    layers = nets.dense(rows, sum(column.inputs for column in used.values()), about.answer)
    doubts += [*_totals_in(table), *_left_out(columns), *(c.doubt for c in columns.values() if c.doubt)]
    doubts += about.advice
    return Proposal(
        nets.whole(data, layers, about.answer, schedule), _heading(table, columns, name), [*doubts, *about.advice]
    )


def _opened(path: Path, layout: Layout) -> tuple[Table, Layout, dict[str, str]]:
    """(the table, its layout, what columns hold that are left out since it is no cell, by name). Raises DataError."""
    odd: dict[str, str] = {}
    while True:
        try:
            return open_table(path, layout, None), layout, odd
        except NoCellsError as error:
            odd |= error.columns
            layout = replace(layout, left_out=frozenset(odd))


def _decided(table: Table, name: str, target: str, numbers: NDArray[np.float64] | None) -> Decided:
    cells = table.cells(name)
    column = decide(cells)
    if column.is_used and (again := targets.says_again(cells, table.cells(target), numbers)):
        return Decided("ignore", f"{again}; what is to be predicted would be known")
    return column


def _with_decimal_comma(columns: Mapping[str, Decided], about: targets.Target, target: str) -> str | None:
    """The first column whose numbers have a decimal comma, or the target; None where there is none."""
    said = {name: column.value for name, column in columns.items()}
    if about.column is not None:
        said[target] = cast("Mapping[str, object]", about.column.value)
    return next((n for n, value in said.items() if isinstance(value, Mapping) and value.get("decimal") == ","), None)


def _grouped_by_points(path: Path, layout: Layout, table: Table) -> dict[str, Cells]:
    """Columns of numbers whose point may stand between groups, as texts."""
    found = {}
    for name in table.columns:
        if grouped_by_points(table.cells(name)) is not None and path.name.lower().endswith(TEXT):
            written = open_table(path, replace(layout, as_text=frozenset([name])), None).cells(name)
            if GROUPED in numerals.notations(different(written)):
                found[name] = written
    return found


def _listed(columns: Mapping[str, Decided], about: targets.Target, target: str) -> dict[str, Any]:
    """The field `columns`."""
    wide = len(columns) > _MOST_LISTED
    listed: dict[str, Any] = {
        name: Noted(column.value, column.why) for name, column in columns.items() if not (wide and column.plain)
    }
    return listed | ({target: about.column} if about.column is not None else {})


def _owner_of(table: Table, target: str) -> str | None:
    """The column that says whose a row is, where somebody has several; None where there is none."""
    for name in table.columns:
        words = words_of(name)
        if name == target or not words or not OWNERS.intersection(words) or words[-1] not in _OWNING:
            continue
        cells = table.cells(name)
        if not gaps_in(cells) and _LEAST_OWNERS <= count_of(cells) <= 0.8 * len(table):
            return name
    return None


def _totals_in(table: Table) -> list[str]:
    """A sentence where the last row that holds anything begins with a word for totals, as no other does."""
    cells = table.cells(next(iter(table.columns)))
    if not cells.is_text:
        return []
    codes, texts = cells.codes()
    last = int(codes[np.flatnonzero(codes >= 0)[-1]]) if (codes >= 0).any() else -1
    if last < 0 or texts[last].strip().rstrip(":").lower() not in _TOTALS or (codes == last).sum() != 1:
        return []
    return [f"the last row begins with {cut(texts[last])!r}: if it holds totals of the others, remove it"]


def _taken_for_missing(path: Path, layout: Layout, target: Cells) -> list[str]:
    """A sentence where cells of a target of names are missing for what they say, as `none`, which may be a class."""
    if not (gaps_in(target) and target.is_text and path.name.lower().endswith(TEXT)):
        return []
    name = target.name
    written = open_table(path, replace(layout, missing=("",), as_text=frozenset([name])), None).cells(name)
    words = [text for text in different(written).to_pylist() if text in layout.marks]
    if not words:
        return []
    word = f"cells of the target {cut(name)!r} that say {some(words)} are taken for missing"
    return [f'{word}: where it is a class, say missing_values: [""]']


def _marks_of(table: Table) -> tuple[str, ...]:
    """Words in columns that hold numbers elsewhere, few and nearly never: they stand for missing cells."""
    marks: dict[str, None] = {}
    for name in table.columns:
        cells = table.cells(name)
        if cells.is_text:
            marks |= dict.fromkeys(_marks_in(cells))
    return tuple(marks)


def _marks_in(cells: Cells) -> list[str]:
    texts = different(cells)
    looks = numerals.look_numeric(texts)
    words = texts.filter(pc.invert(looks)).to_pylist()
    if not 1 <= len(words) <= _MOST_MARKS or not numerals.notations(texts.filter(looks)):
        return []
    codes, names = cells.codes()
    odd = np.isin(codes, [names.index(word) for word in words]).sum()
    return sorted(words) if odd <= (1 - _NEARLY_ALL) * len(cells) else []


def _heading(table: Table, columns: Mapping[str, Decided], target: str) -> list[str]:
    used = sum(column.is_used for column in columns.values())
    heading = [f"Proposed for {len(table):,} rows: {cut(target)!r} from {used:,} of {len(columns):,} other columns."]
    if len(columns) > _MOST_LISTED:
        heading.append("Columns that are not listed are numbers, of which none is missing.")
    return heading


def _left_out(columns: Mapping[str, Decided]) -> list[str]:
    """A sentence for each column that is left out, up to the number of them."""
    left = {name: column for name, column in columns.items() if not column.is_used}
    said = [f"column {cut(name)!r} is left out: {column.why}" for name, column in list(left.items())[:_MOST_SAID]]
    more = len(left) - len(said)
    return [*said, f"and {more:,} columns more, as the comments say"] if more else said


def _reasons(columns: Mapping[str, Decided]) -> str:
    return "\n  ".join(f"{cut(name)}: {column.why}" for name, column in list(columns.items())[:10])
