"""The likely fix of each kind of mistake."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from annotated_types import Le, Lt

from nnctl.components.base import Layer
from nnctl.components.fields import Pattern
from nnctl.components.pretraining import Pretraining
from nnctl.components.registry import components, kinds, not_loaded
from nnctl.spec.document import Spec
from nnctl.spec.messages.rewriting import (
    component_of,
    component_of_file,
    component_of_list,
    component_of_number,
    list_of,
    record_of,
    takes,
    written,
)
from nnctl.spec.messages.synonyms import ambiguous, renamed, suggest
from nnctl.spec.messages.wording import article, both, either, kind_name
from nnctl.spec.schema.forms import (
    ChoiceForm,
    Field,
    Form,
    Leaf,
    ListOf,
    MapOf,
    OneOf,
    Record,
    Variant,
    alternatives,
    fields_of,
    nullable,
    variant_in,
)
from nnctl.spec.yaml.scalars import resolve, write_float
from nnctl.spec.yaml.tree import MappingNode, Node, ScalarNode, ScalarValue, SequenceNode, text_of

_LEAST_PERCENT = 5
"""A number from here to 100 in place of a share is taken for a percentage."""
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
    options = alternatives(form)
    lists = [f for f in options if isinstance(f, ListOf)]
    if isinstance(node, MappingNode) and lists:
        if meant := list_of(lists[0], node):
            return f"write a list: {meant}"
        return "put a dash before each item: '- type: …'" if variant_in(lists[0].item) else "write a list: [a, b]"
    record = next((f for f in options if isinstance(f, Record)), None)
    if record is not None and (meant := record_of(record, node)):
        return f"write {meant}"
    variant = variant_in(form)
    if isinstance(node, SequenceNode) and variant is not None and (meant := component_of_list(variant, node)):
        return f"write {meant}"
    if isinstance(node, SequenceNode) and len(node.items) == 1 and takes(form, node.items[0]):
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
    pattern = next((b for f in options if isinstance(f, Leaf) for b in f.bounds if isinstance(b, Pattern)), None)
    if isinstance(value, str) and (fix := _for_string(node, value, form, field, pattern)):
        return fix
    if isinstance(value, float) and int in bases and value.is_integer() and abs(value) < 1e15:
        return f"write {int(value)}"
    if isinstance(value, int | float) and _LEAST_PERCENT <= value <= 100 and any(map(_is_share, options)):
        return f"{value:g}% is written {write_float(round(value / 100, 12))}"
    if value in (0, 1) and bases == {bool}:
        return f"write {'true' if value else 'false'}"
    if not isinstance(value, str) and str in bases and pattern is None:
        return f"put it in quotes: '{node.text}'"
    items = next((f for f in options if isinstance(f, ListOf) and f.least <= 1), None)
    if items is not None and not bases:
        return f"write a list: {meant}" if (meant := list_of(items, node)) else ""
    record = next((f for f in options if isinstance(f, Record)), None)
    if record is not None:
        if isinstance(value, str) and (fix := within_record(record, value)):
            return fix
        if isinstance(value, str) and value.lower() in _TRUE_WORDS:
            node = replace(node, value=True)
        return f"write {meant}" if (meant := record_of(record, node)) else ""
    variant = variant_in(form)
    if type(value) in (int, float) and variant is not None:
        root = _number_home(field.name) if field is not None else ""
        if root:
            return f"a number for '{field.name if field else ''}' belongs in '{root}'"
        return f"write {meant}" if (meant := component_of_number(variant, node)) else ""
    return ""


def _is_share(form: Form) -> bool:
    """True of a number that is 1 at most."""
    if not isinstance(form, Leaf):
        return False
    return any((isinstance(b, Lt) and b.lt == 1) or (isinstance(b, Le) and b.le == 1) for b in form.bounds)


def _for_string(node: ScalarNode, value: str, form: Form, field: Field | None, pattern: Pattern | None) -> str:
    options = alternatives(form)
    bases = {f.base for f in options if isinstance(f, Leaf)}
    if bool in bases and value.lower() in _TRUE_WORDS | _FALSE_WORDS | {"true", "false"}:
        return f"write {'true' if value.lower() in _TRUE_WORDS | {'true'} else 'false'}"
    if bases & {int, float}:
        if fix := _as_number(node, whole=float not in bases):
            return fix
        if field is not None and (fix := _scheduled(field.name, value)):
            return fix
    if pattern is not None:
        one = f"1 {value.strip().lower()}"
        return f"write {one}" if re.fullmatch(pattern.regex, one) else ""
    if counted := re.fullmatch(r"(\d+(?:\.\d+)?) ?[A-Za-z]+", value):
        number = ScalarNode(resolve_or_text(counted[1]), node.location, counted[1])
        return f"write {counted[1]}" if bases & {int, float} and takes(form, number) else ""
    choices = [v for f in options if isinstance(f, ChoiceForm) for v in f.values if isinstance(v, str)]
    return did_you_mean(suggest(value, choices)) if choices else ""


def _scheduled(name: str, value: str) -> str:
    """The place of a schedule that was written where its first value belongs."""
    for path, cls in _records(Spec, ""):
        field = fields_of(cls).get(name)
        variant = variant_in(field.form) if field is not None else None
        if variant is not None and value in variant.candidates():
            return f"'{value}' is {article(kind_name(variant.kind))}: write {path}: {{{name}: {value}}}"
    return ""


def _as_number(node: ScalarNode, *, whole: bool) -> str:
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
    if whole:
        return ""
    if percent := re.fullmatch(r"(\d+(?:\.\d+)?) ?%", text):
        return f"write {write_float(round(float(percent[1]) / 100, 12))}"
    if share := re.fullmatch(r"(\d+) ?/ ?(\d+)", text):
        top, bottom = int(share[1][:15]), int(share[2][:15])
        return f"write {write_float(round(top / bottom, 6))}" if bottom else ""
    return ""


def resolve_or_text(text: str) -> ScalarValue:
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


def meant_type(name: str, allowed: Collection[str], near: float = 0.6) -> str:
    """The component that a name most likely means, also as code calls it, `nn.ReLU` or `SGD(lr=0.1)`; "" without."""
    called = re.fullmatch(r"(?:\w+\.)*(\w+)\s*(?:\(.*\))?", name)
    return renamed(name, allowed) or suggest(called[1] if called else name, allowed, near)


def for_unknown_type(name: str, kind: str, allowed: dict[str, type], field: Field | None) -> str:
    """A fix for a component's name that its kind does not have; then the plugins that might have had it."""
    return "\n  ".join(filter(None, (_for_unknown_type(name, kind, allowed, field), *not_loaded())))


