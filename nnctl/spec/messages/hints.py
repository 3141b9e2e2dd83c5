"""The likely fix of each kind of mistake."""

from __future__ import annotations

import re

from nnctl.components.fields import Pattern
from nnctl.components.pretraining import Pretraining
from nnctl.components.registry import components, kinds
from nnctl.spec.document import Spec
from nnctl.spec.messages.synonyms import renamed, suggest
from nnctl.spec.messages.wording import article, both, either, kind_name
from nnctl.spec.schema.forms import (
    ChoiceForm,
    Field,
    Form,
    Leaf,
    ListOf,
    OneOf,
    Record,
    Variant,
    alternatives,
    bare,
    fields_of,
    nullable,
    variant_in,
)
from nnctl.spec.yaml.scalars import resolve, write_float
from nnctl.spec.yaml.tree import MappingNode, Node, ScalarNode, SequenceNode, text_of

_TRUE_WORDS = {"yes", "on", "y", "t", "enabled"}
_FALSE_WORDS = {"no", "off", "n", "f", "disabled"}
_ABSENT_WORDS = {"none", "off", "no", "false", "nil", "disabled"}


def did_you_mean(name: str) -> str:
    """The hint that asks for a name; empty where there is none."""
    return f"did you mean '{name}'?" if name else ""


def for_value(node: Node, form: Form, field: Field | None) -> str:
    """A fix for a value that its form refuses."""
    if isinstance(node, ScalarNode):
        return _for_scalar(node, form, field)
    lists = [f for f in alternatives(form) if isinstance(f, ListOf)]
    if isinstance(node, MappingNode) and lists:
        if variant_in(lists[0].item):
            return "put a dash before each item: '- type: …'"
        return "write a list: [a, b]"
    if isinstance(node, SequenceNode) and len(node.items) == 1:
        return "remove the brackets or the dash: one value, not a list, belongs here"
    if isinstance(node, MappingNode) and set(node.entries) == {"type"} and text_of(node.get("type")):
        return f"write {text_of(node.get('type'))}"
    return ""


def _for_scalar(node: ScalarNode, form: Form, field: Field | None) -> str:
    value = node.value
    options = alternatives(form)
    bases = {f.base for f in options if isinstance(f, Leaf)}
    if value is None:
        return "" if field is None or field.required else "remove the key to have the default"
    absent = isinstance(value, str) and value.lower() in _ABSENT_WORDS
    if nullable(form) and (value is False or absent) and bool not in bases:
        return "write null for none"
    if isinstance(value, str):
        if bool in bases and value.lower() in _TRUE_WORDS | _FALSE_WORDS | {"true", "false"}:
            return f"write {'true' if value.lower() in _TRUE_WORDS | {'true'} else 'false'}"
        if bases & {int, float} and (fix := _as_number(node)):
            return fix
        if pattern := next(
            (b for f in options if isinstance(f, Leaf) for b in f.bounds if isinstance(b, Pattern)), None
        ):
            one = f"1 {value.strip().lower()}"
            return f"write {one}" if re.fullmatch(pattern.regex, one) else ""
        choices = [v for f in options if isinstance(f, ChoiceForm) for v in f.values if isinstance(v, str)]
        if choices:
            return did_you_mean(suggest(value, choices))
    if isinstance(value, float) and int in bases and value.is_integer() and abs(value) < 1e15:
        return f"write {int(value)}"
    if value in (0, 1) and bases == {bool}:
        return f"write {'true' if value else 'false'}"
    if not isinstance(value, str) and str in bases:
        return f"put it in quotes: '{node.text}'"
    if any(isinstance(f, ListOf) and f.least <= 1 for f in options) and not bases:
        return f"write a list: [{node.text}]" if node.text else ""
    record = next((f for f in options if isinstance(f, Record)), None)
    if record is not None and isinstance(value, str) and field is not None:
        return within_record(record, value)
    if isinstance(value, int | float) and field is not None and variant_in(form):
        root = _number_home(field.name)
        return f"a number for '{field.name}' belongs in '{root}'" if root else ""
    return ""


