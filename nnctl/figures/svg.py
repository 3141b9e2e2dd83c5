"""Figures as SVG: text that a browser shows by itself, and in a page in the page's colours."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from html import escape

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.figure import Axis, Chart, Figure, Gallery, HeatMap, Picture
from nnctl.figures.palette import SERIES_ON_DARK, shades
from nnctl.figures.scales import number
from nnctl.figures.svg_chart import chart_parts
from nnctl.figures.svg_text import TITLE, WIDTH, extent, placed, said, shortened

_ON_DARK = "".join(
    f".figure .s{n} .curve{{stroke:{color}}}.figure .s{n} .band,.figure .s{n} circle,.figure .s{n} rect{{fill:{color}}}"
    for n, color in enumerate(SERIES_ON_DARK)
)
STYLE = (
    "svg.figure{font:12px system-ui,sans-serif;color:#1a1a1a}"
    ".figure .title{font-size:13.5px;font-weight:600}"
    ".figure text{fill:currentColor}.figure text.light{fill:#fff}.figure text.dark{fill:#000}"
    ".figure .grid{stroke:currentColor;opacity:.14}.figure .axis{stroke:currentColor;opacity:.5}"
    ".figure .curve{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}"
    ".figure .band{opacity:.18}.figure circle{fill-opacity:.85}"
    "@media screen and (prefers-color-scheme:dark){svg.figure{color:#e6e6e6}" + _ON_DARK + "}"
)
"""Rules for all figures: once in a page, or within a figure that is a file of its own."""


def svg_of(figure: Figure, *, alone: bool = False, numbers: bool = False) -> str:
    """The figure as an SVG element. alone: as the content of a file, with the rules that it is drawn by.

    numbers: a chart has the numbers of its curves besides, for a page's script. Every text is escaped and cut;
    nothing in it is executed.
    """
    height: float
    body: Iterable[str]
    match figure:
        case Chart():
            height, body = chart_parts(figure, numbers)
        case HeatMap():
            height, body = _heat_map(figure)
        case Gallery():
            height, body = _gallery(figure)
    return element(figure.title, height, body, alone=alone)


def element(title: str, height: float, body: Iterable[str], *, alone: bool = False) -> str:
    """The SVG element of a drawing, `WIDTH` wide, under a title."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'role="img" aria-label="{said(title, 200)}">'
    )
    style = f"<style>{STYLE}</style>" if alone else ""
    line = placed(said(shortened(title, 66), 200), 8, 17, 'class="title"') if title else ""
    return "".join((head, style, line, *body, "</svg>"))


def image_address(pixels: NDArray[np.float64]) -> str:
    """Pixels, as in a `Picture`, as a PNG within an address (`data:image/png;base64,…`)."""
    from PIL import Image

    levels = np.clip(np.nan_to_num(pixels, nan=0.5) * 255 + 0.5, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _heat_map(figure: HeatMap) -> tuple[float, Iterable[str]]:
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
                place = f"translate({at + 4:.1f} {bottom - 2:.1f}) rotate(-35)"
                yield f'<text transform="{place}" text-anchor="end">{escape(across[n])}</text>'
            else:
                yield placed(escape(across[n]), at, bottom, 'text-anchor="middle"')
        if figure.shown:
            for row, column in np.argwhere(np.isfinite(figure.values)):
                ink = "dark" if colors[row, column].mean() > 0.5 else "light"
                text = number(float(figure.values[row, column]))
                at, middle = left + (column + 0.5) * cell, top + (row + 0.5) * cell + 4
                yield placed(text, at, middle, f'class="{ink}" text-anchor="middle"')
        if figure.x.label:
            yield placed(said(figure.x.label, 60), left + columns * cell / 2, height - 6, 'text-anchor="middle"')
        if figure.y.label:
            place = f"translate(13 {top + rows * cell / 2:.0f}) rotate(-90)"
            yield f'<text transform="{place}" text-anchor="middle">{said(figure.y.label, 40)}</text>'

    return height, body()


def _names(axis: Axis, count: int) -> list[str]:
    return [shortened(name, 20) for name in axis.categories or map(str, range(count))]


def _shown(count: int, cell: float, room: float) -> range:
    """The rows or columns whose names are written, where each takes so much room."""
    return range(0, count, max(1, math.ceil(room / cell)))


def _gallery(figure: Gallery) -> tuple[float, Iterable[str]]:
    count = len(figure.pictures)
    columns = min(max(count, 1), 10 if count > 8 else 8)
    side = (WIDTH - 16) / columns
    line = side + (16 if any(picture.caption for picture in figure.pictures) else 4)
    top = (TITLE if figure.title else 0) + 8

    def one(index: int, picture: Picture) -> str:
        left, above = 8 + index % columns * side, top + index // columns * line
        text = escape(shortened(picture.caption, max(4, round(side / 6.5))))
        caption = placed(text, left, above + side + 8) if text else ""
        return (
            f"<g><title>{said(picture.caption, 200)}</title>"
            f'<image x="{left:.1f}" y="{above:.1f}" width="{side - 4:.1f}" height="{side - 4:.1f}" '
            f'image-rendering="pixelated" href="{image_address(picture.pixels)}"/>{caption}</g>'
        )

    return top + -(-count // columns) * line + 8, (one(index, each) for index, each in enumerate(figure.pictures))
