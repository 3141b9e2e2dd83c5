"""Contours: the lines along which numbers on a grid have a value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EDGES = ((0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 1, 0), (1, 0, 0, 0))
"""The edges of a cell, from one of its corners (row, column) to the next."""


def contour(values: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Segments (n, 2, 2) of the line of a level, by marching squares: pairs of points (row, column) of the grid.

    values: (rows, columns). Between neighbours the number changes evenly; cells with a corner that is not finite have
    no line. Where a line passes a cell twice, the mean of its corners says which corners belong together.
    """
    rows, columns = np.mgrid[: values.shape[0], : values.shape[1]]
    above = values > level
    corners = (slice(None, -1), slice(1, None))
    finite = np.isfinite(values)
    whole = np.logical_and.reduce([finite[a, b] for a in corners for b in corners])
    crossings, places = [], []
    for down, right, to_down, to_right in _EDGES:
        one, other = (corners[down], corners[right]), (corners[to_down], corners[to_right])
        crossings.append((above[one] != above[other]) & whole)
        with np.errstate(all="ignore"):
            share = np.clip((level - values[one]) / (values[other] - values[one]), 0.0, 1.0)
        place = [axis[one] + share * (axis[other] - axis[one]) for axis in (rows, columns)]
        places.append(np.stack(place, axis=-1))
    crossed = np.stack(crossings)
    found = []
    for first in range(4):
        for second in range(first + 1, 4):
            cells = crossed[first] & crossed[second] & (crossed.sum(axis=0) == 2)
            found.append(np.stack([places[first][cells], places[second][cells]], axis=1))
    twice = crossed.all(axis=0)
    if twice.any():
        middle = np.mean([values[a, b] for a in corners for b in corners], axis=0) > level
        # The first corner stands alone where the middle is on the other side of the level.
        alone = twice & (middle != above[:-1, :-1])
        for cells, pairs in ((alone, ((3, 0), (1, 2))), (twice & ~alone, ((0, 1), (2, 3)))):
            found += [np.stack([places[a][cells], places[b][cells]], axis=1) for a, b in pairs]
    return np.concatenate(found)
