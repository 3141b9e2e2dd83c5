"""Instances of every registered component: each choice of its fields, in each convention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from itertools import product
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from nnctl.components.registry import Component, components


def variants(kind: str, *bases: type) -> list[Any]:
    """pytest parameters: components of a kind that derive from all `bases`, named for reading."""
    return [
        pytest.param(instance, id=_id(instance))
        for cls in components(kind).values()
        if all(issubclass(cls, base) for base in bases)
        for instance in _instances(cls)
    ]


def _instances(cls: type[Component]) -> Iterator[Any]:
    hints = get_type_hints(cls)
    choices: dict[str, list[Any]] = {}
    for field in fields(cls):  # type: ignore[arg-type]
        found = _choices(hints[field.name], field.default)
        if found:
            choices[field.name] = found
    for values in product(*choices.values()):
        instance = cls(**dict(zip(choices, values)))
        if not instance.problems():
            yield from _in_conventions(instance)


def _choices(hint: Any, default: Any) -> list[Any]:
    """Values to try for a field: every literal and truth value, 0 and a share for numbers that may be 0."""
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    if hint is bool:
        return [False, True]
    if default is MISSING:
        return [0.3]
    return [0.0, 0.3] if default == 0.0 and isinstance(default, float) else []


def _in_conventions(instance: Any) -> Iterator[Any]:
    settled = [instance.for_convention(c) for c in ("torch", "keras", "book")]
    yield from dict.fromkeys(settled)


def _id(instance: Any) -> str:
    stated = [
        f"{f.name}={getattr(instance, f.name)}"
        for f in fields(instance)
        if getattr(instance, f.name) != f.default and getattr(instance, f.name) is not None
    ]
    return " ".join([instance.type, *stated])
