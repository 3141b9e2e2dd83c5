"""Origins of all values of a resolved spec, for `nnctl explain`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

from nnctl.components.base import Layer
from nnctl.components.registry import Component, summary
from nnctl.errors import Location
from nnctl.late import dataclass
from nnctl.spec.document import Spec
from nnctl.spec.dump import to_data
from nnctl.spec.load import Loaded
from nnctl.spec.override_syntax import ORIGIN
from nnctl.spec.schema.forms import fields_of

Cause = Literal["file", "override", "default", "root", "convention", "file name"]


@dataclass(frozen=True)
class Origin:
    """One value of the resolved spec.

    path: "layers.2.units". value: plain data; of a component, its type.
    cause: "file" or "override" with the location; "default"; "root", for a value
    that a layer takes from the spec's own key of that name, with its location if
    the file says it; "convention", for one that a convention fills in;
    "file name", for the name of a spec that gives none.
    description: of the field, or of the component. formula: of a component.
    """

    path: str
    value: object
    cause: Cause
    location: Location | None = None
    description: str = ""
    formula: str = ""

    @property
    def words(self) -> str:
        """The cause for people: "spec.yaml:7:3", "--set …", "default", "the spec's initializer", …"""
        match self.cause:
            case "file":
                return str(self.location)
            case "override":
                return f"{ORIGIN} {self.location.text}" if self.location else ORIGIN
            case "root":
                return f"the spec's {self.path.rpartition('.')[2]}"
            case _:
                return self.cause


def origins(loaded: Loaded) -> list[Origin]:
    """Every value of a spec in the order of its fields, defaults included."""
    return list(_Tracer(loaded).fields(loaded.spec, loaded.spec, ""))


@dataclass(frozen=True)
class _Tracer:
    loaded: Loaded

    def fields(self, said: Any, settled: Any, path: str) -> Iterator[Origin]:
        """The fields of a dataclass. settled: the same with conventions filled in."""
        for name, field in fields_of(type(said)).items():
            inner = f"{path}.{name}" if path else name
            value = getattr(said, field.attribute)
            if isinstance(said, Layer) and value is None and name in fields_of(Spec) and name != "name":
                yield self.inherited(inner, name, field.description)
            else:
                final = getattr(settled, field.attribute)
                yield from self.value(value, self.settle(final) if said is settled else final, inner, field.description)

    def value(self, said: Any, settled: Any, path: str, description: str) -> Iterator[Origin]:
        cause, location = self.cause(path)
        if isinstance(said, Component):
            yield Origin(path, said.type, cause, location, summary(type(said)), said.formula)
            yield from self.fields(said, settled, path)
        elif dataclasses.is_dataclass(said):
            yield from self.fields(said, settled, path)
        elif isinstance(said, tuple) and any(isinstance(item, Component) for item in said):
            for index, (item, final) in enumerate(zip(said, settled, strict=True)):
                yield from self.value(item, final, f"{path}.{index}", description)
        elif said is None and settled is not None:
            yield Origin(path, to_data(settled), "convention", None, description)
        elif path == "name" and path not in self.loaded.places:
            yield Origin(path, said, "file name", None, description)
        else:
            yield Origin(path, to_data(said), cause, location, description)

    def settle(self, value: Any) -> Any:
        """A component, or a list of them, with conventions filled in; anything else as it is."""
        if isinstance(value, Component):
            return value.for_convention(self.loaded.spec.convention)
        return tuple(map(self.settle, value)) if isinstance(value, tuple) else value

    def cause(self, path: str) -> tuple[Cause, Location | None]:
        """The cause of the value at a path, with its location."""
        place = self.loaded.places.get(path)
        if place is None:
            return "default", None
        return ("override" if place.value.path == ORIGIN else "file"), place.value

    def inherited(self, path: str, name: str, description: str) -> Origin:
        """A value that a layer leaves to the root of the spec, and the root perhaps to the convention."""
        root = getattr(self.loaded.spec, name)
        if root is not None:
            value = root.type if isinstance(root, Component) else to_data(root)
            return Origin(path, value, "root", self.loaded.locate(name), description)
        if name == "regularizer":
            return Origin(path, None, "default", None, description)
        return Origin(path, self.loaded.spec.convention, "convention", None, description)
