"""A resolved spec as YAML that reads back equal, every default written out."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from nnctl.components.registry import Component
from nnctl.screen.characters import harmless
from nnctl.spec.document import Spec
from nnctl.spec.schema.forms import Field, bare, fields_of
from nnctl.spec.yaml.scalars import is_string, write_float


def spec_to_dict(spec: Spec) -> dict[str, Any]:
    """The spec as dicts, lists and scalars; components carry their `type`."""
    data = to_data(spec)
    assert isinstance(data, dict)
    return data


_SCALARS = (str, int, float, type(None))


def to_data(value: object) -> Any:
    """A value of a spec as dicts, lists and scalars."""
    if isinstance(value, _SCALARS):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {"type": value.type} if isinstance(value, Component) else {}
        return named | {name: to_data(getattr(value, attribute)) for name, attribute in _attributes(type(value))}
    if isinstance(value, Mapping):
        return {key: to_data(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_data(item) for item in value]
    return value


@cache
def _attributes(cls: type) -> tuple[tuple[str, str], ...]:
    """(key, attribute) of every field of a part of specs: each trial of a sweep is written out."""
    return tuple((name, field.attribute) for name, field in fields_of(cls).items())


def default_data(field: Field) -> Any:
    """The default of a field that has one, as an author would write it: a component with default fields as its name."""
    value = field.default()
    if isinstance(value, Component) and bare(type(value)) and value == type(value)():
        return value.type
    return to_data(value)


def dump_spec(spec: Spec) -> str:
    """YAML 1.2 text of a spec. `load_text` gives an equal spec; floats keep every bit."""
    return dump_resolved(spec_to_dict(spec))


def dump_resolved(data: Mapping[str, Any]) -> str:
    """The same of what `spec_to_dict` gives."""
    return "".join(_dump_part(name, value) for name, value in data.items())


_MOST = 256
_written: dict[str, str] = {}
"""Parts of specs as they were written: the trials of a sweep share all but a few, and YAML's emitter is slow."""


def _dump_part(name: str, value: object) -> str:
    key = f"{name} {value!r}"
    if key not in _written:
        if len(_written) == _MOST:
            _written.clear()
        _written[key] = dump_data({name: value})
    return _written[key]


def dump_data(data: object, *, flow: bool = False) -> str:
    """YAML 1.2 text of plain data, keys in their order; in block style, or in one line of flow style."""
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=sys.maxsize
    )
    # Characters that act on a terminal stand between double quotes, where this is YAML's way to write them, too.
    return harmless(text)


def dump_value(value: object) -> str:
    """YAML 1.2 text of plain data as a value within a line."""
    # In a list no scalar stands at the root, where YAML would end it with a marker of its own.
    return dump_data([value], flow=True).strip()[1:-1]


class _Dumper(yaml.SafeDumper):
    """Writes scalars plain where both versions of YAML read them alike, so that any reader gets them right."""

    def ignore_aliases(self, data: Any) -> bool:
        # Equal parts are written out in full: a reader of the file need not look elsewhere.
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        alike = self._tag(text) == _STRING and is_string(text)
        # Line breaks, of which YAML 1.1 has more kinds, survive only as escapes.
        quotes = '"' if harmless(text) != text or any(c in text for c in "\n\r\x85\u2028\u2029") else "'"
        return self.represent_scalar(_STRING, text, style=None if alike and quotes == "'" else quotes)

    def represent_double(self, value: float) -> yaml.ScalarNode:
        text = write_float(value)
        # YAML 1.1 wants a point in the mantissa; 1.2 does not mind one.
        if "e" in text and "." not in text:
            text = text.replace("e", ".0e")
        return self.represent_scalar(self._tag(text), text)

    def _tag(self, text: str) -> str:
        """The tag that a reader of YAML 1.1 gives a plain scalar."""
        tag: str = self.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return tag


_STRING = "tag:yaml.org,2002:str"
_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(float, _Dumper.represent_double)
