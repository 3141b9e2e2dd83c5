"""Texts of specs and overrides, by whose lines messages point at what was written."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from nnctl.errors import Diagnostic, Location, SpecError

if TYPE_CHECKING:
    import yaml

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


MAX_BYTES = 2**21
"""Of a spec file: what is larger was not written by hand, and parsing it would take minutes."""


class SourceText:
    """A text with its name, which turns positions into `Location`s.

    name: of the text in messages, the path as the user gave it.
    shown: the text that messages quote, where that is more than the text that is parsed.
    """

    def __init__(self, text: str, name: str, shown: str | None = None) -> None:
        """Cut the text into lines, as YAML counts them."""
        self.text = text
        self.name = name
        self.lines = _LINE_BREAK.split(text if shown is None else shown)

    def at(self, line: int, column: int, width: int = 1) -> Location:
        """The location at a line and column that count from 0."""
        text = self.lines[line] if line < len(self.lines) else ""
        return Location(self.name, line + 1, column + 1, max(1, width), text)

    def at_character(self, index: int) -> Location:
        """The location of a character of the text."""
        lines = _LINE_BREAK.split(self.text[:index])
        return self.at(len(lines) - 1, len(lines[-1]))

    def span(self, first: yaml.Event, last: yaml.Event) -> Location:
        """The location from the start of one event to the end of another, or to the end of its line."""
        start, end = first.start_mark, last.end_mark
        assert start is not None
        assert end is not None
        same_line = end.line == start.line
        width = end.column - start.column if same_line else len(self.lines[start.line].rstrip()) - start.column
        return self.at(start.line, start.column, width)


def too_long(name: str) -> SpecError:
    """The error for a text of more than MAX_BYTES."""
    return SpecError([Diagnostic(f"{name} is longer than {MAX_BYTES:,} bytes", expected="a spec, a few pages of YAML")])


def read_file(path: Path, name: str | None = None) -> SourceText:
    """The text of a spec file. `name`: its name in messages, the path where absent.

    Raises SpecError where there is no such file, or where it is not UTF-8 text.
    """
    name = str(path) if name is None else name
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError([Diagnostic(f"{name}: no such file", hint=_nearby(path))]) from None
    except IsADirectoryError:
        raise SpecError([Diagnostic(f"{name} is a folder", expected="a YAML file", hint=_inside(path))]) from None
    except OSError as error:
        raise SpecError([Diagnostic(f"{name} cannot be read: {error.strerror}")]) from None
    return decode(data, name)


def decode(data: bytes, name: str) -> SourceText:
    """The text of a spec's bytes, which messages call `name`. Raises SpecError where they are not UTF-8."""
    if len(data) > MAX_BYTES:
        raise too_long(name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        source = SourceText(data.decode("utf-8", errors="replace"), name)
        location = source.at_character(len(data[: error.start].decode("utf-8")))
        byte = f"byte 0x{data[error.start]:02x} is not UTF-8 text"
        raise SpecError([Diagnostic(byte, location, hint="save the file as UTF-8")]) from None
    return SourceText(text, name)


def _nearby(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    close = difflib.get_close_matches(path.name, sorted(p.name for p in path.parent.iterdir()), n=1)
    return f"did you mean {path.parent / close[0]}?" if close else ""


def _inside(path: Path) -> str:
    specs = sorted(p.name for p in path.iterdir() if p.suffix in (".yaml", ".yml"))
    return f"in it: {', '.join(specs[:8])}{', …' if len(specs) > 8 else ''}" if specs else ""
