"""Charts as SVG: axes, curves, points, bars and a legend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.drawing import (
    HEIGHT,
    TITLE,
    WIDTH,
    Drawing,
    Frame,
    axes,
    extent,
    name_limit,
    placed,
    said,
    shortened,
)
from nnctl.figures.extents import marks, scales_of
from nnctl.figures.figure import Bars, Chart, Curve, Layer, Points
from nnctl.figures.palette import SERIES, series
from nnctl.figures.scales import Scale, number
from nnctl.figures.thinning import thinned
from nnctl.late import dataclass

_MOST_POINTS = 600
"""Points of a curve that are drawn, about: more than its width shows apart."""
_MOST_ENTRIES = 24
"""Entries of a legend."""
_LINE = 17
"""Height of a line of the legend."""
_DASHES = ("", "5 4", "1.5 3", "9 3 2 3")
"""Of the curves that have the palette's colours for the first time, for the second, and so on."""


@dataclass(frozen=True)
class _Plot:
    """The rectangle between the axes, and the scales along them."""

    frame: Frame
    x: Scale
    y: Scale

    def across(self, values: NDArray[np.float64]) -> list[float]:
        places: list[float] = self.frame.across(self.x, values).tolist()
        return places

    def down(self, values: NDArray[np.float64]) -> list[float]:
        places: list[float] = self.frame.down(self.y, values).tolist()
        return places

    def path(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
        """The data of a path through points, broken where one is not finite; "" where there are none."""
        lines: list[list[str]] = [[]]
        for left, top in zip(self.across(x), self.down(y)):
            if math.isfinite(left) and math.isfinite(top):
                lines[-1].append(f"{left:.1f} {top:.1f}")
            elif lines[-1]:
                lines.append([])
        # A line of no length, with round ends, is a point.
        return "".join("M" + "L".join(line) + ("h0" if len(line) == 1 else "") for line in lines if line)


def chart_drawing(chart: Chart, *, numbers: bool) -> Drawing:
    """The drawing of a chart. numbers: with the numbers of its curves, for a page's script."""
    x, y = scales_of(chart)
    if any(isinstance(layer, Points) for layer in chart.layers):
        x, y = (x if chart.x.categories else _wider(x)), _wider(y)
    legend, lines = _legend(chart)
    top = (TITLE if chart.title else 6) + lines * _LINE + 10
    left = (30 if chart.y.label else 14) + max(
        (extent(shortened(text, 12)) for _, text in marks(chart.y, y)), default=0
    )
    right, bottom = WIDTH - 16.0, top + HEIGHT - 76.0
    slot = (right - left) / max(len(chart.x.categories), 1)
    names = [extent(shortened(name, name_limit(slot))) for name in chart.x.categories]
    slanted = 0.0
    if names and max(names) + 6 > slot:
        slanted = max(names) * 0.6 + 14
        # The first name ends below the middle of its slot, and begins within the drawing.
        left = max(left, names[0] * 0.82 + 4 - slot / 2)
    height = bottom + (slanted + 8 if slanted else 24) + (20 if chart.x.label else 4)
    plot = _Plot(Frame(left, right, top, bottom), x, y)
    return Drawing(WIDTH, round(height), chain(legend, _elements(chart, plot, slanted, numbers)))


def _elements(chart: Chart, plot: _Plot, slanted: float, numbers: bool) -> Iterator[str]:
    yield from axes(plot.frame, chart.x, chart.y, plot.x, plot.y, slanted=slanted)
    live = numbers and not chart.x.categories and not any(isinstance(layer, Bars) for layer in chart.layers)
    if live:
        frame = plot.frame
        edges = f"{frame.left:.1f} {frame.right:.1f} {frame.top:.1f} {frame.bottom:.1f}"
        scales = (f"{s.low:.7g} {s.high:.7g} {int(s.log)}" for s in (plot.x, plot.y))
        offered = "".join(name for name, axis in (("x", chart.x), ("y", chart.y)) if not axis.linear)
        yield '<g class="plot" data-frame="{}" data-x="{}" data-y="{}" data-log="{}">'.format(edges, *scales, offered)
    else:
        yield "<g>"
    seen = 0
    for index, layer in enumerate(chart.layers):
        yield from _layer(layer, index, plot, (seen, _bars(chart)), live)
        seen += isinstance(layer, Bars)
    yield "</g>"


def _layer(layer: Layer, index: int, plot: _Plot, bars: tuple[int, int], live: bool) -> Iterator[str]:
    """A layer's elements. bars: how many layers of bars stand before it, and how many there are."""
    name = f'<g class="s{index % len(SERIES)}" data-name="{said(layer.name, 80)}"'
    color = series(index)
    match layer:
        case Curve():
            bounds = [] if layer.low is None or layer.high is None else [layer.low, layer.high]
            kept = thinned([layer.y, *bounds], _MOST_POINTS)
            x, y = layer.x[kept], layer.y[kept]
            bounds = [bound[kept] for bound in bounds]
            yield name + (_numbers(x, y, bounds) if live else "") + ">"
            if bounds:
                low, high = bounds
                whole = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
                edge = plot.path(
                    np.concatenate([x[whole], x[whole][::-1]]), np.concatenate([high[whole], low[whole][::-1]])
                )
                yield f'<path class="band" fill="{color}" d="{edge}Z"/>' if edge else ""
            dash = _DASHES[1] if layer.dashed else _DASHES[index // len(SERIES) % len(_DASHES)]
            dashes = f' stroke-dasharray="{dash}"' if dash else ""
            yield f'<path class="curve" stroke="{color}"{dashes} d="{plot.path(x, y) or "M0 0"}"/></g>'
        case Points():
            lefts, tops = plot.across(layer.x), plot.down(layer.y)
            drawn = np.isfinite(lefts) & np.isfinite(tops)
            yield name + (_numbers(layer.x[drawn], layer.y[drawn], ()) if live else "") + ">"
            for at, (across, down) in enumerate(zip(lefts, tops)):
                if drawn[at]:
                    text = f"<title>{said(layer.texts[at], 200)}</title>" if layer.texts else ""
                    circle = f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3.5" fill="{color}"'
                    yield f"{circle}>{text}</circle>" if text else f"{circle}/>"
            yield "</g>"
        case Bars():
            yield name + ">"
            before, of = bars
            slot = (plot.frame.right - plot.frame.left) / max(plot.x.high - plot.x.low, 1)
            width = min(slot * 0.8 / of, 48.0)
            (zero,) = plot.down(np.zeros(1))
            middles = plot.across(np.arange(len(layer.y), dtype=np.float64))
            for middle, down, value in zip(middles, plot.down(layer.y), layer.y.tolist()):
                if math.isfinite(down):
                    across = middle + (before - of / 2) * width
                    yield (
                        f'<rect x="{across:.1f}" y="{min(down, zero):.1f}" width="{width * 0.94:.1f}" '
                        f'height="{abs(down - zero):.1f}" fill="{color}"><title>{number(value)}</title></rect>'
                    )
            yield "</g>"


def _numbers(x: NDArray[np.float64], y: NDArray[np.float64], bounds: Sequence[NDArray[np.float64]]) -> str:
    """Numbers as attributes; nothing between two commas where one is not finite."""
    lines = [x, y, *bounds]
    texts = (
        ",".join(f"{value:.{digits}g}" if math.isfinite(value) else "" for value in line.tolist())
        for line, digits in zip(lines, (7, 5, 4, 4))
    )
    return "".join(f' data-{key}="{text}"' for key, text in zip(("x", "y", "low", "high"), texts))


def _legend(chart: Chart) -> tuple[list[str], int]:
    """The elements of the legend, none of a chart with one layer, and how many lines they take."""
    names = [layer.name for layer in chart.layers]
    if len(names) < 2:
        return [], 0
    elements: list[str] = []
    top, at, line = TITLE if chart.title else 6, 8.0, 0
    entries = list(zip(chart.layers, (shortened(name, 36) for name in names)))
    left_out = len(entries) - _MOST_ENTRIES
    for index, (layer, text) in enumerate(entries[:_MOST_ENTRIES]):
        width = 22 + extent(text) + 14
        if at > 8 and at + width > WIDTH - 8:
            at, line = 8.0, line + 1
        y = top + line * _LINE + 8
        elements.append(f'<g class="s{index % len(SERIES)}">{_sample(layer, index, at, y)}')
        elements.append(placed(escape(text), at + 22, y + 4) + "</g>")
        at += width
    if left_out > 0:
        line += 1
        elements.append(placed(f"… and {left_out:,} more", 8, top + line * _LINE + 12))
    return elements, line + 1


def _sample(layer: Layer, index: int, x: float, y: float) -> str:
    color = series(index)
    match layer:
        case Curve():
            dash = _DASHES[1] if layer.dashed else _DASHES[index // len(SERIES) % len(_DASHES)]
            dashes = f' stroke-dasharray="{dash}"' if dash else ""
            return f'<path class="curve" stroke="{color}"{dashes} d="M{x:.1f} {y:.1f}h16"/>'
        case Points():
            return f'<circle cx="{x + 8:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>'
        case Bars():
            return f'<rect x="{x + 3:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{color}"/>'


def _wider(scale: Scale) -> Scale:
    """The scale with room for points at its ends."""
    if scale.log:
        factor = (scale.high / scale.low) ** 0.04
        return Scale(scale.low / factor, scale.high * factor, True)
    margin = (scale.high - scale.low) * 0.04
    return Scale(scale.low - margin, scale.high + margin)


def _bars(chart: Chart) -> int:
    return sum(isinstance(layer, Bars) for layer in chart.layers)
