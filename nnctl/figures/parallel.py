"""Parallel coordinates: many numbers of many things, a line each, over axes beside one another (Inselberg 1985)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.drawing import TITLE, Drawing, Frame, extent, placed, said, shortened
from nnctl.figures.extents import marks
from nnctl.figures.figure import Axis, Table
from nnctl.figures.palette import series
from nnctl.figures.scales import Scale, scale_over
from nnctl.late import dataclass

_COLUMN = 150
"""Width for an axis."""
_LEAST = 760
"""Width at least: it stands over the whole width of a page."""
_HEIGHT = 300
_OTHERS, _BEST = 0, 1
"""The palette's colours."""


@dataclass(frozen=True, eq=False)
class Parallel:
    """Lines over axes: values (lines, axes), at least two axes, NaN where a line leaves one out.

    best: which lines are to be seen before the others, (lines,). names: of the lines.
    """

    title: str
    axes: tuple[Axis, ...]
    values: NDArray[np.float64]
    best: NDArray[np.bool_]
    names: tuple[str, ...]


def parallel_drawing(figure: Parallel) -> Drawing:
    """The drawing of parallel coordinates, the best lines above the others."""
    width = max(_LEAST, _COLUMN * len(figure.axes))
    return Drawing(width, _HEIGHT + TITLE, _body(figure, width))


def parallel_table(figure: Parallel) -> Table:
    """The numbers behind it: a row a line."""
    rows = (
        (name, *(_shown(axis, value) for axis, value in zip(figure.axes, line)))
        for name, line in zip(figure.names, figure.values.tolist())
    )
    return Table(("", *(axis.label for axis in figure.axes)), tuple(rows))


def _shown(axis: Axis, value: float) -> object:
    if not math.isfinite(value):
        return None
    return axis.categories[int(value)] if axis.categories else value


def _body(figure: Parallel, width: int) -> Iterator[str]:
    scales = [_scale(axis, figure.values[:, at]) for at, axis in enumerate(figure.axes)]
    beside = [[(value, shortened(text, 10)) for value, text in marks(*each)] for each in zip(figure.axes, scales)]
    # Outside of the outer axes stand their marks.
    first, last = (max([58.0, *(extent(text) + 10 for _, text in beside[at])]) for at in (0, -1))
    frame = Frame(left=first, right=width - last, top=TITLE + 34, bottom=TITLE + _HEIGHT - 16)
    across = np.linspace(frame.left, frame.right, len(figure.axes)).tolist()
    heights = np.stack([frame.down(scale, figure.values[:, at]) for at, scale in enumerate(scales)], axis=1)
    for color, chosen in ((_OTHERS, ~figure.best), (_BEST, figure.best)):
        yield f'<g class="s{color} {"many" if color == _OTHERS else "few"}">'
        for line in np.flatnonzero(chosen):
            points = zip(across, heights[line].tolist())
            path = "L".join(f"{left:.1f} {top:.1f}" for left, top in points if math.isfinite(top))
            if "L" in path:
                title = f"<title>{said(figure.names[line], 200)}</title>"
                yield f'<path class="curve" stroke="{series(color)}" d="M{path}">{title}</path>'
        yield "</g>"
    room = int((across[1] - across[0]) / 8) - 1
    for at, (axis, scale, left) in enumerate(zip(figure.axes, scales, across)):
        name = shortened(axis.label, max(room, 3))
        # The outer names, in bold letters, stay within the figure.
        half = extent(name) * 0.58 + 2
        middle = min(max(left, half), width - half)
        yield placed(escape(name), middle, frame.top - 12, 'class="head" text-anchor="middle"')
        yield f'<path class="axis" d="M{left:.1f} {frame.top}V{frame.bottom}"/>'
        side, anchor = (6, "start") if at == len(across) - 1 else (-6, "end")
        for value, text in beside[at]:
            top = float(frame.down(scale, np.array([value]))[0])
            yield f'<path class="axis" d="M{left - 3:.1f} {top:.1f}h6"/>'
            yield placed(escape(text), left + side, top + 4, f'class="halo" text-anchor="{anchor}"')


def _scale(axis: Axis, values: NDArray[np.float64]) -> Scale:
    return Scale(-0.5, len(axis.categories) - 0.5) if axis.categories else scale_over(values, log=axis.log)
