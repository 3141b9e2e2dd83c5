"""The collection of contradictions in a spec, each at its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from nnctl.errors import Diagnostic, Location
from nnctl.late import dataclass
from nnctl.spec.check.validate import Place
from nnctl.spec.document import Spec


@dataclass
class Contradictions:
    """A spec, the places of its values by path, and its problems."""

    spec: Spec
    places: Mapping[str, Place]
    problems: list[Diagnostic] = field(default_factory=list)

    def at(self, path: str) -> Location:
        """The location of a value, or of the nearest part of the spec around it."""
        while path not in self.places:
            path = path.rpartition(".")[0]
        return self.places[path].value

    def problem(self, path: str, message: str, expected: str = "", hint: str = "") -> None:
        """Add a problem of the value at a path."""
        self.problems.append(Diagnostic(message, self.at(path), expected, hint))
