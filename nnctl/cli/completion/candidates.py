"""Candidates that depend on a spec or on the installed components: paths into a spec, values at their ends, names.

Read off the same dataclasses and registry as validation, and off the spec of
the command line where there is one, which says what `layers.0` is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nnctl.cli.completion.tree import Kind
from nnctl.components.registry import Component, components, kinds, summary
from nnctl.errors import SpecError
from nnctl.screen.characters import word
from nnctl.spec import catalogue
from nnctl.spec.document import Spec
from nnctl.spec.schema.forms import (
    ChoiceForm,
    Field,
    Form,
    Leaf,
    ListOf,
    Null,
    OneOf,
    Record,
    Variant,
    alternatives,
    fields_of,
)
from nnctl.spec.yaml.parser import parse
from nnctl.spec.yaml.source_text import read_file
from nnctl.spec.yaml.tree import plain_data

Candidate = tuple[str, str]
"""A word and its description."""
Part = tuple[str, Form, object, str]
"""A step of a path, its form, its value and its description."""

_STEP = re.compile(r"\[\w+=[^\]]*\]|[^.\[]+")


def candidates(kind: Kind, prefix: str, spec: Path | None) -> Iterator[Candidate]:
    """The values of a dynamic kind that begin with `prefix`.

    What holds a control character is none: a line of the shell cannot be completed to it.
    """
    found: Iterable[Candidate]
    if kind is Kind.SETTING:
        found = settings(prefix, spec)
    elif kind is Kind.PATH:
        found = paths(prefix, spec)
    elif kind is Kind.COMPONENT:
        found = ((name, text) for name, text in (*catalogue.names(), *_kinds()) if name.startswith(prefix))
    else:
        found = names({Kind.SOURCE: "data"}.get(kind, kind.value), prefix)
    for value, text in found:
        if value.isprintable():
            yield value, word(text)


def _kinds() -> Iterator[Candidate]:
    return ((kind, "a kind, for --list") for kind in kinds())


def names(kind: str, prefix: str) -> Iterator[Candidate]:
    """The components of a kind whose names begin with `prefix`."""
    for name, cls in components(kind).items():
        if name.startswith(prefix):
            yield name, summary(cls)


def paths(prefix: str, spec: Path | None) -> Iterator[Candidate]:
    """One level of a path to a value, as `explain --under` takes it."""
    head, last = _split(prefix)
    place = _walk(head, _tree(spec))
    for segment, form, node, text in _parts(*place) if place is not None else ():
        if segment.startswith(last) and not segment.startswith("["):
            here = f"{head}.{segment}" if head else segment
            yield here, text
            if next(_parts(form, node), None) is not None:
                yield f"{here}.", text


def _tree(spec: Path | None) -> object:
    """The plain data of a spec. One that cannot be read completes like an empty one: the command will say why."""
    if spec is None:
        return {}
    try:
        return plain_data(parse(read_file(spec.expanduser())))
    except (SpecError, RuntimeError):  # the latter where it is not known whose home ~ is
        return {}


def settings(prefix: str, spec: Path | None) -> Iterator[Candidate]:
    """One level of `path=value`: the fields that continue a path, or the values after its `=`."""
    tree = _tree(spec)
    path, value = _split_setting(prefix)
    if value is not None:
        place = _walk(path, tree)
        if place is not None:
            yield from ((f"{path}={word}", text) for word, text in _values(place[0]) if word.startswith(value))
        return
    head, last = _split(path)
    place = _walk(head, tree)
    if place is None:
        return
    for segment, form, node, text in _parts(*place):
        selector = segment.startswith("[")
        joint = segment if selector or not head else f".{segment}"
        if segment.startswith(last) and (last or not selector):
            here = f"{head}{joint}"
            if next(_parts(form, node), None) is not None:
                yield f"{here}.", text
            if not segment.isdigit() and not selector:
                yield f"{here}=", text


def _split_setting(prefix: str) -> tuple[str, str | None]:
    """The path and the value, None where no `=` but that of `[name=out]` has been written."""
    match = re.match(r"((?:\[[^\]]*\]?|[^\[=])*)(?:=(.*))?", prefix, re.DOTALL)
    assert match is not None
    return match[1], match[2]


def _split(path: str) -> tuple[str, str]:
    """The finished part of a path and the segment that is being written."""
    bracket, dot = path.rfind("["), path.rfind(".")
    if bracket > dot and "]" not in path[bracket:]:
        return path[:bracket], path[bracket:]
    return (path[:dot], path[dot + 1 :]) if dot >= 0 else ("", path)


def _walk(path: str, tree: object) -> tuple[Form, object] | None:
    """The form and the node at the end of a path; None where it leads nowhere."""
    form: Form = Record(Spec)
    node = tree
    for step in _STEP.findall(path):
        part = next((part for part in _parts(form, node) if part[0] == step), None)
        if part is None:
            return None
        _, form, node, _ = part
    return form, node


def _parts(form: Form, node: object) -> Iterator[Part]:
    """The parts one step below a place."""
    for option in alternatives(form):
        if isinstance(option, ListOf):
            for place, item in enumerate(node if isinstance(node, list) else ()):
                yield str(place), option.item, item, _type_of(item)
                if isinstance(item, Mapping) and isinstance(item.get("name"), str):
                    yield f"[name={item['name']}]", option.item, item, _type_of(item)
            return
        cls = option.cls if isinstance(option, Record) else None
        if isinstance(option, Variant):
            cls = option.candidates().get(_type_of(node))
        if cls is not None:
            given = node if isinstance(node, Mapping) else {}
            for field in fields_of(cls).values():
                yield field.name, field.form, given.get(field.name, _default(field)), field.description
            return


def _default(field: Field) -> object:
    """The value where the spec gives none: of a component, its name."""
    value = None if field.required else field.default()
    return value.type if isinstance(value, Component) else value


def _type_of(node: object) -> str:
    name = node.get("type") if isinstance(node, Mapping) else node
    return name if isinstance(name, str) else ""


def _values(form: Form) -> Iterator[Candidate]:
    """The words that a place accepts, where they can be counted."""
    for option in form.forms if isinstance(form, OneOf) else (form,):
        if isinstance(option, Variant):
            yield from ((name, summary(cls)) for name, cls in option.candidates().items())
        elif isinstance(option, Leaf) and option.base is bool:
            yield from (("true", ""), ("false", ""))
        elif isinstance(option, ChoiceForm):
            yield from ((str(word), "") for word in option.values)
        elif isinstance(option, Null):
            yield "null", ""
