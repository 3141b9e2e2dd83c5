"""Figures as SVG: text that a browser shows by itself, and in a page in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.bar_list import bar_list
from nnctl.figures.drawing import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Drawing, Frame, axes, image_address, said
from nnctl.figures.extents import scales_of
from nnctl.figures.figure import BarList, Bars, Chart, Curve, Figure, Gallery, HeatMap, Layer, Picture, Plane, Points
from nnctl.figures.palette import series, shades
from nnctl.figures.plane import plane
from nnctl.figures.scales import Scale, number
from nnctl.screen.characters import word

_MOST_POINTS = 600
"""Points of a curve that are drawn: as many as its width shows apart."""

INK, BACKGROUND = {"light": "#1a1a1a", "dark": "#e6e6e6"}, {"light": "#ffffff", "dark": "#16181d"}
"""The colours of texts and of what lies behind them."""
STYLE = (
    f"svg.figure{{font:12px system-ui,sans-serif;color:{INK['light']}}}"
    ".figure .title{font-size:14px;font-weight:600}"
    ".figure text{fill:currentColor}.figure .grid{stroke:currentColor;opacity:.14}"
    ".figure .axis{stroke:currentColor;opacity:.5}.figure .curve{fill:none;stroke-width:1.8}"
    ".figure .band{opacity:.18}"
    f"@media(prefers-color-scheme:dark){{svg.figure{{color:{INK['dark']}}}}}"
)
"""Rules for all figures: once in a page, or within a figure that is a file of its own."""
_ALONE = (
    f"svg.figure{{background:{BACKGROUND['light']}}}"
    f"@media(prefers-color-scheme:dark){{svg.figure{{background:{BACKGROUND['dark']}}}}}"
)
"""Rules of a file: what is behind it, which in a page is the page's."""


def svg_of(figure: Figure, *, alone: bool = False) -> str:
    """The figure as an SVG element. alone: as the content of a file, with the rules that it is drawn by.

    Every text is escaped and cut; nothing in it is executed.
    """
    return sheet_of([figure], alone=alone)


def sheet_of(figures: Sequence[Figure], *, alone: bool = False) -> str:
    """One figure or several, below one another, as an SVG element; see `svg_of`."""
    drawn = [_drawn(figure) for figure in figures]
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


def _drawn(figure: Figure) -> Drawing:
    match figure:
        case Chart():
            drawing = Drawing(WIDTH, HEIGHT, _chart(figure))
        case HeatMap():
            drawing = Drawing(WIDTH, *_heat_map(figure))
        case Gallery():
            drawing = Drawing(WIDTH, *_gallery(figure))
        case BarList():
            drawing = bar_list(figure)
        case Plane():
            drawing = plane(figure)
    title = f'<text class="title" x="8" y="18">{said(figure.title, 80)}</text>' if figure.title else ""
    return replace(drawing, body=chain([title], drawing.body))


def _chart(chart: Chart) -> Iterable[str]:
    frame = Frame()
    x, y = scales_of(chart)
    yield from axes(frame, chart.x, chart.y, x, y)
    for index, layer in enumerate(chart.layers):
        yield f'<g data-name="{said(layer.name, 80)}">'
        yield from _layer(
            frame, layer, series(index), x, y, len([each for each in chart.layers if isinstance(each, Bars)])
        )
        yield "</g>"
    yield from _legend([layer.name for layer in chart.layers])


def _layer(frame: Frame, layer: Layer, color: str, x: Scale, y: Scale, bars: int) -> Iterable[str]:
    match layer:
        case Curve():
            if layer.low is not None and layer.high is not None:
                edge = np.concatenate([layer.x, layer.x[::-1]]), np.concatenate([layer.high, layer.low[::-1]])
                yield f'<path class="band" fill="{color}" d="{_path(frame, *edge, x, y)}Z"/>'
            kept = _thinned(len(layer.x))
            dash = ' stroke-dasharray="5 4"' if layer.dashed else ""
            path = _path(frame, layer.x[kept], layer.y[kept], x, y)
            yield f'<path class="curve" stroke="{color}"{dash} d="{path}"/>'
        case Points():
            for index, (across, down) in enumerate(zip(frame.across(x, layer.x), frame.down(y, layer.y))):
                if np.isfinite(across) and np.isfinite(down):
                    text = f"<title>{said(layer.texts[index], 200)}</title>" if layer.texts else ""
                    yield f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3.5" fill="{color}">{text}</circle>'
        case Bars():
            at = frame.across(x, np.arange(len(layer.y), dtype=np.float64))
            width = (WIDTH - LEFT - RIGHT) / max(x.high - x.low, 1) * 0.8 / bars
            zero = float(frame.down(y, np.zeros(1))[0])
            for across, down, value in zip(at, frame.down(y, layer.y), layer.y):
                if np.isfinite(down):
                    yield (
                        f'<rect x="{across - width / 2:.1f}" y="{min(down, zero):.1f}" width="{width:.1f}" '
                        f'height="{abs(down - zero):.1f}" fill="{color}"><title>{number(float(value))}</title></rect>'
                    )


