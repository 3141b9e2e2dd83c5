"""The catalogue: what each component and each key of specs says of itself, for `nnctl explain`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from nnctl.components.registry import Component, components, kinds, not_loaded, package_of, summary
from nnctl.errors import UsageError
from nnctl.late import dataclass
from nnctl.spec.dump import default_data, to_data
from nnctl.spec.messages.hints import did_you_mean
from nnctl.spec.messages.rewriting import component_of
from nnctl.spec.messages.synonyms import suggest
from nnctl.spec.messages.wording import expected, kind_name
from nnctl.spec.places import Key, holders, keys, owner
from nnctl.spec.schema.forms import Field, Record, alternatives, own_first


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


@dataclass(frozen=True)
class KeyEntry:
    """A key of the spec language in the catalogue.

    under: its path, such as "schedule.epochs" or "layers.N.units". of: the components that have it, which take the
    same values there; none where it is the spec's own. accepts, required, default, by_convention, about: see
    `FieldEntry`. fields: the keys of a mapping that it may hold.
    """

    kind: str
    name: str
    under: str
    of: tuple[str, ...]
    accepts: str
    required: bool
    default: object
    by_convention: dict[str, object]
    about: str
    holds: tuple[str, ...]
    fields: tuple[FieldEntry, ...]


TYPE = KeyEntry(
    kind="key",
    name="type",
    under="",
    of=(),
    accepts="the name of a component",
    required=True,
    default=None,
    by_convention={},
    about="which component a mapping is; its other keys are those of the component",
    holds=(),
    fields=(),
)
"""The key that every component has, and no field."""


def entry(kind: str, name: str) -> Entry:
    """The entry of a component that there is."""
    cls = components(kind)[name]
    holder = holders()[kind]
    about = inspect.cleandoc(cls.__doc__ or "")
    return Entry(
        kind=kind,
        name=name,
        summary=summary(cls),
        about=about,
        formula=cls.formula,
        under=holder.path,
        example=holder.lines[kind].replace("…", example(cls)),
        fields=tuple(_field(cls, field) for field in own_first(cls)),
        package=package_of(cls),
    )


def example(cls: type[Component]) -> str:
    """A component as a spec names it: its own example, or else the shortest that says what it needs."""
    return cls.example or component_of(cls, None)


def explained(words: str) -> list[Entry | KeyEntry]:
    """All that goes by a name: components, then keys of specs. Raises UsageError where there is neither."""
    found = find_keys(words)
    try:
        return [*find(words), *found]
    except UsageError:
        if found:
            return list(found)
        raise


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
    every = {name for kind in kinds() for name in components(kind)} | {key.field.name for key in keys()}
    hint = did_you_mean(suggest(words, every)) or "nnctl explain --list has the kinds of components"
    raise UsageError("\n  ".join([f"there is no spec, component or key of specs {words!r}", hint, *not_loaded()]))


def find_keys(words: str) -> list[KeyEntry]:
    """The keys of specs that go by a name, or by the end of a path as `watch.every` or `dense.units`."""
    if words == TYPE.name:
        return [TYPE]
    head, _, name = words.rpartition(".")
    alike: dict[tuple[str, str], list[Key]] = {}
    for key in keys():
        named = key.field.name == name and (not head or owner(key.cls) == head or f".{key.path}".endswith(f".{words}"))
        if named:
            alike.setdefault((key.path, repr(_field(key.cls, key.field))), []).append(key)
    return [_key(several) for several in alike.values()]


def names() -> Iterator[tuple[str, str]]:
    """Words that `explained` takes with their meaning: components, by `kind.name` where several have one, and keys."""
    owners: dict[str, list[str]] = {}
    for kind in kinds():
        for name in components(kind):
            owners.setdefault(name, []).append(kind)
    for name, having in sorted(owners.items()):
        for kind in having:
            word = name if len(having) == 1 else f"{kind}.{name}"
            yield word, f"{kind_name(kind)}: {summary(components(kind)[name])}"
    told = {key.field.name: key.field.description for key in reversed(keys())}
    yield from ((name, f"key: {about}") for name, about in sorted(told.items()) if name not in owners)


def known_kind(kind: str) -> str:
    """The kind itself, where there is one. Raises UsageError."""
    if kind in kinds():
        return kind
    close = suggest(kind.removesuffix("s"), kinds()) or suggest(kind, kinds())
    hint = did_you_mean(close) or f"one of {', '.join(kinds())}"
    raise UsageError(f"there is no kind of component {kind!r}\n  {hint}")


def under(kind: str) -> str:
    """The path of the spec's key that holds components of a kind."""
    return holders()[kind].path


def _key(alike: list[Key]) -> KeyEntry:
    """The entry of a key that takes the same in several components."""
    first = alike[0]
    told = _field(first.cls, first.field)
    inside = [form.cls for form in alternatives(first.field.form) if isinstance(form, Record)]
    return KeyEntry(
        kind="key",
        name=told.name,
        under=first.path,
        of=tuple(name for key in alike if (name := owner(key.cls))),
        accepts=told.accepts,
        required=told.required,
        default=told.default,
        by_convention=told.by_convention,
        about=told.about,
        holds=tuple(first.lines),
        fields=tuple(_field(cls, field) for cls in inside for field in own_first(cls)),
    )


def _field(cls: type, field: Field) -> FieldEntry:
    default = None if field.required else default_data(field)
    rules = cls.by_convention.get(field.name, {}) if issubclass(cls, Component) else {}
    by_convention = {name: to_data(value) for name, value in rules.items()}
    return FieldEntry(field.name, expected(field.form), field.required, default, by_convention, field.description)
