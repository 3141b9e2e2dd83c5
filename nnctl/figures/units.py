"""Units of a small net, drawn as circles in columns with a line for each weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

import numpy as np

from nnctl.figures.drawing import TITLE, WIDTH, Drawing, placed, said
from nnctl.figures.figure import Units
from nnctl.figures.palette import series
from nnctl.figures.scales import number

MOST_UNITS, MOST_COLUMNS = 8, 6
"""Units of a column, and columns, that can be told apart in a drawing."""
_RADIUS = 23
_APART = 78
"""Units of the drawing from one circle's centre to the next of its column."""
_NUMBERED = 24
"""Weights between two columns that have their numbers at their lines."""


def units_drawing(figure: Units) -> Drawing:
    """The drawing of a net's units: positive weights in the first colour, negative in the second, large ones thick."""
    most = max(map(len, figure.columns))
    return Drawing(WIDTH, round(TITLE + 14 + most * _APART), _body(figure, most))


def _body(figure: Units, most: int) -> Iterable[str]:
    places = [_places(at, len(figure.columns), len(column), most) for at, column in enumerate(figure.columns)]
    for left, right, weights in zip(places, places[1:], figure.weights):
        finite = weights[np.isfinite(weights)]
        largest = float(np.abs(finite).max(initial=0.0)) or 1.0
        for index, weight in np.ndenumerate(weights):
            (x, y), (to, down) = left[index[0]], right[index[1]]
            colour = int(weight < 0)
            width = 0.6 + 2.6 * abs(float(weight)) / largest if np.isfinite(weight) else 0.6
            yield (
                f'<path fill="none" stroke="{series(colour)}" stroke-width="{width:.1f}" '
                f'd="M{x + _RADIUS:.1f} {y:.1f}L{to - _RADIUS:.1f} {down:.1f}"/>'
            )
            if weights.size <= _NUMBERED and np.isfinite(weight):
                # Where the lines that lead to a unit lie apart, and those that lead to others do, too.
                share = 0.78 if weights.shape[1] > 1 else 0.4
                at = x + _RADIUS + share * (to - x - 2 * _RADIUS), y + share * (down - y) - 3
                yield placed(escape(number(float(weight))), *at, 'text-anchor="middle" font-size="10"')
    for name, column, spots in zip(figure.names, figure.columns, places):
        yield placed(said(name, 16), spots[0][0], TITLE + 12, 'text-anchor="middle"')
        for unit, (x, y) in zip(column, spots):
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}" fill="none" stroke="currentColor"/>'
            yield placed(said(unit.number, 10), x, y + 4, 'text-anchor="middle" font-size="11"')
            if unit.below:
                yield placed(said(unit.below, 24), x, y + _RADIUS + 13, 'text-anchor="middle" font-size="10.5"')


def _places(column: int, columns: int, units: int, most: int) -> list[tuple[float, float]]:
    x = 60 + column * (WIDTH - 120) / max(columns - 1, 1)
    first = TITLE + 22 + _RADIUS + (most - units) * _APART / 2
    return [(x, first + unit * _APART) for unit in range(units)]


def units_lines(figure: Units) -> Iterator[str]:
    """Lines on each column: its units' numbers, and the weights that lead on from it."""
    for name, column in zip(figure.names, figure.columns):
        yield f"{name}: {', '.join(f'{unit.number} {unit.below}'.strip() or '·' for unit in column)}"
    for left, right, weights in zip(figure.names, figure.names[1:], figure.weights):
        for row in weights.tolist():
            yield f"{left} → {right}: {', '.join(map(number, row))}"
