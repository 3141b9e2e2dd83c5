"""Texts and measures that all drawings in SVG share."""

from __future__ import annotations

from html import escape

from nnctl.screen.characters import width_of, word

WIDTH, HEIGHT = 520, 320
"""Units of a chart's drawing; it is scaled to where it stands, in a column of a page or on a telephone."""
TITLE = 24
"""Height of the line of a title."""
_CHARACTER = 6.7
"""Width of a character, about: that of a digit, which is wider than most letters."""


def said(text: str, limit: int) -> str:
    """The text within a figure: escaped, at most so long, nothing in it acting."""
    return escape(word(text, limit))


def extent(text: str) -> float:
    """The width of a text, about."""
    return width_of(text) * _CHARACTER


def shortened(text: str, limit: int) -> str:
    """The text with its middle left out where it has more characters than the limit, which is at least 3."""
    text = word(text, 200)
    if len(text) <= limit:
        return text
    return f"{text[: limit * 2 // 3]}…{text[len(text) - (limit - limit * 2 // 3 - 1) :]}"


def placed(text: str, x: float, y: float, attributes: str = "") -> str:
    """A text element. text: escaped."""
    return f'<text x="{x:.1f}" y="{y:.1f}"{" " if attributes else ""}{attributes}>{text}</text>'
