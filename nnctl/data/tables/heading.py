"""Headings of tables: the names of columns, and rows whose first cell is their own name."""

from __future__ import annotations

from collections.abc import Sequence

from nnctl.data.limits import require_columns
from nnctl.data.words import cut
from nnctl.errors import DataError
from nnctl.late import dataclass


@dataclass(frozen=True)
class Heading:
    """The heading of a table.

    positions: of columns that are read, by name. width: cells of a row. has_header: whether the first row holds names.
    empty: whether every row ends in a delimiter, behind which is nothing. doubt: see `Place`.
    """

    positions: dict[str, int]
    width: int
    has_header: bool
    empty: bool = False
    doubt: str = ""


def heading_of(name: str, rows: Sequence[Sequence[str]], header: bool | None, *, whole: bool = False) -> Heading:
    """The heading from the first rows of a table, the first of which may hold names; at least one row.

    `header` None: it does where none of its cells is a number. name: the file's, in messages. whole: these are all
    rows, so that a column without a name and without cells is none. Raises DataError.
    """
    top, below = [cell.strip() for cell in rows[0]], rows[1:]
    require_columns(len(top), name)
    has_header = header if header is not None else not any(map(is_number, top))
    if not has_header:
        empty = len(top) > 1 and all(len(row) == len(top) and not row[-1].strip() for row in rows)
        doubt = "it is read without a header: its columns are 0, 1, 2 and so on\n  say header: true if it has one"
        return Heading({str(i): i for i in range(len(top) - empty)}, len(top), False, empty, doubt)
    if not below:
        raise DataError(f"{name} holds no rows below its header")
    ends = all(not row[-1].strip() for row in below)
    one_more = all(len(row) == len(top) + 1 for row in below)
    # A delimiter at each line's end but the first; or, as R writes it, rows that begin with their names.
    shift = int(one_more and not ends)
    empty = ends and (one_more or (len(top) > 1 and not top[-1]))
    named = [(cell, i + shift) for i, cell in enumerate(top)]
    if empty and not one_more:
        named.pop()
    # A first column without a name holds the rows' names or numbers.
    if len(named) > 1 and not named[0][0]:
        named = named[1:]
    if whole:
        named = [(cell, i) for cell, i in named if cell or any(row[i].strip() for row in below)]
    if len(named) > 1 and sum(bool(cell) for cell, _ in named) == 1:
        raise DataError(
            f"{name}: its first row has one cell, {cut(next(cell for cell, _ in named if cell))!r}, and {len(named)} "
            "columns lie below it\n  remove the title above the header, or give each column a name"
        )
    _require_names(name, named)
    doubt = (
        "its first row was taken for names, and holds numbers\n  say header: false" if any(map(is_number, top)) else ""
    )
    return Heading(dict(named), len(top) + one_more, True, empty, doubt)


def is_number(cell: str) -> bool:
    """True where a cell is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _require_names(name: str, named: Sequence[tuple[str, int]]) -> None:
    seen: dict[str, int] = {}
    for cell, position in named:
        if not cell:
            raise DataError(f"{name}: the {_nth(position + 1)} column has no name\n  give it one in the header")
        if cell in seen:
            both = f"the {_nth(seen[cell] + 1)} and the {_nth(position + 1)}"
            raise DataError(f"{name}: two columns are named {cut(cell)!r}, {both}\n  give each a name of its own")
        seen[cell] = position


def require_distinct(name: str, names: Sequence[str]) -> None:
    """Raise DataError where a column has no name, or that of another."""
    _require_names(name, [(cell, i) for i, cell in enumerate(names)])


def _nth(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
