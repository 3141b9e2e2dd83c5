"""Charts as SVG: axes, curves, points, bars and a legend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.figure import Axis, Bars, Chart, Curve, Layer, Points
from nnctl.figures.palette import SERIES, series
from nnctl.figures.scales import Scale, number, scale_over
from nnctl.figures.svg_text import HEIGHT, TITLE, WIDTH, extent, placed, said, shortened
from nnctl.figures.thinning import thinned

_MOST_POINTS = 600
"""Points of a curve that are drawn, about: more than its width shows apart."""
_MOST_ENTRIES = 24
"""Entries of a legend."""
_LINE = 17
"""Height of a line of the legend."""
_DASHES = ("", "5 4", "1.5 3", "9 3 2 3")
"""Of the curves that have the palette's colours for the first time, for the second, and so on."""


@dataclass(frozen=True)
class _Frame:
    """The rectangle between the axes, and the scales along them."""

    left: float
    right: float
    top: float
    bottom: float
    x: Scale
    y: Scale

    def across(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.left + self.x.place(values) * (self.right - self.left)

    def down(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.bottom - self.y.place(values) * (self.bottom - self.top)

    def path(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
        """The data of a path through points, broken where one is not finite; "" where there are none."""
        lines: list[list[str]] = [[]]
        for left, top in zip(self.across(x).tolist(), self.down(y).tolist()):
            if math.isfinite(left) and math.isfinite(top):
                lines[-1].append(f"{left:.1f} {top:.1f}")
            elif lines[-1]:
                lines.append([])
        # A line of no length, with round ends, is a point.
        return "".join("M" + "L".join(line) + ("h0" if len(line) == 1 else "") for line in lines if line)


def chart_parts(chart: Chart, numbers: bool) -> tuple[float, Iterator[str]]:
    """The height of a chart, and its elements. numbers: with the numbers of its curves, for a page's script."""
    x = _scale([_x_of(layer) for layer in chart.layers], chart.x)
    y = _scale([values for layer in chart.layers for values in _y_of(layer)], chart.y, bars=_bars(chart) > 0)
    legend, lines = _legend(chart)
    top = (TITLE if chart.title else 6) + lines * _LINE + 10
    left = 30 + max((extent(text) for _, text in _marks(chart.y, y, 99)), default=0.0)
    slots = (WIDTH - 16 - left) / max(len(chart.x.categories), 1)
    names = [text for _, text in _marks(chart.x, x, 99)]
    slanted = bool(chart.x.categories) and any(extent(text) + 6 > slots for text in names)
    below = 20 + (min(max(map(extent, names)), 130.0) * 0.6 if slanted else 14)
    height = top + HEIGHT - 76 + below + (16 if chart.x.label else 0)
    frame = _Frame(left, WIDTH - 16, top, top + HEIGHT - 76, x, y)
    return height, _elements(chart, frame, legend, height, slanted, numbers)


def _elements(
    chart: Chart, frame: _Frame, legend: Sequence[str], height: float, slanted: bool, numbers: bool
) -> Iterator[str]:
    yield from legend
    yield from _axes(chart, frame, height, slanted)
    live = numbers and not chart.x.categories and any(isinstance(layer, Curve) for layer in chart.layers)
    if live:
        edges = f"{frame.left:.1f} {frame.right:.1f} {frame.top:.1f} {frame.bottom:.1f}"
        scales = (f"{s.low:.7g} {s.high:.7g} {int(s.log)}" for s in (frame.x, frame.y))
        yield '<g class="plot" data-frame="{}" data-x="{}" data-y="{}">'.format(edges, *scales)
    else:
        yield "<g>"
    seen = 0
    for index, layer in enumerate(chart.layers):
        yield from _layer(layer, index, frame, (seen, _bars(chart)), live)
        seen += isinstance(layer, Bars)
    yield "</g>"


def _layer(layer: Layer, index: int, frame: _Frame, bars: tuple[int, int], live: bool) -> Iterator[str]:
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
                edge = frame.path(
                    np.concatenate([x[whole], x[whole][::-1]]), np.concatenate([high[whole], low[whole][::-1]])
                )
                yield f'<path class="band" fill="{color}" d="{edge}Z"/>' if edge else ""
            dash = _DASHES[1] if layer.dashed else _DASHES[index // len(SERIES) % len(_DASHES)]
            dashes = f' stroke-dasharray="{dash}"' if dash else ""
            yield f'<path class="curve" stroke="{color}"{dashes} d="{frame.path(x, y) or "M0 0"}"/></g>'
        case Points():
            yield name + ">"
            for at, (across, down) in enumerate(zip(frame.across(layer.x).tolist(), frame.down(layer.y).tolist())):
                if math.isfinite(across) and math.isfinite(down):
                    text = f"<title>{said(layer.texts[at], 200)}</title>" if layer.texts else ""
                    circle = f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3.5" fill="{color}"'
                    yield f"{circle}>{text}</circle>" if text else f"{circle}/>"
            yield "</g>"
        case Bars():
            yield name + ">"
            before, of = bars
            slot = (frame.right - frame.left) / max(frame.x.high - frame.x.low, 1)
            width = min(slot * 0.8 / of, 48.0)
            zero = float(frame.down(np.zeros(1))[0])
            lefts = frame.across(np.arange(len(layer.y), dtype=np.float64)) + (before - of / 2) * width
            for across, down, value in zip(lefts.tolist(), frame.down(layer.y).tolist(), layer.y.tolist()):
                if math.isfinite(down):
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


def _axes(chart: Chart, frame: _Frame, height: float, slanted: bool) -> Iterator[str]:
    yield '<g class="marks">'
    for value, text in _marks(chart.y, frame.y, 99):
        at = float(frame.down(np.array([value]))[0])
        yield f'<path class="grid" d="M{frame.left:.1f} {at:.1f}H{frame.right}"/>'
        yield placed(escape(text), frame.left - 6, at + 4, 'text-anchor="end"')
    for value, text in _marks(chart.x, frame.x, 26):
        at = float(frame.across(np.array([value]))[0])
        yield f'<path class="axis" d="M{at:.1f} {frame.bottom}v4"/>'
        if slanted:
            place = f"translate({at + 4:.1f} {frame.bottom + 14:.1f}) rotate(-35)"
            yield f'<text transform="{place}" text-anchor="end">{escape(text)}</text>'
        else:
            yield placed(escape(text), at, frame.bottom + 17, 'text-anchor="middle"')
    yield "</g>"
    yield f'<path class="axis" d="M{frame.left:.1f} {frame.bottom}H{frame.right}"/>'
    middle = (frame.left + frame.right) / 2
    if chart.x.label:
        yield placed(said(chart.x.label, 60), middle, height - 7, 'text-anchor="middle"')
    if chart.y.label:
        place = f"translate(13 {(frame.top + frame.bottom) / 2:.0f}) rotate(-90)"
        yield f'<text transform="{place}" text-anchor="middle">{said(chart.y.label, 40)}</text>'


def _marks(axis: Axis, scale: Scale, limit: int) -> list[tuple[float, str]]:
    """Numbers, or places of categories, with what is written there, in at most so many characters."""
    if axis.categories:
        step = -(-len(axis.categories) // 24)
        return [(float(n), shortened(text, limit)) for n, text in enumerate(axis.categories) if n % step == 0]
    return [(value, number(value)) for value in scale.ticks()]


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


def _scale(parts: list[NDArray[np.float64]], axis: Axis, *, bars: bool = False) -> Scale:
    if axis.categories:
        return Scale(-0.5, len(axis.categories) - 0.5)
    return scale_over(np.concatenate([*parts, np.empty(0)]), log=axis.log, zero=bars)


def _x_of(layer: Layer) -> NDArray[np.float64]:
    return np.arange(-0.5, len(layer.y) + 0.5) if isinstance(layer, Bars) else layer.x


def _y_of(layer: Layer) -> list[NDArray[np.float64]]:
    edges = [layer.low, layer.high] if isinstance(layer, Curve) else []
    return [layer.y, *(edge for edge in edges if edge is not None)]


def _bars(chart: Chart) -> int:
    return sum(isinstance(layer, Bars) for layer in chart.layers)