def _for_unknown_type(name: str, kind: str, allowed: dict[str, type], field: Field | None) -> str:
    if field is not None and nullable(field.form) and name.lower() in _ABSENT_WORDS and not renamed(name, allowed):
        return "write null for none"
    if known := renamed(name, allowed):
        return did_you_mean(known)
    if kind == Layer.kind and name.lower() in _MACHINES:
        return (
            "a Boltzmann machine is a dense layer with activation: sigmoid and a name, "
            "under which pretraining: {layers: […]} lists it"
        )
    others = [k for k in kinds() if k != kind and name in components(k)]
    if others:
        return f"'{name}' is {either(article(kind_name(k)) for k in others)}, not {article(kind_name(kind))}"
    if meant := component_of_file(allowed, name):
        return f"write {meant}"
    meant = meant_type(name, allowed)
    return f"write {{type: {meant}, …}}" if meant and "(" in name else did_you_mean(meant)


def for_untyped(node: MappingNode, form: Variant) -> str:
    """A fix for a component's mapping without `type`."""
    candidates = form.candidates()
    keys = list(node.entries)
    near = next((key for key in keys if suggest(key, ["type"])), None)
    if near is not None:
        return f"did you mean 'type' for '{near}'?"
    named = [key for key in keys if key in candidates or renamed(key, candidates)]
    if len(keys) == len(named) == 1:
        return f"write {component_of(candidates[renamed(keys[0], candidates)], node.get(keys[0]))}"
    fitting = [name for name, cls in candidates.items() if keys and all(key in fields_of(cls) for key in keys)]
    if 0 < len(fitting) <= 4:
        return f"these keys fit {either(f'type: {name}' for name in fitting)}"
    return f"write {component_of(candidates[renamed(named[0], candidates)], node.get(named[0]))}" if named else ""


