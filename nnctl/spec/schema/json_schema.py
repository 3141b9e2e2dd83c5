"""The JSON Schema (draft 2020-12) of the spec language, for editors.

Made from the same fields as the validator. What it cannot say, such as layers
that must not read themselves, only the validator knows.
"""

from __future__ import annotations

import inspect
from typing import Any

from nnctl.components.registry import Component
from nnctl.spec.document import Spec
from nnctl.spec.dump import default_data
from nnctl.spec.messages.wording import kind_name
from nnctl.spec.schema.forms import (
    Anything,
    ChoiceForm,
    Field,
    Form,
    Leaf,
    ListOf,
    MapOf,
    Null,
    OneOf,
    Record,
    Variant,
    bare,
    fields_of,
)

DRAFT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def json_schema() -> Schema:
    """The schema of a whole spec, with one definition a component and one a kind."""
    writer = _SchemaWriter()
    root = writer.record(Spec)
    root["title"] = "nnctl spec"
    root["description"] = "A neural network, its data and its training, for nnctl."
    return {"$schema": DRAFT, **root, "$defs": dict(sorted(writer.definitions.items()))}


class _SchemaWriter:
    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def form(self, form: Form) -> Schema:
        match form:
            case Leaf():
                return form.adapter.json_schema()
            case ChoiceForm(values):
                return {"const": values[0]} if len(values) == 1 else {"enum": list(values)}
            case Null():
                return {"type": "null"}
            case Anything():
                return {}
            case Record(cls):
                return self.reference(cls.__name__, lambda: self.record(cls))
            case Variant(base):
                name = base.kind if base.__dict__.get("kind") else f"{base.kind}.{base.__name__}"
                return self.reference(name, lambda: self.variant(form))
            case ListOf():
                return self.list(form)
            case MapOf(_, value):
                # JSON has no keys but strings; the validator reads them.
                return {"type": "object", "additionalProperties": self.form(value)}
            case OneOf(forms):
                return {"anyOf": [self.form(f) for f in forms]}

    def reference(self, name: str, write: Any) -> Schema:
        if name not in self.definitions:
            # Reserved first: layers hold layers.
            self.definitions[name] = {}
            self.definitions[name].update(write())
        return {"$ref": f"#/$defs/{name}"}

    def list(self, form: ListOf) -> Schema:
        schema: Schema = {"type": "array"}
        if form.fixed:
            schema |= {"prefixItems": [self.form(f) for f in form.fixed], "items": False}
        else:
            schema["items"] = self.form(form.item)
        if form.least:
            schema["minItems"] = form.least
        if form.most is not None:
            schema["maxItems"] = form.most
        return schema

    def variant(self, form: Variant) -> Schema:
        candidates = form.candidates()
        bare_names = [name for name, cls in candidates.items() if bare(cls)]
        options: list[Schema] = [{"enum": bare_names}] if bare_names else []
        for name, cls in candidates.items():
            options.append(self.reference(f"{form.kind}.{name}", lambda cls=cls: self.record(cls)))
        # A kind without components accepts nothing, which `anyOf` of nothing cannot say.
        return {"description": f"{kind_name(form.kind)}: a name, or a mapping with type", "anyOf": options or [False]}

    def record(self, cls: type) -> Schema:
        properties: Schema = {}
        required = []
        if issubclass(cls, Component):
            properties["type"] = {"const": cls.type}
            required.append("type")
        for field in fields_of(cls).values():
            properties[field.name] = self.field(field)
            if field.required:
                required.append(field.name)
        schema: Schema = {"type": "object"}
        if description := _description(cls):
            schema["description"] = description
        schema |= {"properties": properties, "additionalProperties": False}
        if required:
            schema["required"] = required
        return schema

    def field(self, field: Field) -> Schema:
        schema = self.form(field.form)
        if field.description:
            schema = {"description": field.description, **schema}
        if not field.required:
            schema["default"] = default_data(field)
        return schema


def _description(cls: type) -> str:
    """A docstring's text, with a component's formula below."""
    text = inspect.cleandoc(cls.__doc__ or "")
    formula = cls.formula if issubclass(cls, Component) else ""
    return f"{text}\n\n{formula}" if formula else text
