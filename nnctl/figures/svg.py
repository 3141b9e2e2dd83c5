"""Figures as SVG: text that a browser shows by itself, and in a page in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from html import escape
from itertools import chain

import numpy as np

from nnctl.figures.bar_list import bar_list
from nnctl.figures.diagram import diagram
from nnctl.figures.drawing import (
    TITLE,
    WIDTH,
    Drawing,
    extent,
    image_address,
    placed,
    said,
    shortened,
    slanting,
)
from nnctl.figures.figure import Axis, BarList, Chart, Diagram, Figure, Gallery, HeatMap, Picture, Plane, Units
from nnctl.figures.palette import SERIES_ON_DARK, shades
from nnctl.figures.parallel import Parallel, parallel_drawing
from nnctl.figures.plane import plane
from nnctl.figures.scales import number
from nnctl.figures.svg_chart import chart_drawing
from nnctl.figures.units import units_drawing

ON_DARK = "svg.figure{color:#e6e6e6}" + "".join(
    f".figure .s{n} .curve{{stroke:{color}}}.figure .s{n} .band,.figure .s{n} circle,.figure .s{n} rect{{fill:{color}}}"
    for n, color in enumerate(SERIES_ON_DARK)
)
"""Rules of texts and curves on a dark page."""
STYLE = (
    "svg.figure{font:12px system-ui,sans-serif;color:#1a1a1a;color-scheme:light dark}"
    ".figure .title{font-size:13.5px;font-weight:600}"
    ".figure text{fill:currentColor}.figure text.light{fill:#fff}.figure text.dark{fill:#000}"
    ".figure .grid{stroke:currentColor;opacity:.14}.figure .axis{stroke:currentColor;opacity:.5}"
    ".figure .curve{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}"
    ".figure .many .curve{stroke-width:1;opacity:.4}.figure .few .curve{stroke-width:2.2}.figure .head{font-weight:600}"
    ".figure .halo{paint-order:stroke;stroke:Canvas;stroke-width:3px}"
    ".figure .band{opacity:.18}.figure circle{fill-opacity:.85}"
    "@media screen and (prefers-color-scheme:dark){" + ON_DARK + "}"
)
"""Rules for all figures: once in a page, or within a figure that is a file of its own."""
BACKGROUND, BACKGROUND_ON_DARK = "#ffffff", "#16181d"
_ALONE = (
    f"svg.figure{{background:{BACKGROUND}}}"
    f"@media screen and (prefers-color-scheme:dark){{svg.figure{{background:{BACKGROUND_ON_DARK}}}}}"
)
"""Rules of a file: what is behind it, which in a page is the page's."""
_TITLE_CHARACTER = 8.2
"""Width of a character of a title, about."""


def svg_of(*figures: Figure | Parallel, alone: bool = False, numbers: bool = False) -> str:
    """One figure or several, below one another, as an SVG element.

    alone: as the content of a file, with the rules that it is drawn by. numbers: a chart has the numbers of its curves
    besides, for a page's script. Every text is escaped and cut; nothing in it is executed.
    """
    drawn = [_drawn(figure, numbers) for figure in figures]
    width, height = max(each.width for each in drawn), sum(each.height for each in drawn)
    label = said("; ".join(figure.title for figure in figures), 200)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{label}">'
    )
    style = f"<style>{STYLE}{_ALONE}</style>" if alone else ""
    parts, top = [], 0
    for each in drawn:
        body = "".join(each.body)
        parts.append(f'<g transform="translate(0 {top})">{body}</g>' if top else body)
        top += each.height
    return "".join((head, style, *parts, "</svg>"))


def _drawn(figure: Figure | Parallel, numbers: bool) -> Drawing:
    match figure:
        case Chart():
            drawing = chart_drawing(figure, numbers=numbers)
        case HeatMap():
            drawing = _heat_map(figure)
        case Gallery():
            drawing = _gallery(figure)
        case BarList():
            drawing = bar_list(figure)
        case Plane():
            drawing = plane(figure)
        case Diagram():
            drawing = diagram(figure)
        case Parallel():
            drawing = parallel_drawing(figure)
        case Units():
            drawing = units_drawing(figure)
    room = int((drawing.width - 16) / _TITLE_CHARACTER)
    title = placed(escape(shortened(figure.title, room)), 8, 17, 'class="title"') if figure.title else ""
    return replace(drawing, body=chain([title], drawing.body))


