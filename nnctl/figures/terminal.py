"""Figures on a terminal: charts in braille, heat maps and pictures in half-blocks, or both in plain characters."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from nnctl.figures.bar_list import bar_lines
from nnctl.figures.blocks import gallery_lines, heat_map_lines
from nnctl.figures.diagram import diagram_lines
from nnctl.figures.dots import Dots, marker
from nnctl.figures.extents import marks, scales_of
from nnctl.figures.figure import (
    Axis,
    BarList,
    Bars,
    Chart,
    Curve,
    Diagram,
    Figure,
    Gallery,
    HeatMap,
    Layer,
    Plane,
    Points,
    Units,
)
from nnctl.figures.labels import below, fitted
from nnctl.figures.palette import series
from nnctl.figures.plane_blocks import plane_lines
from nnctl.figures.scales import Scale
from nnctl.figures.units import units_lines
from nnctl.screen.console import Console

HEIGHT = 20
"""Lines of a figure where nobody says how many."""
_LEAST = 3
"""Lines that a chart's axes keep, however little there is."""
_MOST_PER_DOT = 4
"""Points of a curve that are drawn for each dot of its width, in the mean."""


def print_figure(figure: Figure, console: Console) -> None:
    """Draw a figure on a console, as wide as that; a figure whose size is its own may have more lines than `HEIGHT`."""
    for line in figure_lines(figure, console.width, plain=is_plain(console)):
        console.print(line, soft_wrap=True)


def figure_lines(figure: Figure, width: int, height: int = HEIGHT, *, plain: bool) -> list[Text]:
    """The lines of a figure, none of them wider than `width`.

    plain: in ASCII, told apart without colours. Names and texts in it are harmless.
    """
    title = [Text(fitted(figure.title, width), "bold")] if figure.title else []
    space = max(height - len(title), 1)
    match figure:
        case Chart():
            lines = _chart_lines(figure, width, space, plain=plain)
        case HeatMap():
            # The names of the columns and the scale stand below.
            lines = heat_map_lines(figure, width, max(space - 2, 1), plain=plain)
        case Gallery():
            lines = gallery_lines(figure, width, space, plain=plain)
        case BarList():
            lines = bar_lines(figure, width, plain=plain)
        case Plane():
            lines = plane_lines(figure, width, space, plain=plain)
        case Diagram():
            lines = diagram_lines(figure, width, plain=plain)
        case Units():
            lines = [Text(fitted(line, width)) for line in units_lines(figure)]
    for line in lines:
        line.truncate(width)
    return title + lines


def is_plain(console: Console) -> bool:
    """True where a console has no colours, or no characters that draw: then all is said in ASCII."""
    # The text screen of Linux has UTF-8, and a font of 512 characters without braille.
    if console.color_system is None or console.no_color or console.is_dumb_terminal or _on_text_screen():
        return True
    try:
        "⣿▀●│".encode(console.encoding)
    except UnicodeEncodeError:
        return True
    return False


def _on_text_screen() -> bool:
    return os.environ.get("TERM") == "linux"


