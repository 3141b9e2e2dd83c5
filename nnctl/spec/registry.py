"""The one registration of everything a spec can name.

    @register("activation", "relu")
    class Relu(ElementwiseActivation):
        '''max(0, z).'''

`register` makes the class a frozen keyword-only dataclass. From its typed
fields come validation, error text, the JSON Schema, `explain` and completion.
Packages add components with an entry point in the group `nnctl.components`
that names a module; importing the module registers them. Our own data
sources arrive the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, dataclass_transform

ENTRY_POINT_GROUP = "nnctl.components"

_BUILTIN_MODULES = (
    "nnctl.spec.activations",
    "nnctl.spec.backends",
    "nnctl.spec.clipping",
    "nnctl.spec.costs",
    "nnctl.spec.initializers",
    "nnctl.spec.layers",
    "nnctl.spec.metrics",
    "nnctl.spec.optimizers",
    "nnctl.spec.regularizers",
    "nnctl.spec.schedules",
)

_registry: dict[str, dict[str, type[Component]]] = {}


class Component:
    """Base of every class that a spec names by `type`; each kind has one direct subclass."""

    kind: ClassVar[str]
    """What it is: "layer", "activation", …"""
    type: ClassVar[str]
    """The name it is registered under; set by `register`."""


C = TypeVar("C", bound=Component)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def register(kind: str, name: str) -> Callable[[type[C]], type[C]]:
    """Make `cls` the component that specs call `name` among those of `kind`.

    Raises ValueError where the name is taken, or where the class is of another kind.
    """

    def decorate(cls: type[C]) -> type[C]:
        if getattr(cls, "kind", None) != kind:
            raise ValueError(f"{cls.__name__} is registered as {kind} but derives from no base of that kind")
        cls = dataclass(frozen=True, kw_only=True)(cls)
        taken = _registry.setdefault(kind, {}).get(name)
        if taken is not None and taken.__qualname__ != cls.__qualname__:
            raise ValueError(f"{kind} {name!r} is registered twice: {taken.__qualname__} and {cls.__qualname__}")
        cls.type = name
        _registry[kind][name] = cls
        return cls

    return decorate


def components(kind: str) -> Mapping[str, type[Any]]:
    """All components of a kind by name, built-in and third-party, in alphabetical order."""
    _load()
    return MappingProxyType(dict(sorted(_registry.get(kind, {}).items())))


def kinds() -> tuple[str, ...]:
    """Every kind that has a component."""
    _load()
    return tuple(sorted(_registry))


@cache
def _load() -> None:
    for module in _BUILTIN_MODULES:
        import_module(module)
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        entry_point.load()
