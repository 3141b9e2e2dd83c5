"""YAML of plain data with a reason behind a value, for people who go on writing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nnctl.late import dataclass
from nnctl.screen.characters import width_of, word
from nnctl.spec.dump import dump_value

_COLUMN = 60
"""Characters up to which the comments of neighbouring lines stand under each other."""
_SIMPLE_KEY = 1000
"""Characters of a key that stands before its colon in one line; YAML reads up to 1024."""
_COMMENT = 200


@dataclass(frozen=True)
class Noted:
    """A value with the reason for it, a comment behind its line; no comment where there is none to give."""

    value: object
    why: str = ""


@dataclass(frozen=True)
class _Line:
    text: str
    why: str = ""


def dump_noted(data: Mapping[str, object]) -> str:
    """YAML 1.2 text of plain data whose values may be `Noted`, at any depth.

    What holds a noted value is written in block style, everything else in a line.
    """
    lines = list(_mapping(data, ""))
    return "".join(f"{text}\n" for text in _aligned(lines))


def comment(text: str) -> str:
    """A text as a line of comment."""
    return f"# {word(text, _COMMENT)}\n"


def _mapping(data: Mapping[str, object], indent: str) -> Iterator[_Line]:
    for key, value in data.items():
        name = dump_value(key)
        if len(name) > _SIMPLE_KEY:
            yield _Line(f"{indent}? {name}")
            name = ""
        yield from _entry(f"{indent}{name}:", value, indent + "  ")


def _entry(head: str, given: object, indent: str) -> Iterator[_Line]:
    """The lines of a value behind `head`, its parts indented."""
    value, why = (given.value, given.why) if isinstance(given, Noted) else (given, "")
    if not _holds_notes(value):
        yield _Line(f"{head} {dump_value(value)}", why)
        return
    yield _Line(head, why)
    if isinstance(value, Mapping):
        yield from _mapping(value, indent)
    elif isinstance(value, list):
        for item in value:
            yield from _entry(f"{indent}-", item, indent + "  ")


def _holds_notes(value: object) -> bool:
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return any(isinstance(part, Noted) or _holds_notes(part) for part in parts)


def _aligned(lines: list[_Line]) -> Iterator[str]:
    """The lines with their comments, those of neighbours under each other."""
    first = 0
    while first < len(lines):
        last = first + 1
        while last < len(lines) and bool(lines[last].why) == bool(lines[first].why):
            last += 1
        widths = [width_of(line.text) for line in lines[first:last]]
        column = max((width for width in widths if width <= _COLUMN), default=0)
        for line, width in zip(lines[first:last], widths, strict=True):
            yield f"{line.text}{' ' * max(column - width, 0)}  {comment(line.why)}".rstrip() if line.why else line.text
        first = last
