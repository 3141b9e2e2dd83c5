"""Labels on a terminal: cut to the columns that they have, and beside one another where they fit."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from nnctl.screen.characters import word


def fitted(text: str, columns: int) -> str:
    """The text in at most so many columns, harmless; what is longer ends in a tilde."""
    # No character that acts is written out in more than ten.
    text = word(text[: columns + 1], 10 * (columns + 1))
    if cell_len(text) <= columns:
        return text
    return set_cell_size(text, max(columns - 1, 0)) + "~" * min(columns, 1)


def below(labels: list[tuple[float, str]], width: int) -> str:
    """Labels in a line of so many columns, each with its middle at its place; one that meets another is left out."""
    line, end = "", 0
    for place, name in labels:
        text = fitted(name, 12)
        length = cell_len(text)
        start = min(max(round(place - length / 2), 0), width - length)
        if start < end + (end > 0) or start < 0:
            continue
        line += " " * (start - end) + text
        end = start + length
    return line