def _chart_lines(chart: Chart, width: int, height: int, *, plain: bool) -> list[Text]:
    x, y = scales_of(chart)
    legend = _legend(chart, width, plain=plain)
    label = fitted(chart.y.label, width) if chart.y.label != chart.title else ""
    head = [*legend, *([Text(label, "dim")] if label else [])]
    foot = 2 + bool(chart.x.label)
    lines = max(_LEAST, height - len(head) - foot)
    names = _names(chart.y, y, lines // 3, lines)
    left = max((Text(text).cell_len for _, text in names), default=0)
    # Where numbers would leave nothing for the curves there are none.
    left = left if left + 10 <= width else 0
    columns = max(1, width - left - 2)
    dots = Dots(columns, lines, plain=plain)
    bars = [layer for layer in chart.layers if isinstance(layer, Bars)]
    for number, layer in enumerate(chart.layers):
        _draw(dots, layer, number, x, y, bars)
    marked = _rows(names, y, lines) if left else {}
    side, corner, across = ("|", "+", "-") if plain else ("┤", "└", "─")
    edge = "|" if plain else "│"
    body = []
    for number, line in enumerate(dots.texts()):
        text = marked.get(number)
        axis = Text(f"{text or '':>{left}} " if left else "") + Text(edge if text is None else side, "dim")
        body.append(axis + line)
    margin = " " * (left + 1 if left else 0)
    ticks = [
        (float(x.place(np.array([value]))[0]) * (columns - 1) + 0.5, text)
        for value, text in _names(chart.x, x, columns // 10, columns // 5)
    ]
    base = Text(margin) + Text(corner + across * columns, "dim")
    under = Text(margin + " " + below(ticks, columns))
    name = fitted(chart.x.label, columns)
    named = [Text(margin + " " + " " * ((columns - Text(name).cell_len) // 2) + name, "dim")] if name else []
    return [*head, *body, base, under, *named]


def _names(axis: Axis, scale: Scale, usual: int, most: int) -> list[tuple[float, str]]:
    """Numbers at an axis: about so many as are usual, and two at least where there is room for most of them."""
    for count in range(max(2, usual), max(2, usual, most) + 1):
        names = [(value, fitted(text, 12)) for value, text in marks(axis, scale, count)]
        if len(names) > 1:
            break
    return names


def _rows(names: list[tuple[float, str]], y: Scale, lines: int) -> dict[int, str]:
    """Numbers at the lines of an axis, line 0 at its top; of several at one line the first."""
    rows: dict[int, str] = {}
    for value, text in names:
        place = float(y.place(np.array([value]))[0])
        rows.setdefault(round((1 - place) * (lines - 1)), text)
    return rows


def _draw(dots: Dots, layer: Layer, number: int, x: Scale, y: Scale, bars: list[Bars]) -> None:
    match layer:
        case Curve():
            kept = _thinned(layer.y, _MOST_PER_DOT * dots.width)
            across = _across(dots, x, layer.x[kept])
            for edge in (layer.low, layer.high):
                if edge is not None:
                    dots.line(across, _down(dots, y, edge[kept]), number, dashed=True)
            dots.line(across, _down(dots, y, layer.y[kept]), number, dashed=layer.dashed)
        case Points():
            across, down = _across(dots, x, layer.x), _down(dots, y, layer.y)
            there = np.isfinite(across) & np.isfinite(down)
            dots.mark(np.rint(across[there]).astype(int), np.rint(down[there]).astype(int), number, whole=True)
        case Bars():
            _draw_bars(dots, layer, number, x, y, bars)


def _draw_bars(dots: Dots, layer: Bars, number: int, x: Scale, y: Scale, bars: list[Bars]) -> None:
    """Bars from 0, beside those of other layers at the same place."""
    room = dots.width / max(x.high - x.low, 1)
    each = max(1, int(room * 0.8 / len(bars)))
    first = (bars.index(layer) - len(bars) / 2) * each
    zero, tops = round(float(_down(dots, y, np.zeros(1))[0])), _down(dots, y, layer.y)
    for place, top in zip(_across(dots, x, np.arange(len(layer.y), dtype=np.float64)), tops):
        if np.isfinite(top):
            columns = np.arange(each) + round(float(place) + first)
            rows = np.arange(min(zero, round(float(top))), max(zero, round(float(top))) + 1)
            grid = np.meshgrid(columns, rows)
            dots.mark(grid[0].ravel(), grid[1].ravel(), number)


def _across(dots: Dots, scale: Scale, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return scale.place(values) * (dots.width - 1)


def _down(dots: Dots, scale: Scale, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return (1 - scale.place(values)) * (dots.height - 1)


def _thinned(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Indices of the values that are drawn: of many, the least and the largest of each part, the first and the last."""
    if len(values) <= most:
        return np.arange(len(values))
    parts = np.array_split(np.where(np.isfinite(values), values, 0.0), most // 2)
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    ends = [(s + int(part.argmin()), s + int(part.argmax())) for s, part in zip(starts, parts)]
    missing = np.flatnonzero(~np.isfinite(values))[:most]
    return np.unique(np.concatenate([[0, len(values) - 1], np.ravel(ends), missing]).astype(np.int64))


def _legend(chart: Chart, width: int, *, plain: bool) -> list[Text]:
    """The names of the layers, where there are several, in as many lines as they need."""
    if len(chart.layers) < 2:
        return []
    lines = [Text()]
    for number, layer in enumerate(chart.layers):
        sign = (
            marker(number) if plain else "●" if isinstance(layer, Points) else "■" if isinstance(layer, Bars) else "━"
        )
        name = Text(sign, series(number)) + Text(" " + fitted(layer.name, max(1, width - 2)))
        if lines[-1] and lines[-1].cell_len + 2 + name.cell_len > width:
            lines.append(Text())
        lines[-1] += (Text("  ") if lines[-1] else Text()) + name
    return lines
