"""What may stand behind `--set`: paths into a spec and the values at their ends.

Read off the same dataclasses and registry as validation, and off the spec of
the command line where there is one, which says what `layers.0` is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from nnctl.errors import SpecError
from nnctl.spec.document import Spec
from nnctl.spec.registry import Component, components
from nnctl.spec.source import parse, read_file
from nnctl.spec.tree import plain_data

Candidate = tuple[str, str]
"""A word and what it is."""

_SEGMENT = re.compile(r"\[(?P<key>\w+)=(?P<value>[^\]]*)\]|(?P<name>[^.\[]+)")


def names(kind: str, prefix: str) -> Iterator[Candidate]:
    """The components of a kind whose names begin with `prefix`."""
    for name, cls in components(kind).items():
        if name.startswith(prefix):
            yield name, _summary(cls)


def settings(prefix: str, spec: Path | None) -> Iterator[Candidate]:
    """One level of `path=value`: the fields that continue a path, or the values behind its `=`.

    A spec that cannot be read completes like an empty one: the command itself will say why.
    """
    tree: object = {}
    if spec is not None:
        try:
            tree = plain_data(parse(read_file(spec.expanduser())))
        except SpecError:
            tree = {}
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
    for segment, annotation, node, text in _children(*place):
        selector = segment.startswith("[")
        joint = segment if selector or not head else f".{segment}"
        if segment.startswith(last) and (last or not selector):
            here = f"{head}{joint}"
            if _has_children(annotation, node):
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


def _walk(path: str, tree: object) -> tuple[Any, object] | None:
    """The annotation and the node at the end of a path; None where it leads nowhere."""
    annotation: Any = Spec
    node: object = tree
    for match in _SEGMENT.finditer(path):
        segment = match[0]
        for child, child_annotation, child_node, _ in _children(annotation, node):
            if child == segment:
                annotation, node = child_annotation, child_node
                break
        else:
            return None
    return annotation, node


def _children(annotation: Any, node: object) -> Iterator[tuple[str, Any, object, str]]:
    """(segment, annotation, node, what it is) of each part of a place."""
    item = _item(annotation)
    if item is not None:
        for place, part in enumerate(node if isinstance(node, list) else ()):
            yield str(place), item, part, _type_of(part) or ""
            if isinstance(part, Mapping) and isinstance(part.get("name"), str):
                yield f"[name={part['name']}]", item, part, _type_of(part) or ""
        return
    cls = _record(annotation, node)
    if cls is None:
        return
    hints = get_type_hints(cls, include_extras=True)
    given = node if isinstance(node, Mapping) else {}
    for field in fields(cls):
        yield field.name, hints[field.name], given.get(field.name, _default(field)), _words(hints[field.name])


def _has_children(annotation: Any, node: object) -> bool:
    return next(_children(annotation, node), None) is not None


def _default(field: Field[Any]) -> object:
    """What stands where the spec says nothing: a component by its name."""
    if field.default_factory is not MISSING:
        value = field.default_factory()
        return value.type if isinstance(value, Component) else value
    return None


def _record(annotation: Any, node: object) -> type[Any] | None:
    """The dataclass at a place: by the `type` of its node where it is a component."""
    for member in _members(annotation):
        if _is_kind(member):
            cls = components(member.kind).get(_type_of(node) or "")
            if cls is not None:
                return cls
        elif isinstance(member, type) and is_dataclass(member):
            return member
    return None


def _is_kind(member: Any) -> bool:
    """Whether an annotation says "any component of this kind"."""
    return isinstance(member, type) and issubclass(member, Component) and "type" not in vars(member)


def _type_of(node: object) -> str | None:
    name = node.get("type") if isinstance(node, Mapping) else node
    return name if isinstance(name, str) else None


def _item(annotation: Any) -> Any | None:
    """The annotation of a list's items, None where it is no list."""
    for member in _members(annotation):
        if get_origin(member) in (tuple, list, Sequence):
            return get_args(member)[0]
    return None


def _values(annotation: Any) -> Iterator[Candidate]:
    """The words that a place accepts, where they can be counted."""
    for member in _members(annotation):
        if _is_kind(member):
            yield from names(member.kind, "")
        elif member is bool:
            yield from (("true", ""), ("false", ""))
        elif member is NoneType:
            yield "null", ""
        elif get_origin(member) is Literal:
            yield from ((str(word), "") for word in get_args(member))


def _members(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation, without `Annotated`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _words(annotation: Any) -> str:
    """What the field is, in the words of its declaration."""
    if get_origin(annotation) is Annotated:
        return next((text for text in get_args(annotation)[1:] if isinstance(text, str)), "")
    return ""


def _summary(cls: type[Any]) -> str:
    return (cls.__doc__ or "").split("\n")[0].rstrip(".")