def _as_number(node: ScalarNode) -> str:
    text = node.text.strip()
    if node.quoted and isinstance(resolve_or_text(text), int | float):
        return "remove the quotes"
    if re.fullmatch(r"[-+]?\d[\d_]*(\.\d+)?", text) and "_" in text:
        return f"write {text.replace('_', '')}"
    if re.fullmatch(r"[-+]?\d+,\d+", text):
        return (
            f"write {text.replace(',', '.')}, with a point"
            if not re.fullmatch(r"\d{1,3},\d{3}", text)
            else (f"write {text.replace(',', '')} or {text.replace(',', '.')}")
        )
    if percent := re.fullmatch(r"(\d+(?:\.\d+)?) ?%", text):
        return f"write {write_float(round(float(percent[1]) / 100, 12))}"
    if share := re.fullmatch(r"(\d+) ?/ ?(\d+)", text):
        top, bottom = int(share[1][:15]), int(share[2][:15])
        return f"write {write_float(round(top / bottom, 6))}" if bottom else ""
    return ""


def resolve_or_text(text: str) -> object:
    """The value of a plain scalar of this text; the text itself where it is an unusable number."""
    try:
        return resolve(text)
    except ValueError:
        return text


def _number_home(name: str, owner: type | None = None) -> str:
    """The root key whose component has a number of this name, where plain records have none: the optimizer's rate."""
    if any(name in fields_of(cls) and _takes_number(cls, name) for _, cls in (("", Spec), *_records(Spec, ""))):
        return ""
    for root in fields_of(Spec).values():
        variant = variant_in(root.form)
        if variant is None or (owner is not None and issubclass(owner, variant.base)):
            continue
        if any(name in fields_of(cls) and _takes_number(cls, name) for cls in variant.candidates().values()):
            return root.name
    return ""


def _takes_number(cls: type, name: str) -> bool:
    return any(isinstance(f, Leaf) and f.base in (int, float) for f in alternatives(fields_of(cls)[name].form))


def within_record(record: Record, name: str) -> str:
    """A component's name where a record is wanted: the field of the record that takes it."""
    for field in fields_of(record.cls).values():
        variant = variant_in(field.form)
        if variant is not None and name in variant.candidates():
            return f"'{name}' is {article(kind_name(variant.kind))}: write {field.name}: {name} inside the mapping"
    return ""


def for_unknown_type(name: str, kind: str, allowed: dict[str, type], field: Field | None) -> str:
    """A fix for a component's name that its kind does not have."""
    if field is not None and nullable(field.form) and name.lower() in _ABSENT_WORDS and not renamed(name, allowed):
        return "write null for none"
    if known := renamed(name, allowed):
        return did_you_mean(known)
    others = [k for k in kinds() if k != kind and name in components(k)]
    if others:
        return f"'{name}' is {either(article(kind_name(k)) for k in others)}, not {article(kind_name(kind))}"
    return did_you_mean(suggest(name, allowed))


def for_untyped(node: MappingNode, form: Variant) -> str:
    """A fix for a component's mapping without `type`."""
    candidates = form.candidates()
    keys = list(node.entries)
    near = next((key for key in keys if suggest(key, ["type"])), None)
    if near is not None:
        return f"did you mean 'type' for '{near}'?"
    fitting = [name for name, cls in candidates.items() if keys and all(key in fields_of(cls) for key in keys)]
    if 0 < len(fitting) <= 4:
        return f"these keys fit {either(f'type: {name}' for name in fitting)}"
    name = next((key for key in keys if key in candidates), None)
    return "" if name is None else _with_type(name, node.get(name), candidates[name])


