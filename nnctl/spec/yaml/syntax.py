"""PyYAML's syntax errors in the words of a spec's author."""

from __future__ import annotations

import re

import yaml

from nnctl.errors import Diagnostic, Location
from nnctl.screen.characters import false_blank
from nnctl.spec.yaml.source_text import SourceText

# (pattern of PyYAML's problem, our message, our hint); the first that matches speaks.
_WORDS = (
    (r"found character '\\t'.*", "a tab where YAML wants spaces", "indent with spaces"),
    (
        r"found character '(?P<c>[@`%])'.*",
        "a plain value cannot begin with '{c}'",
        "put the value in quotes",
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
        "line the item up with the others of its list, or remove the dash",
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


_CONTEXTS = (
    ("flow sequence", "the list begins here"),
    ("flow mapping", "the mapping begins here"),
    ("simple key", "the key is here"),
    ("quoted scalar", "the string begins here"),
)
"""Parts that PyYAML was reading, where the beginning tells more than the end."""


def describe(error: yaml.MarkedYAMLError, source: SourceText) -> Diagnostic:
    """The diagnostic of a syntax error, where PyYAML stopped and what it was reading."""
    location = _location(error.problem_mark, source)
    began = _location(error.context_mark, source)
    problem = error.problem or "this is not YAML"
    context = error.context or ""
    if location is not None and problem == "mapping values are not allowed here":
        return _stray_colon(location, source)
    message, hint = problem, ""
    for pattern, words, fix in _WORDS:
        match = re.fullmatch(pattern, problem)
        if match:
            message, hint = words.format(**match.groupdict()), fix.format()
            break
    if "quoted scalar" in context and began is not None and "end of stream" in problem:
        # Where the text ends says nothing about where the quote is missing.
        return Diagnostic(message, began, hint=hint)
    related: tuple[tuple[Location, str], ...] = ()
    words = next((begins for part, begins in _CONTEXTS if part in context), "")
    if words and began is not None and location is not None and began.line != location.line:
        related = ((began, words),)
    return Diagnostic(message, location, hint=hint, related=related)


def _stray_colon(colon: Location, source: SourceText) -> Diagnostic:
    """The diagnostic of a ':' where no key can be: in a value, or after a line that takes this one in."""
    above = colon.line - 2
    while above > 0 and not source.lines[above].strip():
        above -= 1
    for line in (colon.line - 1, max(above, 0)):
        if found := false_blank(source.lines[line]):
            return Diagnostic("a character that only looks like a blank", source.at(line, found[0]))
    if ":" in colon.text[: colon.column - 1]:
        hint = "put a value that contains ': ' in quotes"
        return Diagnostic("a second ':' in one entry", colon, hint=hint)
    text = source.lines[above]
    start = len(text) - len(text.lstrip())
    if re.search(r":(\s|$)", text):
        indent = len(colon.text) - len(colon.text.lstrip())
        hint = "give it the indentation of that entry, or remove that entry's value"
        message = "this line is indented below an entry that has a value already"
        return Diagnostic(message, source.at(colon.line - 1, indent, colon.column - indent), hint=hint)
    hint = "write 'key: value', with a space after the colon"
    return Diagnostic("this line has no ':'", source.at(above, start, len(text.strip())), hint=hint)


def _location(mark: yaml.Mark | None, source: SourceText) -> Location | None:
    if mark is None:
        return None
    line, column = mark.line, mark.column
    # At the end of the text the parser stands after the last line; point at what it still missed.
    while line > 0 and (line >= len(source.lines) or not source.lines[line].strip()):
        line -= 1
        column = len(source.lines[line].rstrip())
    return source.at(line, column)