def _legend(names: list[str]) -> Iterable[str]:
    if len(names) < 2:
        return
    at = float(WIDTH - RIGHT)
    for index, name in reversed(list(enumerate(names[:8]))):
        text = word(name, 20)
        at -= 7 * len(text) + 22
        if at < WIDTH // 3:
            return
        yield f'<rect x="{at:.0f}" y="22" width="10" height="4" fill="{series(index)}"/>'
        yield f'<text x="{at + 14:.0f}" y="28">{escape(text)}</text>'


def _heat_map(figure: HeatMap) -> tuple[int, Iterable[str]]:
    rows, columns = figure.values.shape
    left, top = LEFT + 30, TOP + 8
    cell = min((WIDTH - left - RIGHT) / columns, 420 / rows)
    height = round(top + rows * cell + BOTTOM)
    colors = shades(figure.values, diverging=figure.diverging)

    def body() -> Iterable[str]:
        yield (
            f'<image x="{left}" y="{top}" width="{columns * cell:.1f}" height="{rows * cell:.1f}" '
            f'preserveAspectRatio="none" style="image-rendering:pixelated" href="{image_address(colors)}"/>'
        )
        for axis, count, least in ((figure.x, columns, 26), (figure.y, rows, 15)):
            step = max(1, math.ceil(least / cell))
            names = axis.categories or tuple(str(n) for n in range(count))
            for n in range(0, count, step):
                if axis is figure.x:
                    place = f'x="{left + (n + 0.5) * cell:.1f}" y="{top + rows * cell + 15:.1f}" text-anchor="middle"'
                else:
                    place = f'x="{left - 5}" y="{top + (n + 0.5) * cell + 4:.1f}" text-anchor="end"'
                yield f"<text {place}>{said(names[n], 12)}</text>"
        if figure.shown:
            for row, column in np.argwhere(np.isfinite(figure.values)):
                ink = "#000" if colors[row, column].mean() > 0.5 else "#fff"
                at = f'x="{left + (column + 0.5) * cell:.1f}" y="{top + (row + 0.5) * cell + 4:.1f}"'
                text = number(float(figure.values[row, column]))
                yield f'<text {at} text-anchor="middle" style="fill:{ink}">{text}</text>'
        middle = left + columns * cell / 2
        yield f'<text x="{middle:.0f}" y="{height - 8}" text-anchor="middle">{said(figure.x.label, 80)}</text>'
        yield (
            f'<text transform="translate(13 {top + rows * cell / 2:.0f}) rotate(-90)" text-anchor="middle">'
            f"{said(figure.y.label, 48)}</text>"
        )

    return height, body()


def _gallery(figure: Gallery) -> tuple[int, Iterable[str]]:
    count = len(figure.pictures)
    columns = figure.columns or min(max(count, 5), 10 if count > 8 else 8)
    side = (WIDTH - 16) / columns
    shapes = [picture.pixels.shape for picture in figure.pictures]
    tall = (side - 4) * min(1.0, max((height / width for height, width, *_ in shapes), default=1.0))
    line = tall + (20 if any(picture.caption for picture in figure.pictures) else 4)
    height = round(TOP + -(-count // columns) * line + 8)

    def one(index: int, picture: Picture) -> str:
        left, top = 8 + index % columns * side, TOP + index // columns * line
        text = said(picture.caption, max(4, round(side / 6.5)))
        return (
            f'<g><title>{said(picture.caption, 200)}</title><image x="{left:.1f}" y="{top:.1f}" '
            f'width="{side - 4:.1f}" height="{tall:.1f}" style="image-rendering:pixelated" '
            f'href="{image_address(picture.pixels)}"/>'
            f'<text x="{left:.1f}" y="{top + tall + 13:.1f}">{text}</text></g>'
        )

    return height, (one(index, picture) for index, picture in enumerate(figure.pictures))


def _path(frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64], across: Scale, down: Scale) -> str:
    parts, drawing = [], False
    for left, top in zip(frame.across(across, x), frame.down(down, y)):
        if not (np.isfinite(left) and np.isfinite(top)):
            drawing = False
            continue
        parts.append(f"{'L' if drawing else 'M'}{left:.1f} {top:.1f}")
        drawing = True
    return "".join(parts) or "M0 0"


def _thinned(count: int) -> NDArray[np.int64]:
    """Indices of the points that are drawn, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(np.int64))
