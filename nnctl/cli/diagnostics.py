"""An error as the user reads it: compiler style, coloured where it is read on a terminal."""

from __future__ import annotations

import os
import re
from typing import TextIO

from nnctl.errors import NnctlError, SpecError
from nnctl.screen.characters import message
from nnctl.screen.guard import unguarded

_RED, _CYAN, _GREEN, _BOLD, _PLAIN = "\x1b[1;31m", "\x1b[1;36m", "\x1b[1;32m", "\x1b[1m", "\x1b[0m"

_HEADLINE = re.compile(r"^(?P<where>\S.*?:\d+:\d+: )?(?P<level>error|note)(?=: )")
_CARETS = re.compile(r"^(?P<gutter>\s+\|\s*)(?P<carets>\^+)$")


def show(error: NnctlError, stream: TextIO) -> None:
    """Write an error to `stream`."""
    print(render(error, stream), file=unguarded(stream))


def render(error: NnctlError, stream: TextIO) -> str:
    """The text of an error for `stream`, harmless and of bounded length.

    A spec's problems carry the place they are at; any other message says who speaks.
    """
    text = str(error)
    if not isinstance(error, SpecError):
        text = f"nnctl: {text}"
    text = message(text)
    return colour(text) if wants_colour(stream) else text


def wants_colour(stream: TextIO) -> bool:
    """True where escape sequences make `stream` easier to read (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def colour(text: str) -> str:
    """Diagnostics with bold places, red and cyan levels, green carets."""
    return "\n".join(_colour_line(line) for line in text.split("\n"))


def _colour_line(line: str) -> str:
    if match := _CARETS.match(line):
        return f"{match['gutter']}{_GREEN}{match['carets']}{_PLAIN}"
    if match := _HEADLINE.match(line):
        level = _RED if match["level"] == "error" else _CYAN
        return f"{_BOLD}{match['where'] or ''}{_PLAIN}{level}{match['level']}{_PLAIN}{line[match.end() :]}"
    if line.startswith("nnctl: "):
        return f"{_RED}nnctl{_PLAIN}{line[5:]}"
    return line
