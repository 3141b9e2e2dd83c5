"""Figures as PNG, by resvg: the drawing of their SVG as pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnctl.errors import UsageError
from nnctl.figures.figure import Figure
from nnctl.figures.svg import BACKGROUND, BACKGROUND_ON_DARK, ON_DARK, STYLE, svg_of

_PIXELS = 2
"""For each unit of a drawing."""
_MOST_PIXELS = 16_000
"""Of a side of a file: few programs show more."""
_MOST_AREA = 2e7
"""Pixels of a file: more take many seconds to draw."""
_PIXELATED = 'image[image-rendering="pixelated"]{image-rendering:pixelated}'
"""The attribute as a rule, for resvg knows it as one alone."""
_PROBE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><text y="16">A</text></svg>'


def png_of(figures: Sequence[Figure], *, dark: bool = False) -> bytes:
    """The content of a PNG file of figures below one another, on white or, if `dark`, in light ink on dark.

    Raises UsageError where resvg is not installed, or the system has no font for it to write with.
    """
    require_png()
    import resvg_py

    # resvg knows no preferences of a reader: it is given the rules for dark, and the background.
    style = STYLE + _PIXELATED + ON_DARK * dark
    svg, background = svg_of(*figures), BACKGROUND_ON_DARK if dark else BACKGROUND
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, background=background, width=_width(svg), style_sheet=style))


def require_png() -> None:
    """Raise UsageError where no PNG can be drawn here."""
    try:
        import resvg_py
    except ImportError as error:
        raise UsageError(
            "PNG files are drawn by resvg-py, which is not installed\n"
            "  pip install 'nnctl[plot]' brings it; an .svg file needs nothing"
        ) from error
    # A text without a font would be left out without a word.
    if resvg_py.svg_to_bytes(svg_string=_PROBE) == resvg_py.svg_to_bytes(svg_string=_PROBE.replace("A", " ")):
        raise UsageError(
            "PNG files need a font to write with, and the system has none\n"
            "  install one, such as DejaVu Sans; an .svg file takes those of its reader"
        )


def _width(svg: str) -> int:
    """Pixels of the width of a drawing: of wider ones more, so that their texts are as large, while it has bounds."""
    box = svg.partition('viewBox="')[2].partition('"')[0].split()
    wide, high = int(box[2]), int(box[3])
    scale = min(_PIXELS, _MOST_PIXELS / max(wide, high), math.sqrt(_MOST_AREA / (wide * high)))
    return max(1, int(wide * scale))
