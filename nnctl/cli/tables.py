"""Tables on a terminal of any width: nothing is dropped, and no number is cut.

A table that is wider than the terminal is printed in blocks of columns, each with the first column again.
Where a column does not even fit beside that, every row becomes a list of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from nnctl.late import dataclass
from nnctl.screen.characters import width_of, word
from nnctl.screen.console import Console, columns_of

_STYLES = {"PASS": "green", "FAIL": "bold red", "KINK": "yellow"}

NOTHING = "·"
"""A cell of a column of numbers that has none worth a digit."""
FOLDED = 16
"""Columns of a terminal that a text keeps at least; one that has no blank in so many is folded within a word."""
ITEMS = 300
"""Items of a cell that holds several, and columns of a table, that are shown; how many more there are is said."""
_FRAME, _GAP = 1, 3
"""Columns that a table takes beside its cells: in all, and for each cell."""


@dataclass(frozen=True)
class Column:
    """A column: its head, and its value in each row. `marked`: places of cells that stand out."""

    head: str
    values: Sequence[Any]
    marked: frozenset[int] = field(default=frozenset())

    @cached_property
    def name(self) -> str:
        """The head as it is shown."""
        return word(self.head)

    @cached_property
    def cells(self) -> list[str]:
        """The values as they are shown."""
        return [cell(value) for value in self.values]

    @cached_property
    def numeric(self) -> bool:
        """True where all values are numbers, which are never folded."""
        return any(map(_is_number, self.values)) and all(v in (None, NOTHING) or _is_number(v) for v in self.values)

    @cached_property
    def least(self) -> int:
        """The least width that it can be given: of its numbers, and of the longest word."""
        texts = (self.name, *(() if self.numeric else self.cells))
        words = min(FOLDED, max((width_of(token) for text in texts for token in text.split()), default=0))
        return max(1, words, *(map(width_of, self.cells) if self.numeric else ()))

    @cached_property
    def natural(self) -> int:
        """The width at which nothing is folded."""
        return max(self.least, *map(width_of, (self.name, *self.cells)))


def print_table(columns: Sequence[Column], title: str = "") -> None:
    """Print a table of at least one row on stdout, which is a terminal."""
    console = Console(sys.stdout, columns_of(sys.stdout))
    shown = list(columns[:ITEMS])
    if title:
        console.say(title, "italic")
    blocks = _blocks(shown, console.width)
    if blocks is not None and len(blocks) > 1 and len(set(shown[0].cells)) < len(shown[0].cells):
        # The rows of the later blocks are told apart by their numbers.
        blocks = _blocks([Column("row", range(1, len(shown[0].cells) + 1)), *shown], console.width)
    if blocks is None:
        _print_lists(console, shown)
    else:
        for block in blocks:
            console.print(_table(block, console.width))
    if len(columns) > len(shown):
        console.say(f"… and {len(columns) - len(shown):,} more columns; in a pipe there are all of them")


def fits(columns: Sequence[Column]) -> bool:
    """True where the columns stand side by side on this terminal."""
    blocks = _blocks(columns, columns_of(sys.stdout))
    return blocks is not None and len(blocks) == 1


def _blocks(columns: Sequence[Column], width: int) -> list[list[Column]] | None:
    """Columns side by side, as many as fit, the first in front of each block; None where one does not fit beside it."""
    first, *rest = columns
    space = width - _FRAME - first.least - _GAP
    if space < 0 or any(column.least + _GAP > space for column in rest):
        return None
    # Names in front of a block are read whole where that leaves most of the width.
    if first.natural <= width // 3:
        space = max(space + first.least - first.natural, *(column.least + _GAP for column in rest), 0)
    blocks, taken = [[first]], 0
    for column in rest:
        if taken + column.least + _GAP > space:
            blocks.append([first])
            taken = 0
        blocks[-1].append(column)
        taken += column.least + _GAP
    return blocks


def _table(columns: Sequence[Column], width: int) -> Table:
    # Text throughout: in plain strings rich takes "[name=left]" of a setting's path for markup.
    table = Table(box=box.SIMPLE)
    for column, given in zip(columns, _widths(columns, width)):
        justify: Literal["left", "right"] = "right" if column.numeric else "left"
        table.add_column(Text(column.name), justify=justify, overflow="fold", width=given)
    for place in range(len(columns[0].cells)):
        table.add_row(*(_styled(column, place) for column in columns))
    return table


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The width of each column: its least, and what is left goes to those that would fold, the narrowest first."""
    widths = [column.least for column in columns]
    left = width - _FRAME - sum(widths) - _GAP * len(columns)
    folding = sorted((i for i, c in enumerate(columns) if c.natural > c.least), key=lambda i: columns[i].natural)
    for already, i in enumerate(folding):
        more = min(columns[i].natural - widths[i], left // (len(folding) - already))
        widths[i] += more
        left -= more
    return widths


def _styled(column: Column, place: int) -> Text:
    text = column.cells[place]
    return Text(text, "bold" if place in column.marked else _STYLES.get(text, ""))


def _print_lists(console: Console, columns: Sequence[Column]) -> None:
    """Every row as lines of `name: value`, which the terminal wraps."""
    for place in range(len(columns[0].cells)):
        lines = (Text.assemble((f"{column.name}: ", "bold"), _styled(column, place), "\n") for column in columns)
        console.print(Text.assemble("\n", *lines), soft_wrap=True, end="")
    console.say("")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def cell(value: Any) -> str:
    """A value as people read it in a table."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.5g}"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return joined(", ", value, cell)
        case dict():
            return joined(" ", list(value.items()), lambda item: f"{word(str(item[0]))}:{cell(item[1])}")
        case _:
            return word(str(value), 1_000)


def joined(between: str, items: Sequence[Any], shown: Callable[[Any], str]) -> str:
    """The first items in a line, and how many more there are."""
    rest = f" … and {len(items) - ITEMS:,} more" if len(items) > ITEMS else ""
    return between.join(map(shown, items[:ITEMS])) + rest
