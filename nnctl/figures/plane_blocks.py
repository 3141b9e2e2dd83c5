"""Planes on a terminal: their colours in half-blocks, and the points on them; or the marker of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from nnctl.figures.blocks import pixel_lines, resized, weight_lines
from nnctl.figures.dots import marker
from nnctl.figures.figure import Plane
from nnctl.figures.labels import below, fitted
from nnctl.figures.palette import series, shades
from nnctl.figures.plane import bounds_of, mark_colors, pixels_of, places_of
from nnctl.figures.scales import number

_NUMBER = 9
"""Columns of a number at the side."""


def plane_lines(figure: Plane, width: int, height: int, *, plain: bool) -> list[Text]:
    """A plane within so many columns, and about so many lines."""
    left = _NUMBER if width >= 3 * _NUMBER else 0
    lines = max(1, min(height - 3, (width - left) // 2))
    across = max(1, min(width - left, 2 * lines))
    body = _letters(figure, lines, across) if plain else _pixels(figure, lines, across)
    sides = {0: number(figure.y_range[1]), lines - 1: number(figure.y_range[0])}
    if left:
        body = [Text(f"{fitted(sides.get(n, ''), left - 1):>{left - 1}} ") + line for n, line in enumerate(body)]
    ends = [(0.0, number(figure.x_range[0])), (float(across), number(figure.x_range[1]))]
    under = Text(" " * left + below(ends, across))
    names = Text(fitted(f"{figure.x.label} to the right, {figure.y.label} upward", width), "dim")
    return [*body, under, names, _key(figure, width, plain=plain)]


def _pixels(figure: Plane, lines: int, across: int) -> list[Text]:
    pixels = resized(pixels_of(figure), 2 * lines, across)
    marks = figure.marks
    if marks is not None:
        x, y = (
            (values - bounds[0]) / ((bounds[1] - bounds[0]) or 1.0)
            for values, bounds in ((marks.x, figure.x_range), (marks.y, figure.y_range))
        )
        inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
        rows, columns = _cell(1 - y[inside], 2 * lines), _cell(x[inside], across)
        pixels[rows, columns] = mark_colors(figure, marks)[inside]
    return pixel_lines(pixels, plain=False)


def _letters(figure: Plane, lines: int, across: int) -> list[Text]:
    if not figure.classes:
        return weight_lines(resized(places_of(figure), 2 * lines, across))
    best = resized(figure.values, lines, across)
    finite = np.isfinite(best).all(axis=-1)
    winners = np.where(finite, np.nan_to_num(best).argmax(axis=-1), -1)
    return [Text("".join(marker(one) if one >= 0 else "?" for one in row)) for row in winners.tolist()]


def _key(figure: Plane, width: int, *, plain: bool) -> Text:
    """The meaning of the colours."""
    if not figure.classes:
        low, high = bounds_of(figure)
        bar = np.linspace(0.0, 1.0, 10)[None, :].repeat(2, axis=0)
        colors = weight_lines(bar) if plain else pixel_lines(shades(bar), plain=False)
        return Text(number(low) + " ") + colors[0] + Text(" " + number(high))
    line = Text()
    for index, name in enumerate(figure.classes):
        sign = Text(marker(index) if plain else "■", series(index))
        part = sign + Text(" " + fitted(name, 14) + "  ")
        if line.cell_len + part.cell_len > width:
            break
        line += part
    return line


def _cell(shares: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    return np.minimum((shares * count).astype(np.int64), count - 1)
