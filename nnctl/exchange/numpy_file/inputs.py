"""The lines of a net's file that make its inputs of a table or of series, and what these are given.

An encoding has one function in `columns`, and one here that says how it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.components.encodings import Dated, Named, Scaled
from nnctl.data.tables.cells import Cells, Table
from nnctl.exchange.raw import RawColumn, RawInputs, RawTable

_Written: TypeAlias = tuple[str, str | None, str | None] | None
"""The decimal point, the mark of thousands and the unit of numbers in texts; None where Python itself reads them."""
_Say: TypeAlias = Callable[[str, Any, _Written], str]


def write_inputs(raw: RawInputs, shape: Sequence[int]) -> list[str]:
    """The lines of a function `inputs`. shape: of an example as it enters the net."""
    if isinstance(raw, RawTable):
        return [
            "def inputs(table):",
            f'    """Inputs, (n, {shape[0]}), of a list of rows, each a dict by column, or of a dict of columns."""',
            "    made = [",
            *(f"        {_call(column, raw.decimal)}," for column in raw.columns),
            "    ]",
            "    return np.concatenate(made, axis=1).astype(np.float32)",
            "",
            "",
        ]
    function = "scaled_sequences" if raw.ended else "scaled_steps"
    shift, scale = [each.shift for each in raw.scaled], [each.scale for each in raw.scaled]
    behind = ", NaN behind the end of a sequence" if raw.ended else ""
    return [
        "def inputs(x):",
        f'    """Inputs of the net, (n, {shape[0]}, {shape[1]}), of numbers (n, {shape[0]}, {len(raw.names)}){behind}.',
        "",
        f"    Columns: {', '.join(map(repr, raw.names))[:2000]}.".replace("\\", "\\\\").replace('"', "'"),
        '    """',
        f"    return {function}(x, {shift!r}, {scale!r}).astype(np.float32)",
        "",
        "",
    ]


def read_call(raw: RawInputs | None, path: str) -> str:
    """The call that reads what is at a path as `inputs` takes it, or the net where nothing is made. path: as Python."""
    if not isinstance(raw, RawTable):
        return f"np.load({path})"
    more = "" if raw.names is None else f", names={list(raw.names)!r}"
    more += "" if raw.delimiter == "," else f", delimiter={raw.delimiter!r}"
    more += "" if raw.encoding.lower() in ("utf-8", "utf8") else f", encoding={raw.encoding!r}"
    return f"read_table({path}, {list(raw.missing)!r}{more})"


def given_rows(raw: RawInputs, rows: Table | NDArray[np.float64] | None) -> dict[str, Any] | NDArray[np.float64]:
    """Raw rows as `inputs` takes them; of tables as JSON has them."""
    if isinstance(raw, RawTable):
        assert isinstance(rows, Table)
        return {column.name: _given(column, rows.cells(column.name)) for column in raw.columns}
    assert isinstance(rows, np.ndarray)
    return rows


def _given(column: RawColumn, cells: Cells) -> list[Any]:
    if column.encoding is None:
        made: list[Any] = column.kind.encode(cells, column.fitted).tolist()
        return made
    if isinstance(column.encoding, Named):
        codes, texts = cells.codes()
        return [None if code < 0 else texts[code] for code in codes.tolist()]
    if isinstance(column.encoding, Dated):
        found = cells.values.to_pylist()
        return [date if date is None or isinstance(date, str) else date.isoformat() for date in found]
    if cells.is_text:
        return list(cells.values.to_pylist())
    numbers: list[Any] = column.kind.amounts(cells).tolist()
    return numbers


def _call(column: RawColumn, decimal: str) -> str:
    if column.encoding is None:
        return f"given(table, {column.name!r}, {len(column.features)})"
    own, thousands, unit = (getattr(column.kind, field, None) for field in ("decimal", "thousands", "unit"))
    # Where a spec says a notation, even Python's, texts may have another minus.
    said = (own, thousands, unit) != (None, None, None) or decimal != "."
    written = (own or decimal, thousands, unit) if said else None
    return CALLS[type(column.encoding)](repr(column.name), column.encoding, written)


def _number(name: str, encoding: Scaled, written: _Written) -> str:
    as_written = "" if written is None else f", written={written!r}"
    return f"number(table, {name}, {encoding.shift!r}, {encoding.scale!r}{_more(encoding)}{as_written})"


def _category(name: str, encoding: Named, _: _Written) -> str:
    numbers = {each: _plain(value) for each, value in encoding.numbers.items()}
    named = {"unseen": _plain(encoding.unseen), "missing": _plain(encoding.missing), "width": encoding.width}
    more = "".join(f", {key}={value!r}" for key, value in named.items() if value is not None)
    return f"category(table, {name}, {numbers!r}{more})"


def _date(name: str, encoding: Dated, _: _Written) -> str:
    parts = [(part.part, part.how, tuple(map(_plain, part.numbers))) for part in encoding.parts]
    written = "" if encoding.format is None else f", format={encoding.format!r}"
    return f"date(table, {name}, {parts!r}{written}{_more(encoding)})"


def _more(encoding: Scaled | Dated) -> str:
    fill = "" if encoding.fill is None else f", fill={encoding.fill!r}"
    return fill + (", flag=True" if encoding.flag else "")


def _plain(value: float | None) -> float | None:
    """A number, whole ones without their point."""
    return int(value) if value is not None and float(value).is_integer() else value


CALLS: Mapping[type, _Say] = {Scaled: _number, Named: _category, Dated: _date}
"""The call that makes inputs of a column, from its name, its encoding and how its texts write numbers."""