def _heat_map(figure: HeatMap) -> Drawing:
    rows, columns = figure.values.shape
    across, down = _names(figure.x, columns), _names(figure.y, rows)
    left = 26 + max((extent(name) for name in down), default=0.0)
    top = (TITLE if figure.title else 6) + 8.0
    cell = min((WIDTH - left - 16) / columns, 400 / rows, 64)
    slanted = any(extent(name) + 6 > cell for name in across) and cell * 24 > WIDTH / 2 and bool(figure.x.categories)
    below = 20 + (max(map(extent, across)) * 0.6 if slanted else 6) + (18 if figure.x.label else 0)
    height = top + rows * cell + below
    colors = shades(figure.values, diverging=figure.diverging)

    def body() -> Iterable[str]:
        yield (
            f'<image x="{left:.1f}" y="{top}" width="{columns * cell:.1f}" height="{rows * cell:.1f}" '
            f'preserveAspectRatio="none" image-rendering="pixelated" href="{image_address(colors)}"/>'
        )
        for n in _shown(rows, cell, 15):
            yield placed(escape(down[n]), left - 5, top + (n + 0.5) * cell + 4, 'text-anchor="end"')
        bottom = top + rows * cell + 15
        for n in _shown(columns, cell, 15 if slanted else max(map(extent, across)) + 8):
            at = left + (n + 0.5) * cell
            if slanted:
                yield slanting(escape(across[n]), at + 4, bottom - 2)
            elif at + extent(across[n]) / 2 <= WIDTH:
                yield placed(escape(across[n]), at, bottom, 'text-anchor="middle"')
        if figure.shown:
            for row, column in np.argwhere(np.isfinite(figure.values)):
                ink = "dark" if colors[row, column].mean() > 0.5 else "light"
                text = number(float(figure.values[row, column]))
                at, middle = left + (column + 0.5) * cell, top + (row + 0.5) * cell + 4
                yield placed(text, at, middle, f'class="{ink}" text-anchor="middle"')
        if figure.x.label:
            yield placed(said(figure.x.label, 60), left + columns * cell / 2, height - 6, 'text-anchor="middle"')
        # Beside a row or two there is no room for what they are.
        if figure.y.label and (letters := int(rows * cell / 6)) >= min(8, len(figure.y.label)):
            label = escape(shortened(figure.y.label, max(letters, 3)))
            place = f"translate(13 {top + rows * cell / 2:.0f}) rotate(-90)"
            yield f'<text transform="{place}" text-anchor="middle">{label}</text>'

    return Drawing(WIDTH, round(height), body())


def _names(axis: Axis, count: int) -> list[str]:
    return [shortened(name, 20) for name in axis.categories or map(str, range(count))]


def _shown(count: int, cell: float, room: float) -> range:
    """The rows or columns whose names are written, where each takes so much room."""
    return range(0, count, max(1, math.ceil(room / cell)))


def _gallery(figure: Gallery) -> Drawing:
    count = len(figure.pictures)
    # A few pictures are not blown up to the width of a page.
    columns = figure.columns or min(max(count, 5), 10 if count > 8 else 8)
    side = (WIDTH - 16) / columns
    shapes = [picture.pixels.shape for picture in figure.pictures]
    tall = (side - 4) * min(1.0, max((height / width for height, width, *_ in shapes), default=1.0))
    line = tall + (20 if any(picture.caption for picture in figure.pictures) else 4)
    top = (TITLE if figure.title else 0) + 8

    def one(index: int, picture: Picture) -> str:
        left, above = 8 + index % columns * side, top + index // columns * line
        text = escape(shortened(picture.caption, max(4, round(side / 6.5))))
        caption = placed(text, left, above + tall + 12) if text else ""
        return (
            f"<g><title>{said(picture.caption, 200)}</title>"
            f'<image x="{left:.1f}" y="{above:.1f}" width="{side - 4:.1f}" height="{tall:.1f}" '
            f'image-rendering="pixelated" href="{image_address(picture.pixels)}"/>{caption}</g>'
        )

    height = top + -(-count // columns) * line + 8
    return Drawing(WIDTH, round(height), (one(index, each) for index, each in enumerate(figure.pictures)))
