"""Pixels on a terminal: two in a character, one above the other, or characters of growing weight."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from nnctl.figures.figure import Axis, Gallery, HeatMap, Picture
from nnctl.figures.labels import below, fitted
from nnctl.figures.palette import shades, spread
from nnctl.figures.scales import number

_WEIGHTS = " .:-=+*#%@"
"""From nothing to all, where there are no colours."""
_SIDE = 10, 32
"""Columns of a picture among others: smaller ones are enlarged to the first, larger ones made smaller to the second."""
_NAME = 12
"""Columns of a row's name."""


def heat_map_lines(figure: HeatMap, width: int, height: int, *, plain: bool) -> list[Text]:
    """A heat map within so many columns, and about so many lines: its numbers where they are asked for and fit."""
    rows, columns = figure.values.shape
    heads = [fitted(name, _NAME) for name in _names(figure.y, rows)]
    left = max(map(_width, heads), default=0) + 1
    cells = [[number(value) for value in row] for row in figure.values.tolist()]
    widest = max((len(text) for row in cells for text in row), default=0) + 2
    if figure.shown and left + columns * widest <= width:
        body = _numbers(figure, cells, widest, plain=plain)
        places, lines = [(n + 0.5) * widest for n in range(columns)], [(n, n) for n in range(rows)]
    else:
        scale = min((width - left) / max(columns, 1), 2 * height / max(rows, 1))
        scale = float(int(scale)) if scale >= 1 else max(scale, 1 / max(rows, columns, 1))
        across, down = max(1, round(columns * scale)), max(1, round(rows * scale))
        body = _body(figure, across, down, plain=plain)
        places, lines = (
            [(n + 0.5) * scale for n in range(columns)],
            [(int((n + 0.5) * scale / 2), n) for n in range(rows)],
        )
    names = dict(reversed(lines))
    shown = [Text(f"{heads[names[n]] if n in names else '':>{left - 1}} ") + text for n, text in enumerate(body)]
    labels = below(list(zip(places, _names(figure.x, columns))), max(1, width - left))
    return [*shown, Text(" " * left + labels), *_scale_line(figure, left, plain=plain)]


def gallery_lines(figure: Gallery, width: int, height: int, *, plain: bool) -> list[Text]:
    """Pictures beside one another within so many columns; a single one within about so many lines."""
    if not figure.pictures:
        return []
    least, most = _SIDE if len(figure.pictures) > 1 else (min(width, 2 * height), min(width, 2 * height))
    blocks = [_picture(picture, least, min(most, width), plain=plain) for picture in figure.pictures]
    lines: list[Text] = []
    row: list[tuple[int, list[Text]]] = []
    for side, block in blocks:
        full = sum(each + 1 for each, _ in row) + side > width or len(row) == figure.columns
        if row and full:
            lines += _beside(row)
            row = []
        row.append((side, block))
    return lines + _beside(row)


def pixel_lines(pixels: NDArray[np.float64], *, plain: bool) -> list[Text]:
    """Pixels (height, width, 3) from 0 to 1 as lines of half their number; plain: their brightness as weight."""
    if plain:
        return weight_lines(pixels.mean(axis=-1))
    levels = np.clip(np.nan_to_num(pixels, nan=0.5) * 255 + 0.5, 0, 255).astype(int).tolist()
    lines = []
    for upper in range(0, len(levels), 2):
        text = Text()
        for column, color in enumerate(levels[upper]):
            style = _color(color)
            if upper + 1 < len(levels):
                style += f" on {_color(levels[upper + 1][column])}"
            text.append("▀", style)
        lines.append(text)
    return lines


def resized(values: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Values (rows, columns, …) at another size: means of what falls together, or each several times."""
    for axis, size in enumerate((height, width)):
        count = values.shape[axis]
        if size >= count:
            values = values.take(np.arange(size) * count // size, axis=axis)
        else:
            edges = np.arange(size) * count // size
            sizes = np.diff(np.append(edges, count))
            sums = np.add.reduceat(values, edges, axis=axis)
            values = sums / sizes.reshape([-1 if each == axis else 1 for each in range(values.ndim)])
    return values


def _body(figure: HeatMap, across: int, down: int, *, plain: bool) -> list[Text]:
    if plain:
        return weight_lines(resized(spread(figure.values, diverging=figure.diverging), down, across))
    return pixel_lines(resized(shades(figure.values, diverging=figure.diverging), down, across), plain=False)


def _numbers(figure: HeatMap, cells: list[list[str]], widest: int, *, plain: bool) -> list[Text]:
    colors = shades(figure.values, diverging=figure.diverging)
    lines = []
    for texts, row in zip(cells, colors):
        line = Text()
        for text, color in zip(texts, row):
            ink = "#000000" if color.mean() > 0.5 else "#ffffff"
            level = (np.clip(color, 0, 1) * 255 + 0.5).astype(int).tolist()
            line.append(f"{text:>{widest - 1}} ", "" if plain else f"{ink} on {_color(level)}")
        lines.append(line)
    return lines


def weight_lines(values: NDArray[np.float64]) -> list[Text]:
    """Values (rows, columns) from 0 to 1 as characters, of two rows their mean; ? where one is not finite."""
    means = resized(values, -(-len(values) // 2), values.shape[1])
    places = np.clip(np.nan_to_num(means) * len(_WEIGHTS), 0, len(_WEIGHTS) - 1).astype(int)
    finite = np.isfinite(means)
    return [Text("".join(_WEIGHTS[p] if f else "?" for p, f in zip(*row))) for row in zip(places, finite)]


def _scale_line(figure: HeatMap, left: int, *, plain: bool) -> list[Text]:
    """The least and the largest value, and the colours between them."""
    kept = figure.values[np.isfinite(figure.values)]
    if not kept.size:
        return []
    low, high = float(kept.min()), float(kept.max())
    if figure.diverging:
        high = max(abs(low), abs(high))
        low = -high
    bar = np.linspace(low, high, 10)[None, :].repeat(2, axis=0)
    colors = weight_lines(spread(bar)) if plain else pixel_lines(shades(bar, diverging=figure.diverging), plain=False)
    return [Text(" " * left + number(low) + " ") + colors[0] + Text(" " + number(high))]


def _picture(picture: Picture, least: int, most: int, *, plain: bool) -> tuple[int, list[Text]]:
    """The columns of a picture, and its lines."""
    pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None].repeat(3, axis=-1)
    rows, columns = pixels.shape[:2]
    larger = max(rows, columns)
    scale = most / larger if larger > most else max(1, math.floor(least / larger)) if larger < least else 1
    height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    lines = pixel_lines(resized(pixels, height, width), plain=plain)
    return width, [*lines, *([Text(fitted(picture.caption, width))] if picture.caption else [])]


def _beside(row: list[tuple[int, list[Text]]]) -> list[Text]:
    lines = []
    for place in range(max(len(block) for _, block in row)):
        line = Text()
        for side, block in row:
            part = block[place].copy() if place < len(block) else Text()
            part.pad_right(side + 1 - part.cell_len)
            line.append_text(part)
        line.rstrip()
        lines.append(line)
    return [*lines, Text()]


def _names(axis: Axis, count: int) -> list[str]:
    return list(axis.categories) or [str(n) for n in range(count)]


def _width(text: str) -> int:
    return Text(text).cell_len


def _color(level: list[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*level)
