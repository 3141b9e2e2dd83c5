"""Planes as SVG: what lies over two numbers, with its contours, the points on it, and what its colours mean."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.contours import contour
from nnctl.figures.drawing import Drawing, Frame, axes, image_address, said
from nnctl.figures.figure import Marks, Plane
from nnctl.figures.palette import rgb, series, shades, shares
from nnctl.figures.scales import Scale, number, scale_over

_FRAME = Frame(left=56, right=396, top=36, bottom=376)
_WIDTH, _HEIGHT = 560, 420
_KEY = 408
"""The place at which the meaning of the colours begins."""
_MOST_CLASSES = 18
"""Classes that are named beside a plane."""


def plane(figure: Plane) -> Drawing:
    """The drawing of a plane."""
    return Drawing(_WIDTH, _HEIGHT, _body(figure))


def pixels_of(figure: Plane) -> NDArray[np.float64]:
    """The colours (rows, columns, 3) from 0 to 1 of a plane's values."""
    if figure.classes:
        return shares(figure.values)
    return shades(places_of(figure))


def places_of(figure: Plane) -> NDArray[np.float64]:
    """The places of a plane's numbers between its least, 0, and its largest, 1."""
    return _scale(figure).place(figure.values)


def bounds_of(figure: Plane) -> tuple[float, float]:
    """The least and the largest of a plane's numbers."""
    scale = _scale(figure)
    return scale.low, scale.high


def mark_colors(figure: Plane, marks: Marks) -> NDArray[np.float64]:
    """The colours (n, 3) from 0 to 1 of the points on a plane: where the net is right, those around them."""
    if figure.classes:
        return np.array([rgb(series(int(value))) for value in marks.values]).reshape(-1, 3)
    places = np.clip(_scale(figure).place(marks.values), 0.0, 1.0)
    return shades(np.concatenate([places, [0.0, 1.0]]))[:-2]


def _body(figure: Plane) -> Iterable[str]:
    rows, columns = figure.values.shape[:2]
    x, y = (_edges(*bounds, cells) for bounds, cells in ((figure.x_range, columns), (figure.y_range, rows)))
    wide, high = _FRAME.right - _FRAME.left, _FRAME.bottom - _FRAME.top
    place = f'x="{_FRAME.left}" y="{_FRAME.top}" width="{wide}" height="{high}"'
    yield f'<image {place} preserveAspectRatio="none" href="{image_address(pixels_of(figure))}"/>'
    yield from axes(_FRAME, figure.x, figure.y, x, y)
    cell = np.array([high / rows, wide / columns])
    for level, grid in _lines(figure):
        ends = (contour(grid, level) + 0.5) * cell + (_FRAME.top, _FRAME.left)
        path = "".join(f"M{a[1]:.1f} {a[0]:.1f}L{b[1]:.1f} {b[0]:.1f}" for a, b in ends)
        if path:
            yield f'<path d="{path}" fill="none" stroke="#333" stroke-width="{1.4 if figure.classes else 0.7}"/>'
    if figure.marks is not None:
        yield from _marks(figure, figure.marks, x, y)
    yield from _class_key(figure.classes) if figure.classes else _value_key(figure)


def _lines(figure: Plane) -> Iterable[tuple[float, NDArray[np.float64]]]:
    """Levels, and the grid on which each is."""
    if not figure.classes:
        return [(level, figure.values) for level in figure.contours]
    ahead = []
    for one in range(len(figure.classes)):
        rest = np.delete(figure.values, one, axis=-1)
        ahead.append((0.0, figure.values[..., one] - rest.max(axis=-1, initial=-np.inf)))
    # Of two classes one line is the other.
    return ahead[:1] if len(ahead) == 2 else ahead


def _marks(figure: Plane, marks: Marks, x: Scale, y: Scale) -> Iterable[str]:
    colors = ["rgb({:.0f},{:.0f},{:.0f})".format(*color) for color in mark_colors(figure, marks) * 255]
    across, down = _FRAME.across(x, marks.x), _FRAME.down(y, marks.y)
    # A light edge parts points of classes from one another, a dark one those on numbers from what is around.
    edge = "#fff" if figure.classes else "#333"
    radius = 3.2 if len(colors) <= 500 else 2.2
    for left, top, color in zip(across, down, colors):
        inside = _FRAME.left <= left <= _FRAME.right and _FRAME.top <= top <= _FRAME.bottom
        if inside:
            place = f'cx="{left:.1f}" cy="{top:.1f}" r="{radius}"'
            yield f'<circle {place} fill="{color}" stroke="{edge}" stroke-width=".8"/>'


def _class_key(classes: tuple[str, ...]) -> Iterable[str]:
    for index, name in enumerate(classes[:_MOST_CLASSES]):
        top = _FRAME.top + 18 * index
        yield f'<rect x="{_KEY}" y="{top:g}" width="12" height="12" fill="{series(index)}"/>'
        yield f'<text x="{_KEY + 18}" y="{top + 10:g}">{said(name, 14)}</text>'
    if (more := len(classes) - _MOST_CLASSES) > 0:
        yield f'<text x="{_KEY}" y="{_FRAME.top + 18 * _MOST_CLASSES + 10:g}">and {more:,} more</text>'


def _value_key(figure: Plane) -> Iterable[str]:
    scale = _scale(figure)
    bar = image_address(shades(np.linspace(1.0, 0.0, 64)[:, None]))
    tall = _FRAME.bottom - _FRAME.top
    yield f'<image x="{_KEY}" y="{_FRAME.top}" width="16" height="{tall}" preserveAspectRatio="none" href="{bar}"/>'
    for value in scale.ticks():
        top = float(_FRAME.down(scale, np.array([value]))[0])
        yield f'<text x="{_KEY + 22}" y="{top + 4:.1f}">{number(value)}</text>'


def _scale(figure: Plane) -> Scale:
    return scale_over(figure.values.reshape(-1), log=figure.log)


def _edges(first: float, last: float, cells: int) -> Scale:
    """The scale from edge to edge of cells whose middles lie from `first` to `last`."""
    half = (last - first) / max(cells - 1, 1) / 2
    return Scale(first - half, last + half)
