"""Figures as SVG: text that a browser shows by itself, and in a page in the page's colours."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.extents import marks, scales_of
from nnctl.figures.figure import Axis, Bars, Chart, Curve, Figure, Gallery, HeatMap, Layer, Picture, Points
from nnctl.figures.palette import series, shades
from nnctl.figures.scales import Scale, number
from nnctl.screen.characters import word

WIDTH, HEIGHT = 640, 360
"""Units of a figure's drawing; it is scaled to where it stands."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 46
"""Margins of a chart for its title, numbers and labels."""
_NAME = 28
"""Characters of a name in a figure."""
_MOST_POINTS = 600
"""Points of a curve that are drawn: as many as its width shows apart."""

STYLE = (
    "svg.figure{font:12px system-ui,sans-serif;color:#1a1a1a}"
    ".figure .title{font-size:14px;font-weight:600}"
    ".figure text{fill:currentColor}.figure .grid{stroke:currentColor;opacity:.14}"
    ".figure .axis{stroke:currentColor;opacity:.5}.figure .curve{fill:none;stroke-width:1.8}"
    ".figure .band{opacity:.18}"
    "@media(prefers-color-scheme:dark){svg.figure{color:#e6e6e6}}"
)
"""Rules for all figures: once in a page, or within a figure that is a file of its own."""


def svg_of(figure: Figure, *, alone: bool = False) -> str:
    """The figure as an SVG element. alone: as the content of a file, with the rules that it is drawn by.

    Every text is escaped and cut; nothing in it is executed.
    """
    match figure:
        case Chart():
            height, body = HEIGHT, _chart(figure)
        case HeatMap():
            height, body = _heat_map(figure)
        case Gallery():
            height, body = _gallery(figure)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="{_said(figure.title, 200)}">'
    )
    style = f"<style>{STYLE}</style>" if alone else ""
    title = f'<text class="title" x="8" y="18">{_said(figure.title, 80)}</text>' if figure.title else ""
    return "".join((head, style, title, *body, "</svg>"))