def for_unknown_key(key: str, node: Node, owner: type, siblings: dict[str, type], present: Collection[str] = ()) -> str:
    """A fix for a key that its mapping does not have.

    siblings: components that might stand there instead. present: the mapping's other keys, which nobody meant.
    """
    if key == "<<":
        return "merge keys are not part of YAML 1.2: write the fields out, or use an alias for a whole value"
    allowed = fields_of(owner)
    free = [name for name in allowed if name not in present]
    if known := renamed(key, free):
        return did_you_mean(known)
    if note := _needless(key, allowed):
        return note
    if part := _part(key, key, node, owner):
        return part
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
    if close := suggest(key, free):
        return did_you_mean(close)
    parts = {name for variant in _variants(owner) for name in variant.candidates()}
    if (other := renamed(key, parts)) and (part := _part(key, other, node, owner)):
        return part
    return _component_home(key, owner) or _renamed_elsewhere(key, owner)


_INPUT_SIZES = frozenset(
    {"in_features", "in_channels", "input_size", "input_shape", "input_dim", "batch_input_shape", "num_features"}
)
_LEAST_RATES = frozenset({"eta_min", "min_lr", "end_learning_rate"})
_MACHINES = frozenset({"rbm", "boltzmann_machine", "restricted_boltzmann_machine", "dbn", "deep_belief_net"})


def _needless(key: str, allowed: Collection[str]) -> str:
    """The reason that a key of another library has no equal here; "" where there is no such key."""
    if key in _INPUT_SIZES:
        return "remove it: the size of an input is that of what comes before"
    if key == "batch_first":
        return "remove it: the batch always comes first"
    if key == "mode" and "monitor" in allowed:
        return "remove it: of each column it is known whether more is better"
    if key == "keep_prob" and "rate" in allowed:
        return "write rate, the share that is dropped: 1 − keep_prob"
    if key in _LEAST_RATES and "floor" in allowed:
        return f"write floor, a factor of the optimizer's learning rate: {key} divided by that"
    if key == "trainable" and "frozen" in allowed:
        return "write frozen: true for trainable: false"
    return ""


def _part(key: str, name: str, node: Node, owner: type) -> str:
    """The field of a mapping that takes what a key means: the component of a name, or an entry with a free key."""
    for field in fields_of(owner).values():
        for form in alternatives(field.form):
            variant = _variant_of(form)
            if variant is not None and name in variant.candidates():
                component = component_of(variant.candidates()[name], node)
                return f"write {field.name}: {component if isinstance(form, Variant) else f'[{component}]'}"
            if isinstance(form, MapOf) and "." in key and takes(form.value, node):
                return f"write {field.name}: {{{key}: {written(node)}}}"
    if issubclass(owner, Layer) and name in components(Layer.kind):
        layer = component_of(components(Layer.kind)[name], node)
        return f"'{key}' is a layer: write {layer} as the next item of the list"
    return ""


def _variant_of(form: Form) -> Variant | None:
    """The components that a form holds, alone or in a list."""
    return form if isinstance(form, Variant) else variant_in(form.item) if isinstance(form, ListOf) else None


def _variants(cls: type) -> list[Variant]:
    """The components that fields of a dataclass hold."""
    forms = [form for field in fields_of(cls).values() for form in alternatives(field.form)]
    return [variant for form in forms if (variant := _variant_of(form)) is not None]


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
            variant = _variant_of(form)
            if variant is None or issubclass(owner, variant.base):
                continue
            if any(key in fields_of(cls) for cls in variant.candidates().values()):
                homes.append(f"'{key}' belongs to {article(kind_name(variant.kind))}, under '{field.name}'")
    return homes[0] if len(homes) == 1 else ""


def _renamed_elsewhere(key: str, owner: type) -> str:
    """The key elsewhere that others call so: the optimizer's first, for its numbers are the most often misplaced."""
    if ambiguous(key):
        return ""
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
