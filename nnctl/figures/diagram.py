"""Diagrams: boxes and the arrows between them, as SVG and on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import pairwise

from rich.text import Text

from nnctl.figures.drawing import TITLE, WIDTH, Drawing, extent, placed, said, shortened
from nnctl.figures.figure import Box, Diagram
from nnctl.figures.labels import fitted
from nnctl.figures.layered import Layout, Point, layered
from nnctl.figures.palette import series

_LINE, _MARGIN = 15, 8
_LONGEST = 34
"""Characters of a line."""


def diagram(figure: Diagram) -> Drawing:
    """The drawing of a diagram, as wide as it has to be."""
    layout = layered([_size(box) for box in figure.boxes], figure.arrows)
    top = (TITLE if figure.title else 0) + (24 if figure.kinds else 8)
    width = max(WIDTH, round(layout.width) + 2 * _MARGIN + 1)
    return Drawing(width, round(top + layout.height) + 12, _body(figure, layout, top, (width - layout.width) / 2))


def diagram_lines(figure: Diagram, width: int, *, plain: bool) -> list[Text]:
    """A diagram within so many columns: a line a box, with those that lead to it."""
    before: dict[int, list[str]] = {}
    for start, end in figure.arrows:
        before.setdefault(end, []).append(figure.boxes[start].name)
    lines = []
    for number, box in enumerate(figure.boxes):
        arrow = "<-" if plain else "←"
        sources = f"  {arrow} {', '.join(before[number])}" if number in before else ""
        text = Text(fitted("  ".join((box.name, *box.lines)) + sources, width))
        text.stylize(series(box.kind), 0, len(fitted(box.name, width)))
        lines.append(text)
    return lines


def _size(box: Box) -> tuple[float, float]:
    texts = [shortened(text, _LONGEST) for text in (box.name, *box.lines)]
    return max(extent(text) for text in texts) + 16, _LINE * len(texts) + 8


def _body(figure: Diagram, layout: Layout, top: float, left: float) -> Iterable[str]:
    at = float(_MARGIN)
    for number, kind in enumerate(figure.kinds):
        yield f'<rect x="{at:.1f}" y="{top - 20:g}" width="10" height="10" {_look(number)}/>'
        yield placed(said(kind, 20), at + 14, top - 11)
        at += 14 + extent(kind) + 14
    arrows = []
    for way in layout.edges:
        points = [(x + left, y + top) for x, y in way]
        x, y = points[-1]
        arrows.append(f"{_curve(points)}M{x - 3:.1f} {y - 5:.1f}L{x:.1f} {y:.1f}L{x + 3:.1f} {y - 5:.1f}")
    yield f'<path fill="none" stroke="currentColor" stroke-opacity=".55" d="{"".join(arrows) or "M0 0"}"/>'
    for box, (x, y) in zip(figure.boxes, layout.boxes):
        width, height = _size(box)
        full = "\n".join((box.name, *box.lines))
        yield f"<g><title>{escape(shortened(full, 300))}</title>"
        yield (
            f'<rect x="{x + left:.1f}" y="{y + top:.1f}" width="{width:.1f}" height="{height:g}" rx="4" '
            f"{_look(box.kind)}/>"
        )
        for line, text in enumerate((box.name, *box.lines)):
            weight = 'font-weight="600" ' if line == 0 else ""
            place = (x + left + width / 2, y + top + _LINE * (line + 1))
            yield placed(escape(shortened(text, _LONGEST)), *place, f'{weight}text-anchor="middle"')
        yield "</g>"


def _look(kind: int) -> str:
    return f'fill="{series(kind)}" fill-opacity=".16" stroke="{series(kind)}"'


def _curve(points: list[Point]) -> str:
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        if abs(x - to_x) < 0.05:
            parts.append(f"V{to_y:.1f}")
        else:
            middle = (y + to_y) / 2
            parts.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
    return "".join(parts)
