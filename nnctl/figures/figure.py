"""Figures as data: what a picture shows, whoever draws it, as SVG, on a terminal or as a table."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.late import dataclass

Values: TypeAlias = NDArray[np.float64]
"""Numbers, (n,); where one is not finite nothing is drawn."""


@dataclass(frozen=True)
class Axis:
    """An axis of a chart. categories: what stands at 0, 1, …, in place of numbers.

    linear: a page does not offer it as a logarithmic one, where its values are shares, or of both signs.
    """

    label: str = ""
    log: bool = False
    categories: tuple[str, ...] = ()
    linear: bool = False


@dataclass(frozen=True, eq=False)
class Curve:
    """A line through points (x, y), each (n,). low, high: the edges of a band around it, (n,)."""

    name: str
    x: Values
    y: Values
    low: Values | None = None
    high: Values | None = None
    dashed: bool = False


@dataclass(frozen=True, eq=False)
class Points:
    """Separate points (x, y), each (n,). texts: what is said of each when it is pointed at; none, or n."""

    name: str
    x: Values
    y: Values
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Bars:
    """A bar from 0 to a value at each category of the x axis, or at 0, 1, …. Values (n,)."""

    name: str
    y: Values


Layer: TypeAlias = Curve | Points | Bars


@dataclass(frozen=True)
class Chart:
    """Curves, points and bars over two axes. The nth layer has the palette's nth colour."""

    title: str
    x: Axis
    y: Axis
    layers: tuple[Layer, ...]


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Numbers of a grid as colours: values (rows, columns), the first row at the top.

    diverging: 0 is the middle of the colours, and both signs reach as far. shown: the numbers stand in the cells.
    """

    title: str
    x: Axis
    y: Axis
    values: NDArray[np.float64]
    diverging: bool = False
    shown: bool = False


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels from 0 to 1: (height, width) grey, or (height, width, 3) red, green and blue."""

    pixels: NDArray[np.float64]
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures beside one another. columns: how many in a row; 0 for as many as fit."""

    title: str
    pictures: tuple[Picture, ...]
    columns: int = 0


@dataclass(frozen=True, eq=False)
class BarList:
    """A bar for each name, below one another, as long as its value (n,) is large, which stands behind it.

    label: of the values.
    """

    title: str
    label: str
    names: tuple[str, ...]
    values: Values


@dataclass(frozen=True, eq=False)
class Marks:
    """Points (x, y) of a plane, each (n,), that have a value each: as a plane's own, a class counted from 0."""

    x: Values
    y: Values
    values: Values


@dataclass(frozen=True, eq=False)
class Plane:
    """Values over a rectangle of two numbers, seen from above.

    x_range, y_range: from the middle of the first cell to that of the last, along each axis. values: numbers
    (rows, columns), the first row at the top, where y is largest; with `classes`, the shares of them at each place,
    (rows, columns, classes). contours: values whose lines are drawn; of classes there is one where the answer changes.
    log: colours and their key by the logarithm of numbers, all above 0.
    """

    title: str
    x: Axis
    y: Axis
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    values: NDArray[np.float64]
    classes: tuple[str, ...] = ()
    marks: Marks | None = None
    contours: tuple[float, ...] = ()
    log: bool = False


@dataclass(frozen=True)
class Unit:
    """A unit of a net: the number within it, and a line below it; "" where there is none yet."""

    number: str = ""
    below: str = ""


@dataclass(frozen=True, eq=False)
class Units:
    """The units of a small net, in columns from its inputs to its outputs, and the weights between neighbouring ones.

    names: of the columns. weights: one fewer than columns, each (units, units of the next).
    """

    title: str
    names: tuple[str, ...]
    columns: tuple[tuple[Unit, ...], ...]
    weights: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Box:
    """A box of a diagram: its name, lines below it, and the number of its kind, which has the palette's colour."""

    name: str
    lines: tuple[str, ...] = ()
    kind: int = 0


@dataclass(frozen=True)
class Diagram:
    """Boxes, and arrows from one to another of a larger number, (from, to). kinds: what the colours of boxes mean."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[tuple[int, int], ...]
    kinds: tuple[str, ...] = ()


Figure: TypeAlias = Chart | HeatMap | Gallery | BarList | Plane | Units | Diagram


@dataclass(frozen=True)
class Table:
    """The numbers behind a figure: names of the columns, and rows of one value a column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def table_of(figure: Chart | HeatMap) -> Table:
    """The numbers that a figure shows. A chart's layers stand below one another, each row with its layer's name."""
    if isinstance(figure, HeatMap):
        rows, columns = figure.values.shape
        names = figure.x.categories or tuple(str(column) for column in range(columns))
        heads = figure.y.categories or tuple(str(row) for row in range(rows))
        return Table((figure.y.label, *names), tuple((head, *row) for head, row in zip(heads, figure.values.tolist())))
    lines: list[tuple[Any, ...]] = []
    for layer in figure.layers:
        x = np.arange(len(layer.y)) if isinstance(layer, Bars) else layer.x
        places = [figure.x.categories[int(each)] for each in x] if figure.x.categories else x.tolist()
        lines += [(layer.name, place, value) for place, value in zip(places, layer.y.tolist())]
    return Table(("", figure.x.label, figure.y.label), tuple(lines))
