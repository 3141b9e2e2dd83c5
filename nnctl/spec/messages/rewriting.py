"""The text that a spec should have: what a value was meant to be, written as the language has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nnctl.components.base import DataSource, Layer
from nnctl.components.registry import Component
from nnctl.spec.dump import dump_value
from nnctl.spec.messages.synonyms import renamed
from nnctl.spec.schema.forms import (
    Anything,
    ChoiceForm,
    Field,
    Form,
    Leaf,
    ListOf,
    MapOf,
    Record,
    Variant,
    alternatives,
    bare,
    declares,
    fields_of,
    own_first,
)
from nnctl.spec.yaml.tree import MappingNode, Node, ScalarNode, SequenceNode, plain_data, text_of

LONGEST = 60
"""Characters of a value that are repeated."""


def written(node: Node) -> str:
    """A value in one line, "…" where it is long."""
    text = dump_value(plain_data(node))
    return text if len(text) <= LONGEST else "…"


def record_of(record: Record, node: Node) -> str:
    """The mapping that a value means where a record is wanted: its first field that takes such a value; "" without."""
    if isinstance(node, MappingNode):
        return ""
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        fields = fields_of(record.cls).values()
        return "{}" if node.value and not any(field.required for field in fields) else ""
    counted = re.fullmatch(r"(\d+) (\w+)", text_of(node) or "")
    if counted and counted[2] in fields_of(record.cls):
        return f"{{{counted[2]}: {counted[1]}}}"
    field = next((field for field in fields_of(record.cls).values() if takes(field.form, node)), None)
    return f"{{{field.name}: {written(node)}}}" if field else ""


def component_of(cls: type[Component], value: Node | None) -> str:
    """The component that `name: value` means."""
    if isinstance(value, MappingNode):
        fields = [f"{renamed(key, fields_of(cls)) or key}: {written(e.value)}" for key, e in value.entries.items()]
    elif isinstance(value, SequenceNode | ScalarNode) and plain_data(value) not in (None, True):
        taking = _taking(cls, value)
        fields = [f"{taking.name}: {written(value)}"] if taking else [f"{f.name}: …" for f in own_first(cls)[:2]]
    else:
        fields = [f"{field.name}: …" for field in fields_of(cls).values() if field.required]
    return f"{{{', '.join([f'type: {cls.type}', *fields])}}}" if fields or not bare(cls) else cls.type


def component_of_number(form: Variant, node: Node) -> str:
    """The component that a bare number means, as the kind has it, else the one that has a field for it; "" without."""
    if form.base.of_number:
        return form.base.of_number.replace("…", written(node))
    taking = [cls for cls in form.candidates().values() if _taking(cls, node)]
    return component_of(taking[0], node) if len(taking) == 1 else ""


def component_of_list(form: Variant, node: SequenceNode) -> str:
    """The one component that a list by itself means, as [0.1, 0.2] means a choice; "" without."""
    taking = [cls for cls in form.candidates().values() if _taking(cls, node)]
    return component_of(taking[0], node) if len(taking) == 1 else ""


def component_of_file(candidates: Mapping[str, type[Any]], name: str) -> str:
    """The data source that reads files of such a name; "" without."""
    for cls in candidates.values():
        if issubclass(cls, DataSource) and name.lower().endswith(cls.of_files):
            others = [f"{f.name}: …" for f in fields_of(cls).values() if f.required and f.name != "path"]
            return f"{{{', '.join([f'type: {cls.type}', f'path: {dump_value(name)}', *others])}}}"
    return ""


def list_of(form: ListOf, node: Node) -> str:
    """The list that a value means where one is wanted: of itself, or of what a mapping names; "" without."""
    variant = next((f for f in alternatives(form.item) if isinstance(f, Variant)), None)
    if variant is None:
        return f"[{written(node)}]" if takes(form.item, node) else ""
    candidates = variant.candidates()
    if isinstance(node, ScalarNode):
        name = text_of(node)
        if name is not None:
            return f"[{name}]" if name in candidates else ""
        number = component_of_number(variant, node) if type(node.value) in (int, float) else ""
        return f"[{number}]" if number else ""
    if isinstance(node, MappingNode) and node.entries:
        known = {key: candidates.get(key) or candidates.get(renamed(key, candidates)) for key in node.entries}
        if all(known.values()):
            return f"[{', '.join(component_of(cls, node.get(key)) for key, cls in known.items() if cls)}]"
        values = [entry.value for entry in node.entries.values()]
        types = [text_of(value.get("type")) for value in values if isinstance(value, MappingNode)]
        if len(types) == len(values) and all(types) and variant.base.kind == Layer.kind:
            named = [f"{{name: {key}, type: {kind}, …}}" for key, kind in zip(node.entries, types, strict=True)]
            return f"[{', '.join(named)}]"
    return ""


def takes(form: Form, node: Node) -> bool:
    """True where a value is of the shape that a form wants, and of the right type where it is a scalar."""
    return any(_takes(option, node) for option in alternatives(form))


def _takes(form: Form, node: Node) -> bool:
    match form:
        case Leaf():
            return isinstance(node, ScalarNode) and form.accepts(node.value)
        case ChoiceForm(values):
            return isinstance(node, ScalarNode) and any(type(v) is type(node.value) and v == node.value for v in values)
        case Variant():
            return isinstance(node, MappingNode) or text_of(node) in form.candidates()
        case ListOf(item):
            return isinstance(node, SequenceNode) and all(takes(item, part) for part in node.items)
        case MapOf(_, value):
            return isinstance(node, MappingNode) and all(takes(value, e.value) for e in node.entries.values())
        case Record():
            return isinstance(node, MappingNode)
        case Anything():
            return True
        case _:
            return False


def _taking(cls: type[Component], node: Node) -> Field | None:
    """The one field of a component that a bare value must be: the required one, or the only one of its own."""
    fields = own_first(cls)
    required = [field for field in fields if field.required]
    if required:
        return required[0] if len(required) == 1 and takes(required[0].form, node) else None
    own = [field for field in fields if declares(cls, field) and takes(field.form, node)]
    return own[0] if len(own) == 1 else None
