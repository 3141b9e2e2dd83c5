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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, cast, dataclass_transform

ENTRY_POINT_GROUP = "nnctl.components"

_BUILTIN_MODULES = (
    "nnctl.backends.registry",
    "nnctl.components.activations",
    "nnctl.components.backends",
    "nnctl.components.clipping",
    "nnctl.components.costs",
    "nnctl.components.distributions",
    "nnctl.components.initializers",
    "nnctl.components.layers",
    "nnctl.components.metrics",
    "nnctl.components.optimizers",
    "nnctl.components.regularizers",
    "nnctl.components.schedules",
)

_registry: dict[str, dict[str, type[Component]]] = {}


@dataclass(frozen=True)
class Problem:
    """Fields that do not go together: the one to point at, what is wrong, the likely fix."""

    field: str
    message: str
    hint: str = ""


class Component:
    """Base of every class that a spec names by `type`; each kind has one direct subclass."""

    kind: ClassVar[str]
    """Kind of component: "layer", "activation", …"""
    type: ClassVar[str]
    """The name it is registered under; set by `register`."""
    formula: ClassVar[str] = ""
    """Formula that it computes, in one line for people."""
    example: ClassVar[str] = ""
    """An example in YAML's flow style, as `{type: elu, alpha: 0.5}`; where the bare name is one, it may be left out."""
    of_number: ClassVar[str] = ""
    """Of a kind's base: the component that a bare number in its place most likely means, with … for the number."""
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Field → convention → the value that None stands for; a convention not listed follows "torch"."""

    def for_convention(self, convention: str) -> Self:
        """A copy, nested components included, in which no field waits for a convention.

        A component's own `convention` field, where it has one and it is set, goes before the argument.
        """
        changes: dict[str, Any] = {}
        names: list[str] = [f.name for f in fields(cast(Any, self))] if is_dataclass(self) else []
        if "convention" in names:
            convention = getattr(self, "convention") or convention  # noqa: B009
            changes["convention"] = convention
        for name in names:
            value = getattr(self, name)
            if value is None and name in self.by_convention:
                rules = self.by_convention[name]
                changes[name] = rules.get(convention, rules["torch"])
            elif isinstance(value, Component):
                changes[name] = value.for_convention(convention)
            elif isinstance(value, tuple):
                changes[name] = tuple(v.for_convention(convention) if isinstance(v, Component) else v for v in value)
        return replace(cast(Any, self), **changes) if changes else self

    def settled(self, name: str) -> Any:
        """The value of a field that `for_convention` fills. Raises TypeError where it has not."""
        value = getattr(self, name)
        if value is None:
            raise TypeError(f"{self.kind} {self.type}: {name} hangs on the convention; call for_convention first")
        return value

    def problems(self) -> Sequence[Problem]:
        """Contradictions between fields that are valid alone."""
        return ()


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
