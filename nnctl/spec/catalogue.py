"""The catalogue: what each component says of itself, for `nnctl explain`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from nnctl.components.pretraining import Pretraining
from nnctl.components.registry import Component, components, kinds, not_loaded, package_of, summary
from nnctl.errors import UsageError
from nnctl.spec.document import Spec
from nnctl.spec.dump import default_data, to_data
from nnctl.spec.messages.hints import did_you_mean
from nnctl.spec.messages.rewriting import component_of
from nnctl.spec.messages.synonyms import suggest
from nnctl.spec.messages.wording import expected, kind_name
from nnctl.spec.schema.forms import Field, Form, ListOf, MapOf, OneOf, Record, Variant, fields_of, own_first


@dataclass(frozen=True)
class FieldEntry:
    """A field of a component.

    accepts: the values, in words. default: as a spec writes it; None also where the field is required.
    by_convention: what null stands for by each convention, where one decides.
    """

    name: str
    accepts: str
    required: bool
    default: object
    by_convention: dict[str, object]
    about: str


@dataclass(frozen=True)
class Entry:
    """A component in the catalogue.

    summary: one line. about: all of its words. formula: empty where it computes none.
    under: the path of the spec's key that holds it, such as "layers" or "layers.N.activation".
    example: the key with a value, as a spec has it. package: where the component comes from.
    """

    kind: str
    name: str
    summary: str
    about: str
    formula: str
    under: str
    example: str
    fields: tuple[FieldEntry, ...]
    package: str


def entry(kind: str, name: str) -> Entry:
    """The entry of a component that there is."""
    cls = components(kind)[name]
    under, template = _places()[kind]
    about = inspect.cleandoc(cls.__doc__ or "")
    return Entry(
        kind=kind,
        name=name,
        summary=summary(cls),
        about=about,
        formula=cls.formula,
        under=under,
        example=template.replace("…", example(cls)),
        fields=tuple(_field(cls, field) for field in own_first(cls)),
        package=package_of(cls),
    )


def example(cls: type[Component]) -> str:
    """A component as a spec names it: its own example, or else the shortest that says what it needs."""
    return cls.example or component_of(cls, None)


def find(words: str) -> list[Entry]:
    """The components that go by a name, or the one that `kind.name` says. Raises UsageError."""
    kind, dot, name = words.partition(".")
    if dot and kind in kinds():
        if name in components(kind):
            return [entry(kind, name)]
        close = suggest(name, components(kind))
        hint = did_you_mean(f"{kind}.{close}") if close else f"nnctl explain --list {kind}"
        raise UsageError("\n  ".join([f"there is no {kind_name(kind)} {name!r}", hint, *not_loaded()]))
    found = [entry(kind, words) for kind in kinds() if words in components(kind)]
    if found:
        return found
    if words in kinds():
        raise UsageError(f"{words!r} is a kind of component\n  nnctl explain --list {words} lists them")
    every = {name for kind in kinds() for name in components(kind)}
    hint = did_you_mean(suggest(words, every)) or "nnctl explain --list has the kinds of components"
    raise UsageError("\n  ".join([f"there is neither a spec nor a component {words!r}", hint, *not_loaded()]))


def names() -> Iterator[tuple[str, str]]:
    """Every word that `find` takes with what it means: names, and `kind.name` where several kinds have a name."""
    owners: dict[str, list[str]] = {}
    for kind in kinds():
        for name in components(kind):
            owners.setdefault(name, []).append(kind)
    for name, having in sorted(owners.items()):
        for kind in having:
            word = name if len(having) == 1 else f"{kind}.{name}"
            yield word, f"{kind_name(kind)}: {summary(components(kind)[name])}"


def known_kind(kind: str) -> str:
    """The kind itself, where there is one. Raises UsageError."""
    if kind in kinds():
        return kind
    close = suggest(kind.removesuffix("s"), kinds()) or suggest(kind, kinds())
    hint = did_you_mean(close) or f"one of {', '.join(kinds())}"
    raise UsageError(f"there is no kind of component {kind!r}\n  {hint}")


def under(kind: str) -> str:
    """The path of the spec's key that holds components of a kind."""
    return _places()[kind][0]


def _field(cls: type[Component], field: Field) -> FieldEntry:
    default = None if field.required else default_data(field)
    by_convention = {name: to_data(value) for name, value in cls.by_convention.get(field.name, {}).items()}
    return FieldEntry(field.name, expected(field.form), field.required, default, by_convention, field.description)


@cache
def _places() -> dict[str, tuple[str, str]]:
    """The nearest place of each kind in a spec: the path of its key, and the key's line with "…" for the component."""
    places: dict[str, tuple[str, str]] = {}
    queue: list[tuple[type, str]] = [(Spec, "")]
    seen: set[type] = set()
    for cls, path in queue:
        if cls in seen:
            continue
        seen.add(cls)
        for field in fields_of(cls).values():
            inner = f"{path}.{field.name}" if path else field.name
            # Of a mapping the words begin with what its keys are: "path: [values]".
            key = field.description.partition(":")[0].upper()
            for form, below, wrapped in _inside(field.form, inner, "…", key):
                if isinstance(form, Record):
                    # Pretraining is a training of its own: its schedule is the run's kind, in its second place.
                    queue.extend([(form.cls, below)] if form.cls is not Pretraining else [])
                    continue
                places.setdefault(form.kind, (inner, f"{field.name}: {wrapped}"))
                queue.extend((candidate, below) for candidate in form.candidates().values())
    return places


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