def _with_type(name: str, value: Node | None, cls: type) -> str:
    """The component that `name: value` means, as a spec writes it."""
    fields = ""
    if isinstance(value, MappingNode):
        fields = "".join(f", {key}: …" for key in value.entries)
    elif isinstance(value, ScalarNode) and value.value is not None:
        required = [f.name for f in fields_of(cls).values() if f.required]
        fields = f", {required[0]}: {value.text}" if len(required) == 1 else ""
    return f"write {{type: {name}{fields}}}" if fields or not bare(cls) else f"write {name}"


def for_unknown_key(key: str, node: Node, owner: type, siblings: dict[str, type]) -> str:
    """A fix for a key that its mapping does not have. `siblings`: components that might stand there instead."""
    if key == "<<":
        return "merge keys are not part of YAML 1.2: write the fields out, or use an alias for a whole value"
    allowed = fields_of(owner)
    if known := renamed(key, allowed):
        return did_you_mean(known)
    if key == "type" and (name := text_of(node)):
        if fix := within_record(Record(owner), name):
            return fix
        return "this mapping is no component and takes no 'type'"
    if isinstance(node, ScalarNode) and isinstance(node.value, int | float) and (root := _number_home(key, owner)):
        return f"'{key}' belongs in '{root}'"
    if home := _home(key, owner):
        return f"'{key}' belongs {home}"
    having = [name for name, cls in siblings.items() if cls is not owner and key in fields_of(cls)]
    if having:
        shown = both(f"'{name}'" for name in having[:4])
        return f"{shown} {'has' if len(having) == 1 else 'have'} a field '{key}'"
    if close := suggest(key, allowed):
        return did_you_mean(close)
    return _component_home(key, owner) or _renamed_elsewhere(key, owner)


def _home(key: str, owner: type) -> str:
    """The places of keys of exactly this name that the spec itself has, in words."""
    homes = ["at the root of the spec"] if key in fields_of(Spec) and owner is not Spec else []
    homes += [f"in '{path}'" for path, cls in _records(Spec, "") if key in fields_of(cls) and cls is not owner]
    return either(homes) if homes else ""


def _component_home(key: str, owner: type) -> str:
    """The kind of component that has a field of exactly this name, where there is one such kind."""
    homes = []
    for field in fields_of(Spec).values():
        for form in alternatives(field.form):
            variant = form if isinstance(form, Variant) else variant_in(form.item) if isinstance(form, ListOf) else None
            if variant is None or issubclass(owner, variant.base):
                continue
            if any(key in fields_of(cls) for cls in variant.candidates().values()):
                homes.append(f"'{key}' belongs to {article(kind_name(variant.kind))}, under '{field.name}'")
    return homes[0] if len(homes) == 1 else ""


def _renamed_elsewhere(key: str, owner: type) -> str:
    """The key elsewhere that others call so: the optimizer's first, for its numbers are the most often misplaced."""
    variant = variant_in(fields_of(Spec)["optimizer"].form)
    if variant is not None and not issubclass(owner, variant.base):
        for cls in variant.candidates().values():
            if known := renamed(key, [name for name in fields_of(cls) if _takes_number(cls, name)]):
                return f"did you mean '{known}', in 'optimizer'?"
    for path, cls in (("", Spec), *_records(Spec, "")):
        known = renamed(key, fields_of(cls))
        if known and cls is not owner:
            where = f"in '{path}'" if path else "at the root of the spec"
            return f"did you mean '{known}', {where}?"
    return ""


def _records(cls: type, path: str) -> list[tuple[str, type]]:
    """The plain dataclasses inside a dataclass, with their paths, but for those of a training of their own.

    Who misplaces the learning rate or the epochs means those of the run.
    """
    result = []
    for field in fields_of(cls).values():
        for form in field.form.forms if isinstance(field.form, OneOf) else (field.form,):
            if isinstance(form, Record) and form.cls is not Pretraining:
                inner = f"{path}.{field.name}" if path else field.name
                result += [(inner, form.cls), *_records(form.cls, inner)]
    return result
