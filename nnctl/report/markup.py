"""Sections as HTML. Every text of a run is escaped and cut; nothing in it is executed."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import count
from typing import Any

from nnctl.figures.figure import Chart, HeatMap, Table, table_of
from nnctl.figures.parallel import Parallel, parallel_table
from nnctl.figures.scales import number
from nnctl.figures.svg import svg_of
from nnctl.report.section import (
    Choice,
    Drawn,
    Link,
    Listed,
    Part,
    Place,
    Prose,
    Section,
    Text,
    Tiles,
    Ways,
    Written,
)
from nnctl.screen.characters import harmless, word

_MOST_ROWS = 400
"""Rows of a table; of more the first and the last half of these."""
_OPEN_ROWS = 40
"""Rows up to which a table is open unless it is asked to be folded."""
_CELL = 120
"""Characters of a cell."""
_LARGE, _VERY_LARGE = 1e4, 1e9
"""Between these a cell has the whole part of a number, as of a price, and no power of ten."""


class Markup:
    """The writer of a page's sections, which gives every element that is referred to a name of its own."""

    def __init__(self) -> None:
        """Begin with the first name."""
        self._names = count(1)
        self._section = ""

    def section(self, section: Section, name: str) -> Iterator[str]:
        """A section under its heading. name: that its link leads to."""
        self._section = name
        yield f'<section id="{name}" aria-labelledby="{name}-title">'
        yield f'<h3 id="{name}-title">{_words(section.title)}</h3>'
        yield from self._parts(section.parts)
        yield "</section>"

    def _parts(self, parts: tuple[Part, ...]) -> Iterator[str]:
        """The parts in order; figures that follow one another stand in columns."""
        columns = False
        for part in parts:
            in_column = _narrow(part)
            if in_column != columns:
                yield '<div class="columns">' if in_column else "</div>"
                columns = in_column
            yield from self._part(part)
        if columns:
            yield "</div>"

    def _part(self, part: Part) -> Iterator[str]:
        match part:
            case Prose():
                yield f"<p>{_words(part.text, 4000)}</p>"
            case Tiles():
                yield '<dl class="tiles">'
                for name, value in part.values:
                    yield f"<div><dt>{_words(name)}</dt><dd>{_cell(value)}</dd></div>"
                yield "</dl>"
            case Drawn():
                yield from self._drawn(part)
            case Listed():
                closed = part.folded or len(part.table.rows) > _OPEN_ROWS
                yield from _folded(part.caption, _table(part.table, part.caption, self._section), closed)
            case Text():
                text = f'<pre tabindex="0"><code>{escape(harmless(part.text))}</code></pre>'
                if part.folded:
                    yield from _folded(part.caption, [text], True)
                else:
                    yield f'<p class="caption">{_words(part.caption)}</p>{text}'
            case Choice():
                yield from self._choice(part)
            case Ways():
                ways = (f'<a href="#{escape(name)}" rel="{rel}">{_words(words)}</a>' for words, name, rel in part.ways)
                yield f'<p class="ways">{" ".join(ways)}</p>'
            case Place():
                yield f'<div id="{self._section}-{part.name}">'
                yield from self._parts(part.parts)
                yield "</div>"

    def _drawn(self, part: Drawn) -> Iterator[str]:
        title = part.figure.title or "Figure"
        yield f"<figure{' class=wide' if part.wide else ''}>"
        yield svg_of(part.figure, numbers=True)
        if part.words:
            yield f"<figcaption>{_words(part.words, 1000)}</figcaption>"
        table = part.table
        if table is None and not part.listed and isinstance(part.figure, Chart | HeatMap):
            table = table_of(part.figure)
        elif table is None and isinstance(part.figure, Parallel):
            table = parallel_table(part.figure)
        if table is not None:
            yield from _folded(f"Numbers: {title}", _table(table, title, self._section), True)
        yield "</figure>"

    def _choice(self, part: Choice) -> Iterator[str]:
        """Radio buttons before the alternatives, of which rules show the chosen one: it needs no script."""
        name = f"choice{next(self._names)}"
        yield f'<div class="choice" role="group" aria-label="{_words(part.caption)}">'
        for at, (caption, _) in enumerate(part.options):
            checked = " checked" if at == 0 else ""
            yield f'<input type="radio" name="{name}" id="{name}-{at}" class="o{at}"{checked}>'
            yield f'<label for="{name}-{at}">{_words(caption)}</label>'
        for at, (_, parts) in enumerate(part.options):
            yield f'<div class="option o{at}">'
            yield from self._parts(parts)
            yield "</div>"
        yield "</div>"


def _folded(caption: str, content: Iterator[str] | list[str], closed: bool) -> Iterator[str]:
    yield f"<details{'' if closed else ' open'}><summary>{_words(caption)}</summary>"
    yield from content
    yield "</details>"


def _narrow(part: Part) -> bool:
    """True of what stands in a column."""
    return all(map(_narrow, part.parts)) if isinstance(part, Place) else isinstance(part, Drawn) and not part.wide


def _table(table: Table, caption: str, section: str) -> Iterator[str]:
    """A table. section: the name of its own, where links of its cells lead."""
    numeric = {column for row in table.rows for column, value in enumerate(row) if _is_number(value)}
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{_words(caption)}"><table><thead><tr>'
    for column, head in enumerate(table.columns):
        kind = ' class="n"' if column in numeric else ""
        yield f'<th scope="col"{kind}>{_words(head)}</th>'
    yield "</tr></thead><tbody>"
    rows = table.rows
    shown = rows if len(rows) <= _MOST_ROWS else (*rows[: _MOST_ROWS // 2], *rows[-_MOST_ROWS // 2 :])
    for at, row in enumerate(shown):
        if at == _MOST_ROWS // 2 and len(rows) > _MOST_ROWS:
            words = f"… {len(rows) - _MOST_ROWS:,} rows are left out here …"
            yield f'<tr><td colspan="{len(table.columns)}">{words}</td></tr>'
        yield "<tr>"
        for column, value in enumerate(row):
            right = _is_number(value) or (value is None and column in numeric)
            kind = ' class="n"' if right else ""
            tag = "th" if column == 0 and not kind else "td"
            yield f"<{tag}{' scope=row' if tag == 'th' else ''}{kind}>{_cell(value, section)}</{tag}>"
        yield "</tr>"
    yield "</tbody></table></div>"


def _is_number(value: Any) -> bool:
    """True of what stands at the right of its column."""
    return isinstance(value, int | float | Link | Written) and not isinstance(value, bool)


def _cell(value: Any, section: str = "") -> str:
    match value:
        case Link():
            return f'<a href="#{section}-{value.place}">{_words(value.text, _CELL)}</a>'
        case Written():
            return _words(value.text, _CELL)
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if _LARGE <= abs(value) < _VERY_LARGE else number(value)
    return _words(str(value), _CELL)


def _words(text: str, limit: int = 200) -> str:
    return escape(word(text, limit))