def image_address(pixels: NDArray[np.float64]) -> str:
    """Pixels, as in a `Picture`, as a PNG within an address (`data:image/png;base64,…`)."""
    from PIL import Image

    levels = np.clip(np.nan_to_num(pixels, nan=0.5) * 255 + 0.5, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _said(text: str, limit: int = _NAME) -> str:
    return escape(word(text, limit))


def _chart(chart: Chart) -> Iterable[str]:
    x, y = scales_of(chart)
    yield from _axes(chart.x, chart.y, x, y)
    for index, layer in enumerate(chart.layers):
        yield f'<g data-name="{_said(layer.name, 80)}">'
        yield from _layer(layer, series(index), x, y, len([each for each in chart.layers if isinstance(each, Bars)]))
        yield "</g>"
    yield from _legend([layer.name for layer in chart.layers])


def _layer(layer: Layer, color: str, x: Scale, y: Scale, bars: int) -> Iterable[str]:
    match layer:
        case Curve():
            if layer.low is not None and layer.high is not None:
                edge = np.concatenate([layer.x, layer.x[::-1]]), np.concatenate([layer.high, layer.low[::-1]])
                yield f'<path class="band" fill="{color}" d="{_path(*edge, x, y)}Z"/>'
            kept = _thinned(len(layer.x))
            dash = ' stroke-dasharray="5 4"' if layer.dashed else ""
            path = _path(layer.x[kept], layer.y[kept], x, y)
            yield f'<path class="curve" stroke="{color}"{dash} d="{path}"/>'
        case Points():
            for index, (across, down) in enumerate(zip(_across(x, layer.x), _down(y, layer.y))):
                if np.isfinite(across) and np.isfinite(down):
                    text = f"<title>{_said(layer.texts[index], 200)}</title>" if layer.texts else ""
                    yield f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3.5" fill="{color}">{text}</circle>'
        case Bars():
            at = _across(x, np.arange(len(layer.y), dtype=np.float64))
            width = (WIDTH - _LEFT - _RIGHT) / max(x.high - x.low, 1) * 0.8 / bars
            zero = float(_down(y, np.zeros(1))[0])
            for across, down, value in zip(at, _down(y, layer.y), layer.y):
                if np.isfinite(down):
                    yield (
                        f'<rect x="{across - width / 2:.1f}" y="{min(down, zero):.1f}" width="{width:.1f}" '
                        f'height="{abs(down - zero):.1f}" fill="{color}"><title>{number(float(value))}</title></rect>'
                    )


def _axes(across: Axis, down: Axis, x: Scale, y: Scale) -> Iterable[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    for value, text in marks(down, y):
        at = float(_down(y, np.array([value]))[0])
        yield f'<path class="grid" d="M{_LEFT} {at:.1f}H{right}"/>'
        yield f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_said(text, 12)}</text>'
    for value, text in marks(across, x):
        at = float(_across(x, np.array([value]))[0])
        yield f'<path class="axis" d="M{at:.1f} {bottom}v4"/>'
        yield f'<text x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{_said(text, 12)}</text>'
    yield f'<path class="axis" d="M{_LEFT} {bottom}H{right}"/>'
    middle = (_LEFT + right) / 2
    yield f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{_said(across.label, 80)}</text>'
    place = (_TOP + bottom) / 2
    yield (
        f'<text transform="translate(13 {place:.0f}) rotate(-90)" text-anchor="middle">{_said(down.label, 48)}</text>'
    )


def _legend(names: list[str]) -> Iterable[str]:
    if len(names) < 2:
        return
    at = float(WIDTH - _RIGHT)
    for index, name in reversed(list(enumerate(names[:8]))):
        text = word(name, 20)
        at -= 7 * len(text) + 22
        if at < WIDTH // 3:
            return
        yield f'<rect x="{at:.0f}" y="22" width="10" height="4" fill="{series(index)}"/>'
        yield f'<text x="{at + 14:.0f}" y="28">{escape(text)}</text>'


def _heat_map(figure: HeatMap) -> tuple[int, Iterable[str]]:
    rows, columns = figure.values.shape
    left, top = _LEFT + 30, _TOP + 8
    cell = min((WIDTH - left - _RIGHT) / columns, 420 / rows)
    height = round(top + rows * cell + _BOTTOM)
    colors = shades(figure.values, diverging=figure.diverging)

    def body() -> Iterable[str]:
        yield (
            f'<image x="{left}" y="{top}" width="{columns * cell:.1f}" height="{rows * cell:.1f}" '
            f'preserveAspectRatio="none" style="image-rendering:pixelated" href="{image_address(colors)}"/>'
        )
        for axis, count in ((figure.x, columns), (figure.y, rows)):
            step = max(1, -(-count // (20 if cell * 20 >= 300 else 10)))
            names = axis.categories or tuple(str(n) for n in range(count))
            for n in range(0, count, step):
                if axis is figure.x:
                    place = f'x="{left + (n + 0.5) * cell:.1f}" y="{top + rows * cell + 15:.1f}" text-anchor="middle"'
                else:
                    place = f'x="{left - 5}" y="{top + (n + 0.5) * cell + 4:.1f}" text-anchor="end"'
                yield f"<text {place}>{_said(names[n], 12)}</text>"
        if figure.shown:
            for row, column in np.argwhere(np.isfinite(figure.values)):
                ink = "#000" if colors[row, column].mean() > 0.5 else "#fff"
                at = f'x="{left + (column + 0.5) * cell:.1f}" y="{top + (row + 0.5) * cell + 4:.1f}"'
                text = number(float(figure.values[row, column]))
                yield f'<text {at} text-anchor="middle" style="fill:{ink}">{text}</text>'
        middle = (left + WIDTH) / 2
        yield f'<text x="{middle:.0f}" y="{height - 8}" text-anchor="middle">{_said(figure.x.label, 80)}</text>'
        yield (
            f'<text transform="translate(13 {top + rows * cell / 2:.0f}) rotate(-90)" text-anchor="middle">'
            f"{_said(figure.y.label, 48)}</text>"
        )

    return height, body()


def _gallery(figure: Gallery) -> tuple[int, Iterable[str]]:
    count = len(figure.pictures)
    columns = min(max(count, 1), 10 if count > 8 else 8)
    side = (WIDTH - 16) / columns
    line = side + (16 if any(picture.caption for picture in figure.pictures) else 4)
    height = round(_TOP + -(-count // columns) * line + 8)

    def one(index: int, picture: Picture) -> str:
        left, top = 8 + index % columns * side, _TOP + index // columns * line
        text = _said(picture.caption, max(4, round(side / 6.5)))
        return (
            f'<g><title>{_said(picture.caption, 200)}</title><image x="{left:.1f}" y="{top:.1f}" '
            f'width="{side - 4:.1f}" height="{side - 4:.1f}" style="image-rendering:pixelated" '
            f'href="{image_address(picture.pixels)}"/>'
            f'<text x="{left:.1f}" y="{top + side + 8:.1f}">{text}</text></g>'
        )

    return height, (one(index, picture) for index, picture in enumerate(figure.pictures))


def _across(scale: Scale, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return _LEFT + scale.place(values) * (WIDTH - _LEFT - _RIGHT)


def _down(scale: Scale, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return HEIGHT - _BOTTOM - scale.place(values) * (HEIGHT - _TOP - _BOTTOM)


def _path(x: NDArray[np.float64], y: NDArray[np.float64], across: Scale, down: Scale) -> str:
    parts, drawing = [], False
    for left, top in zip(_across(across, x), _down(down, y)):
        if not (np.isfinite(left) and np.isfinite(top)):
            drawing = False
            continue
        parts.append(f"{'L' if drawing else 'M'}{left:.1f} {top:.1f}")
        drawing = True
    return "".join(parts) or "M0 0"


def _thinned(count: int) -> NDArray[np.int64]:
    """Indices of the points that are drawn, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(np.int64))
