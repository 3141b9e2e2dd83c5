"""Lists of bars: numbers by name, as SVG and on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import numpy as np
from rich.text import Text

from nnctl.figures.drawing import TITLE, WIDTH, Drawing, extent, said, shortened
from nnctl.figures.figure import BarList
from nnctl.figures.labels import fitted
from nnctl.figures.palette import series
from nnctl.figures.scales import number
from nnctl.screen.characters import word

_TOP = TITLE + 8
_LINE = 20
_NAMES, _NUMBERS = 260, 76
"""Units of the names at the left, at most, and of the numbers at the right."""
_MARGIN = 20
"""Units beside the names; capital letters take some of them."""


def bar_list(figure: BarList) -> Drawing:
    """The drawing of a list of bars."""
    return Drawing(WIDTH, _TOP + _LINE * len(figure.names) + 22, _body(figure))


def bar_lines(figure: BarList, width: int, *, plain: bool) -> list[Text]:
    """A list of bars within so many columns."""
    names = [fitted(name, max(1, width // 3)) for name in figure.names]
    left = max((Text(name).cell_len for name in names), default=0)
    room = max(1, width - left - 12)
    lines = []
    for name, value, share in zip(names, figure.values.tolist(), _shares(figure)):
        bar = Text(("#" if plain else "━") * round(share * room), series(0))
        lines.append(Text(f"{name}{' ' * (left - Text(name).cell_len)} ") + bar + Text(f" {number(value)}"))
    return [*lines, Text(fitted(figure.label, width), "dim")]


def _body(figure: BarList) -> Iterable[str]:
    left = min(_NAMES, _MARGIN + max(map(extent, figure.names), default=0.0))
    room = WIDTH - left - _NUMBERS
    for index, (name, value, share) in enumerate(zip(figure.names, figure.values.tolist(), _shares(figure))):
        top = _TOP + index * _LINE
        yield f'<g class="s0"><title>{said(name, 200)}</title>'
        yield f'<text x="{left - 8:.1f}" y="{top + 12}" text-anchor="end">{escape(_fitting(name))}</text>'
        yield f'<rect x="{left:.1f}" y="{top + 1}" width="{share * room:.1f}" height="14" fill="{series(0)}"/>'
        text = number(value) if np.isfinite(value) else "?"
        yield f'<text x="{left + share * room + 6:.1f}" y="{top + 12}">{text}</text></g>'
    bottom = _TOP + len(figure.names) * _LINE + 14
    yield f'<text x="{left:.1f}" y="{bottom}">{said(figure.label, 60)}</text>'


def _fitting(name: str) -> str:
    """A name within its room, its middle left out where it is longer."""
    room = _NAMES - _MARGIN
    text = word(name)
    limit = len(text)
    while extent(shown := shortened(text, limit)) > room and limit > 3:
        limit = max(3, min(limit - 1, int(limit * room / extent(shown))))
    return shown


def _shares(figure: BarList) -> list[float]:
    """Lengths from 0 to 1; of what is not finite 0."""
    sizes = np.where(np.isfinite(figure.values), np.abs(figure.values), 0.0)
    return list((sizes / (sizes.max(initial=0.0) or 1.0)).tolist())
