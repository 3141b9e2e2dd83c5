"""Kinds of launches: what is compiled. Launches that differ in names, sizes and constants alone are of one kind.

A net repeats itself, and nets repeat one another: the update of a tenth layer, or of another net's, differs from
the first in what is passed. So a kind has a function without names of its own, whose sizes are parameters.
"""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Mapping, Sequence

from nnctl.backends.cpu.codegen.parameters import Parameter, WholeParameter, signature
from nnctl.backends.cpu.compiler.types import Number
from nnctl.late import dataclass

_TOKEN = re.compile(
    r"(?P<kept>\.shape\[\d+\]|\.\w+|\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+)|(?P<name>[^\W\d]\w*)|(?P<whole>\d+)"
)
_ASSIGNED = re.compile(r"^\s*([^\W\d]\w*) =(?!=)|^\s*for ([^\W\d]\w*) in ")
_KEPT_WHOLE = ("0", "1")
"""Numbers that stay in the text: flags, strides of one, the axes that a net does not have."""


@dataclass(frozen=True)
class Kind:
    """A function that launches share.

    lines: its body; parameters p0, p1, … of these types, variables v0, v1, …
    """

    lines: tuple[str, ...]
    types: tuple[tuple[Number, int], ...]

    @property
    def text(self) -> str:
        """The function, as it is compiled."""
        head = ", ".join(f"p{i}" for i in range(len(self.types)))
        return "\n".join([f"def launch({head}):", *(f"    {line}" for line in self.lines)])

    @property
    def described(self) -> str:
        """Its types in words, a part of its key."""
        return ", ".join(f"{number.name}[{axes}]" for number, axes in self.types)


def kind_of(
    lines: Sequence[str], parameters: Mapping[str, Parameter], fixed: frozenset[str]
) -> tuple[Kind, tuple[Parameter, ...]]:
    """The kind of a launch's function, and what it is called with.

    parameters: by their names in the lines. fixed: names that mean the same everywhere.
    """
    variables = {
        name for line in lines for match in [_ASSIGNED.match(line)] if match for name in match.groups() if name
    }
    renamed: dict[str, str] = {}
    passed: list[Parameter] = []
    numbers = itertools.count()

    def parameter(what: Parameter) -> str:
        passed.append(what)
        return f"p{len(passed) - 1}"

    def rename(match: re.Match[str]) -> str:
        token = match.group(0)
        if match.group("kept") or token in fixed or keyword.iskeyword(token):
            return token
        if match.group("whole"):
            return token if token in _KEPT_WHOLE else parameter(WholeParameter(int(token)))
        if token not in renamed:
            if token in parameters:
                renamed[token] = parameter(parameters[token])
            elif token in variables:
                renamed[token] = f"v{next(numbers)}"
            else:
                raise ValueError(f"generated code names {token}, which nothing defines")
        return renamed[token]

    renamed_lines = tuple(_TOKEN.sub(rename, line) for line in lines if not line.lstrip().startswith("#"))
    return Kind(renamed_lines, tuple(signature(each) for each in passed)), tuple(passed)
