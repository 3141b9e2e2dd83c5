"""Places of a spec: every key of the language with its path, and the nearest key that holds each kind of component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from nnctl.components.pretraining import Pretraining
from nnctl.components.registry import Component
from nnctl.late import dataclass
from nnctl.spec.document import Spec
from nnctl.spec.schema.forms import Field, Form, ListOf, MapOf, OneOf, Record, Variant, fields_of


@dataclass(frozen=True)
class Key:
    """A key of the spec language.

    path: where it stands, such as "layers.N.units", the nearest to the root. cls: the component that has it, or the
    section of the spec. lines: of each kind of component that it may hold the key with "…" for the component.
    """

    path: str
    cls: type
    field: Field
    lines: Mapping[str, str]


@cache
def keys() -> tuple[Key, ...]:
    """The keys of everything that a spec can hold, the nearest to its root first; each class is there once."""
    queue: list[tuple[type, str]] = [(Spec, "")]
    seen: set[type] = set()
    found: list[Key] = []
    for cls, path in queue:
        if cls in seen:
            continue
        seen.add(cls)
        for field in fields_of(cls).values():
            inner = f"{path}.{field.name}" if path else field.name
            # Of a mapping the words begin with what its keys are: "path: [values]".
            free = field.description.partition(":")[0].upper()
            lines: dict[str, str] = {}
            for form, below, wrapped in _inside(field.form, inner, "…", free):
                if isinstance(form, Record):
                    queue.append((form.cls, below))
                    continue
                lines.setdefault(form.kind, f"{field.name}: {wrapped}")
                queue.extend((candidate, below) for candidate in form.candidates().values())
            found.append(Key(inner, cls, field, lines))
    return tuple(found)


@cache
def holders() -> dict[str, Key]:
    """The nearest key that holds each kind of component."""
    nearest: dict[str, Key] = {}
    for key in keys():
        # Pretraining is a training of its own: its schedule is the run's kind, in its second place.
        for kind in key.lines if key.cls is not Pretraining else ():
            nearest.setdefault(kind, key)
    return nearest


def _inside(form: Form, path: str, wrapped: str, key: str) -> Iterator[tuple[Record | Variant, str, str]]:
    """The records and components that a form holds: each with its path, and its value around "…".

    key: stands for the keys of a mapping.
    """
    match form:
        case Record() | Variant():
            yield form, path, wrapped
        case ListOf(item):
            yield from _inside(item, f"{path}.N", wrapped.replace("…", "[…]"), key)
        case MapOf(_, value):
            yield from _inside(value, f"{path}.{key}", wrapped.replace("…", f"{{{key}: …}}"), key)
        case OneOf(forms):
            for one in forms:
                yield from _inside(one, path, wrapped, key)


def owner(cls: type) -> str:
    """The name of what has a key: of a component its type; of a section of a spec none."""
    return cls.type if issubclass(cls, Component) else ""
