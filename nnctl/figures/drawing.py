"""The parts of which figures are drawn as SVG: their size, texts, axes and pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.extents import marks
from nnctl.figures.figure import Axis
from nnctl.figures.scales import Scale
from nnctl.late import dataclass
from nnctl.screen.characters import width_of, word

WIDTH, HEIGHT = 520, 320
"""Units of a figure's drawing; it is scaled to where it stands, in a column of a page or on a telephone."""
TITLE = 24
"""Height of the line of a title."""
_NAME = 28
"""Characters of a name in a figure."""
_CHARACTER = 8.0
"""Width of a character at most, about: on a telephone, where texts are larger, in a font as wide as Verdana."""


def image_address(pixels: NDArray[np.float64]) -> str:
    """Pixels, as in a `Picture`, as a PNG within an address (`data:image/png;base64,…`)."""
    from PIL import Image

    levels = np.clip(np.nan_to_num(pixels, nan=0.5) * 255 + 0.5, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def said(text: str, limit: int = _NAME) -> str:
    """A text from strangers as part of an SVG: escaped, its end cut off, nothing in it acts."""
    # No character that acts is written out in more than ten.
    text = word(text[: limit + 1], 10 * (limit + 1))
    return escape(text if len(text) <= limit else text[: limit - 1] + "…")


def extent(text: str) -> float:
    """The width of a text, about."""
    return width_of(text) * _CHARACTER


def shortened(text: str, limit: int) -> str:
    """The text with its middle left out where it has more characters than the limit, which is at least 3."""
    text = word(text)
    if len(text) <= limit:
        return text
    return f"{text[: limit * 2 // 3]}…{text[len(text) - (limit - limit * 2 // 3 - 1) :]}"


def placed(text: str, x: float, y: float, attributes: str = "") -> str:
    """A text element. text: escaped."""
    return f'<text x="{x:.1f}" y="{y:.1f}"{" " if attributes else ""}{attributes}>{text}</text>'


def slanting(text: str, x: float, y: float) -> str:
    """A text element that ends at a place, and rises to it. text: escaped."""
    return f'<text transform="translate({x:.1f} {y:.1f}) rotate(-35)" text-anchor="end">{text}</text>'


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure's drawing: its width and height in units, and elements of SVG."""

    width: int
    height: int
    body: Iterable[str]


@dataclass(frozen=True)
class Frame:
    """The rectangle between the axes of a figure, in units of its drawing."""

    left: float
    right: float
    top: float
    bottom: float

    def across(self, scale: Scale, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The places of values along the x axis."""
        return self.left + scale.place(values) * (self.right - self.left)

    def down(self, scale: Scale, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The places of values along the y axis, whose numbers grow upward."""
        return self.bottom - scale.place(values) * (self.bottom - self.top)


def name_limit(slot: float) -> int:
    """The characters that the name of a category may have where each has a slot of such a width."""
    return max(22, min(44, int(slot / _CHARACTER) - 1))


def axes(frame: Frame, across: Axis, down: Axis, x: Scale, y: Scale, *, slanted: float = 0) -> Iterable[str]:
    """Both axes around a frame, with their numbers and labels, and the lines of a grid.

    slanted: the height of the names below the x axis where they slant; 0 where they do not.
    """
    yield '<g class="marks">'
    for value, text in marks(down, y):
        at = float(frame.down(y, np.array([value]))[0])
        yield f'<path class="grid" d="M{frame.left:.1f} {at:.1f}H{frame.right:.1f}"/>'
        yield placed(escape(shortened(text, 12)), frame.left - 6, at + 4, 'text-anchor="end"')
    limit = name_limit((frame.right - frame.left) / max(len(across.categories), 1))
    for value, text in marks(across, x, 12 if across.categories else 6):
        at = float(frame.across(x, np.array([value]))[0])
        yield f'<path class="axis" d="M{at:.1f} {frame.bottom:g}v4"/>'
        name = escape(shortened(text, limit))
        if slanted:
            yield slanting(name, at + 4, frame.bottom + 14)
        else:
            yield placed(name, at, frame.bottom + 17, 'text-anchor="middle"')
    yield f'</g><path class="axis" d="M{frame.left:.1f} {frame.bottom:g}H{frame.right:.1f}"/>'
    if across.label:
        below = frame.bottom + (slanted + 22 if slanted else 36)
        yield placed(said(across.label, 60), (frame.left + frame.right) / 2, below, 'text-anchor="middle"')
    if down.label:
        place = f"translate(13 {(frame.top + frame.bottom) / 2:.0f}) rotate(-90)"
        yield f'<text transform="{place}" text-anchor="middle">{said(down.label, 40)}</text>'
