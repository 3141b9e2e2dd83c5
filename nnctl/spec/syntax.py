"""PyYAML's syntax errors in the words of a spec's author."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from nnctl.errors import Diagnostic, Location

if TYPE_CHECKING:
    from nnctl.spec.source import Source

# (pattern of PyYAML's problem, our message, our hint); the first that matches speaks.
_WORDS = (
    (r"found character '\\t'.*", "a tab where YAML wants spaces", "indent with spaces"),
    (
        r"found character '(?P<c>[@`%])'.*",
        "a plain value cannot begin with '{c}'",
        "put the value in quotes",
    ),
    (
        r"mapping values are not allowed here",
        "a second ':' in one entry",
        "put a value that contains ': ' in quotes, or check this line's indentation",
    ),
    (
        r"sequence entries are not allowed here",
        "a list cannot begin here",
        "begin the list on a line of its own, or write it as [a, b]",
    ),
    (r"could not find expected ':'", "this key has no ':'", "write 'key: value', with a space after the colon"),
    (
        r"expected <block end>, but found '-'|expected <block end>, but found '<block sequence start>'",
        "a list item where the mapping around it goes on",
        "indent the item under its key, or remove the dash",
    ),
    (
        r"expected <block end>, but found .*",
        "this line does not line up with the ones before it",
        "give entries of one mapping or list the same indentation",
    ),
    (r"expected ',' or ']', but got .*", "the list is not closed before this", "add the missing ',' or ']'"),
    (r"expected ',' or '}', but got .*", "the mapping is not closed before this", "add the missing ',' or '}}'"),
    (
        r"expected the node content, but found .*|did not find expected node content",
        "a value is missing here",
        "write a value, or null",
    ),
    (r"found unexpected end of stream", "a quoted string is not closed", "add the closing quote"),
    (
        r"found unknown escape character (?P<c>.*)",
        "unknown escape {c} in a string",
        "use single quotes for text with backslashes",
    ),
    (
        r"found unexpected document separator",
        "a document marker inside a quoted string",
        "add the closing quote before it",
    ),
    (
        r"expected '<document start>', but found .*",
        "the document has ended before this",
        "one spec a file, one mapping at its root",
    ),
)


def describe(error: yaml.MarkedYAMLError, source: Source) -> Diagnostic:
    """The diagnostic of a syntax error, where PyYAML stopped and what it was reading."""
    location = _location(error.problem_mark, source)
    problem = error.problem or "this is not YAML"
    message, hint = problem, ""
    for pattern, words, fix in _WORDS:
        match = re.fullmatch(pattern, problem)
        if match:
            message, hint = words.format(**match.groupdict()), fix.format()
            break
    related: tuple[tuple[Location, str], ...] = ()
    began = error.context_mark
    if began is not None and location is not None and began.line + 1 != location.line:
        where = _location(began, source)
        if where is not None and where.text.strip():
            related = ((where, _context(error.context or "")),)
    return Diagnostic(message, location, hint=hint, related=related)


def _location(mark: yaml.Mark | None, source: Source) -> Location | None:
    if mark is None:
        return None
    line, column = mark.line, mark.column
    # At the end of the text the parser stands behind the last line; point at what it still missed.
    while line > 0 and (line >= len(source.lines) or not source.lines[line].strip()):
        line -= 1
        column = len(source.lines[line].rstrip())
    return source.at(line, column)


def _context(words: str) -> str:
    for part, begins in (
        ("flow sequence", "the list begins here"),
        ("flow mapping", "the mapping begins here"),
        ("block mapping", "the mapping begins here"),
        ("block collection", "the list begins here"),
        ("block sequence", "the list begins here"),
        ("quoted scalar", "the string begins here"),
        ("simple key", "the key is here"),
    ):
        if part in words:
            return begins
    return "it begins here"
