"""The parts of which figures are drawn as SVG: their size, texts, axes and pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.extents import marks
from nnctl.figures.figure import Axis
from nnctl.figures.scales import Scale
from nnctl.screen.characters import word

WIDTH, HEIGHT = 640, 360
"""Units of a figure's drawing; it is scaled to where it stands."""
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 46
"""Margins of a chart for its title, numbers and labels."""
_NAME = 28
"""Characters of a name in a figure."""


def image_address(pixels: NDArray[np.float64]) -> str:
    """Pixels, as in a `Picture`, as a PNG within an address (`data:image/png;base64,…`)."""
    from PIL import Image

    levels = np.clip(np.nan_to_num(pixels, nan=0.5) * 255 + 0.5, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def said(text: str, limit: int = _NAME) -> str:
    """A text from strangers as part of an SVG: escaped, its end cut off, nothing in it acts."""
    return escape(word(text if len(text) <= limit else text[: limit - 1] + "…", limit))


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure's drawing: its width and height in units, and elements of SVG."""

    width: int
    height: int
    body: Iterable[str]


@dataclass(frozen=True)
class Frame:
    """The rectangle between the axes of a figure, in units of its drawing."""

    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM

    def across(self, scale: Scale, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The places of values along the x axis."""
        return self.left + scale.place(values) * (self.right - self.left)

    def down(self, scale: Scale, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The places of values along the y axis, whose numbers grow upward."""
        return self.bottom - scale.place(values) * (self.bottom - self.top)


def axes(frame: Frame, across: Axis, down: Axis, x: Scale, y: Scale) -> Iterable[str]:
    """Both axes around a frame, with their numbers and labels, and the lines of a grid."""
    for value, text in marks(down, y):
        at = float(frame.down(y, np.array([value]))[0])
        yield f'<path class="grid" d="M{frame.left:g} {at:.1f}H{frame.right:g}"/>'
        yield f'<text x="{frame.left - 6:g}" y="{at + 4:.1f}" text-anchor="end">{said(text, 12)}</text>'
    for value, text in marks(across, x):
        at = float(frame.across(x, np.array([value]))[0])
        yield f'<path class="axis" d="M{at:.1f} {frame.bottom:g}v4"/>'
        yield f'<text x="{at:.1f}" y="{frame.bottom + 17:g}" text-anchor="middle">{said(text, 12)}</text>'
    yield f'<path class="axis" d="M{frame.left:g} {frame.bottom:g}H{frame.right:g}"/>'
    middle = (frame.left + frame.right) / 2
    yield f'<text x="{middle:.0f}" y="{frame.bottom + 38:g}" text-anchor="middle">{said(across.label, 80)}</text>'
    place = (frame.top + frame.bottom) / 2
    yield (
        f'<text transform="translate(13 {place:.0f}) rotate(-90)" text-anchor="middle">{said(down.label, 48)}</text>'
    )
