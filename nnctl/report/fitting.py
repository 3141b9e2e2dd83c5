"""Pictures and heat maps made small enough for a page, however large the examples and the layers are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.figure import Axis, Figure, Gallery, HeatMap
from nnctl.visualization.pictures import smaller

_LEAST_SIDE = 12


def fitted(figures: Sequence[Figure], pixels: int) -> list[Figure]:
    """The figures, with about so many pixels in all of their pictures and heat maps together at most.

    A picture that is too large has the means of blocks of its pixels, a heat map some of its rows and columns.
    """
    shapes = [shape for figure in figures for shape in _shapes(figure)]
    if sum(height * width for height, width in shapes) <= pixels:
        return list(figures)
    side = max(_LEAST_SIDE, math.isqrt(pixels // len(shapes)))
    return [_fitted(figure, side) for figure in figures]


def _shapes(figure: Figure) -> list[tuple[int, int]]:
    match figure:
        case Gallery():
            return [picture.pixels.shape[:2] for picture in figure.pictures]
        case HeatMap():
            rows, columns = figure.values.shape
            return [(rows, columns)]
    return []


def _fitted(figure: Figure, side: int) -> Figure:
    match figure:
        case Gallery():
            pictures = (replace(picture, pixels=smaller(picture.pixels, side)) for picture in figure.pictures)
            return replace(figure, pictures=tuple(pictures))
        case HeatMap():
            rows, columns = figure.values.shape
            # Where one axis is short, the other has what it leaves.
            down = min(rows, max(side, side * side // columns))
            across = min(columns, max(side, side * side // down))
            if (down, across) == (rows, columns):
                return figure
            y, x = _spread(rows, down), _spread(columns, across)
            values = figure.values[np.ix_(y, x)]
            title = f"{figure.title}, some of them"
            return replace(figure, title=title, x=_at(figure.x, x), y=_at(figure.y, y), values=values)
    return figure


def _spread(length: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(np.int64))


def _at(axis: Axis, places: NDArray[np.int64]) -> Axis:
    names = tuple(axis.categories[place] if axis.categories else str(place) for place in places.tolist())
    return replace(axis, categories=names)
