"""The syntax of `--set path=value`.

A path is keys, indices and selections joined by dots: `layers.0.units`,
`layers.-1.units`, `layers[name=out].activation`. The value is a plain YAML
scalar, or a quoted string, list or mapping in YAML's flow style; a plain
scalar may hold any character. An item of a list that is set to null is taken out.
"""

from __future__ import annotations

import re
from functools import lru_cache

from nnctl.errors import Diagnostic, SpecError
from nnctl.late import dataclass
from nnctl.spec.dump import dump_value
from nnctl.spec.yaml.parser import parse
from nnctl.spec.yaml.scalars import resolve
from nnctl.spec.yaml.source_text import SourceText
from nnctl.spec.yaml.tree import Node, ScalarNode, ScalarValue

ORIGIN = "--set"
"""The file's name in the locations of nodes that an override made."""

_STEP = re.compile(
    r"(?P<key>[^.\[\]=]+)|\[(?P<index>-?\d{1,18})\]|\[(?P<field>[^\[\]=]+)=(?P<wanted>[^\[\]]*)\]|(?P<dot>\.)|(?P<bad>.)"
)
_INDEX = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True)
class PathStep:
    """A step of a path: a key (or an index among keys), or the item whose `key` is `wanted`."""

    key: str
    column: int
    width: int
    wanted: str | None = None

    @property
    def index(self) -> int | None:
        """The step as an index; None where it is a name."""
        return int(self.key) if self.wanted is None and _INDEX.fullmatch(self.key) else None


@dataclass(frozen=True)
class Override:
    """A parsed argument."""

    source: SourceText
    steps: tuple[PathStep, ...]
    value: Node

    def error(self, step: PathStep, message: str, expected: str = "", hint: str = "") -> SpecError:
        """The error for a problem at one step of the path."""
        return SpecError([Diagnostic(message, self.source.at(0, step.column, step.width), expected, hint)])

    def key(self, step: PathStep) -> ScalarNode:
        """The step as a key of a mapping."""
        return ScalarNode(step.key, self.source.at(0, step.column, step.width), step.key)


def parse_override(argument: str) -> Override:
    """The override `path=value`. Raises SpecError that points into the argument."""
    source = SourceText(argument, ORIGIN)
    end = _separator(argument)
    if end is None:
        location = source.at(0, 0, len(source.lines[0]))
        raise SpecError(
            [Diagnostic("an override without '='", location, "path=value, e.g. optimizer.learning_rate=0.1")]
        )
    try:
        steps = _steps(argument[:end])
    except _Unreadable as error:
        raise SpecError([error.at(source)]) from None
    return Override(source, steps, _value(source, end + 1))


def write_override(path: str, value: object) -> str:
    """The argument that sets a path to plain data, for `parse_override` to read back."""
    return f"{path}={dump_value(value)}"


def _separator(argument: str) -> int | None:
    """The position of the first '=' outside brackets."""
    first = argument.find("=")
    if "[" not in argument[:first]:
        return first if first >= 0 else None
    depth = 0
    for position, character in enumerate(argument):
        depth += (character == "[") - (character == "]")
        if character == "=" and depth <= 0:
            return position
    return None


class _Unreadable(Exception):
    """A path that cannot be read, from a column on."""

    def __init__(self, column: int, width: int, message: str, expected: str) -> None:
        super().__init__(message)
        self._column, self._width, self._message, self._expected = column, width, message, expected

    def at(self, source: SourceText) -> Diagnostic:
        return Diagnostic(self._message, source.at(0, self._column, self._width), self._expected)


@lru_cache(maxsize=1_000)
def _steps(path: str) -> tuple[PathStep, ...]:
    """The steps of a path: a sweep asks for the same of each of its trials. Raises _Unreadable."""
    steps: list[PathStep] = []
    joined = True
    for match in _STEP.finditer(path):
        column, width = match.start(), match.end() - match.start()
        bracket = match["index"] is not None or match["field"] is not None
        if match["bad"] is not None or (match["dot"] and joined) or (not match["dot"] and joined == bracket):
            expected = "keys joined by dots, e.g. layers.0.units or layers[name=out].units"
            raise _Unreadable(column, width, "this path cannot be read", expected)
        joined = match["dot"] is not None
        if match["index"] is not None:
            steps.append(PathStep(match["index"], column, width))
        elif match["field"] is not None:
            steps.append(PathStep(match["field"], column, width, match["wanted"]))
        elif match["key"] is not None:
            steps.append(PathStep(match["key"].strip(), column, width))
    if joined:
        raise _Unreadable(len(path), 1, "the path ends too soon" if path else "an override without a path", "a key")
    return tuple(steps)


def _value(source: SourceText, start: int) -> Node:
    text = source.text[start:]
    if text.lstrip()[:1] in ("[", "{", '"', "'"):
        # Blanks in place of the path keep the columns of the argument.
        return parse(SourceText(" " * start + text, ORIGIN, shown=source.text))
    plain = text.strip()
    width = max(1, len(source.lines[0]) - start)
    location = source.at(0, min(start, max(0, len(source.lines[0]) - 1)) if not plain else start, width)
    value: ScalarValue
    try:
        value = resolve(plain)
    except ValueError as error:
        raise SpecError([Diagnostic(str(error), location)]) from None
    return ScalarNode(value, location, plain)
