"""The one registration of everything a spec can name.

    @register("activation", "relu")
    class Relu(ElementwiseActivation):
        '''max(0, z).'''

`register` makes the class a frozen keyword-only dataclass. From its typed
fields come validation, error text, the JSON Schema, `explain` and completion.
Packages add components with an entry point in the group `nnctl.components`
that names a module; importing the module registers them. Our own data
sources arrive the same way. A package whose module cannot be imported, or
takes a name that is taken, adds nothing: that is said on the log, and again
where a spec names a component that there is not.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from functools import cache
from importlib import import_module
from types import MappingProxyType, TracebackType
from typing import Any, ClassVar, Self, TypeVar, cast, dataclass_transform

from nnctl.components.packages import EntryPoint, entry_points
from nnctl.late import dataclass

log = logging.getLogger("nnctl.plugins")

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
    "nnctl.components.pruners",
    "nnctl.components.regularizers",
    "nnctl.components.samplers",
    "nnctl.components.schedules",
)

_registry: dict[str, dict[str, type[Component]]] = {}
_plugins: dict[str, str] = {}
"""Names of packages by the module that their entry point is in."""
_not_loaded: list[str] = []
"""A sentence for each package that adds nothing."""


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
    in_steps: ClassVar[bool] = False
    """Of a kind's base: True where its numbers are those of a step, which is computed in single precision."""
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Field → convention → the value that None stands for; a convention not listed follows "torch"."""

    def __init__(self, **values: Any) -> None:
        """Values of its fields. Raises TypeError for one that is missing, or unknown."""
        for field in _fields_of(cast(Any, type(self))):
            if field.name in values:
                value = values.pop(field.name)
            elif field.default is not MISSING:
                value = field.default
            elif field.default_factory is not MISSING:
                value = field.default_factory()
            else:
                raise TypeError(f"{type(self).__name__} is missing its field {field.name!r}")
            object.__setattr__(self, field.name, value)
        if values:
            raise TypeError(f"{type(self).__name__} has no field {next(iter(values))!r}")

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        try:
            return hash(self._values())
        except TypeError:  # a field is a mapping
            values = (tuple(value.items()) if isinstance(value, Mapping) else value for value in self._values())
            return hash(tuple(values))

    def __repr__(self) -> str:
        names = (f.name for f in fields(cast(Any, self)))
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({values})"

    def _values(self) -> tuple[Any, ...]:
        """The values of its fields, in order."""
        return tuple(getattr(self, f.name) for f in fields(cast(Any, self)))

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

    @property
    def doubts(self) -> Sequence[str]:
        """Sentences on fields that are allowed and seldom meant, because others read them otherwise.

        Asked after `for_convention`.
        """
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
        # Its own methods for what `Component` has would be compiled at every start, 160 times.
        cls = dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)(cls)
        if "__init__" not in vars(cls):
            # A base that is a dataclass has one for its own fields.
            setattr(cls, "__init__", Component.__init__)  # noqa: B010
        taken = _registry.setdefault(kind, {}).get(name)
        if taken is not None and (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"it calls {cls.__qualname__} the {kind} {name!r}, which is the name of {_place(taken)}")
        cls.type = name
        _registry[kind][name] = cls
        return cls

    return decorate


@cache
def _fields_of(cls: type) -> tuple[Field[Any], ...]:
    """The fields of a component: of a sweep's trials many are made."""
    return fields(cast(Any, cls))


def summary(cls: type) -> str:
    """The first paragraph of a component's words, on one line."""
    return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())


def components(kind: str) -> Mapping[str, type[Any]]:
    """All components of a kind by name, built-in and third-party, in alphabetical order."""
    _load()
    return MappingProxyType(dict(sorted(_registry.get(kind, {}).items())))


def kinds() -> tuple[str, ...]:
    """Every kind that has a component."""
    _load()
    return tuple(sorted(_registry))


def not_loaded() -> tuple[str, ...]:
    """A sentence for each package whose components there are not: its name, and why."""
    _load()
    return tuple(_not_loaded)


def owner(module: str, qualname: str) -> str:
    """The owner of a function, in words: its component, and the package unless it is nnctl."""
    name = qualname.partition(".")[0]
    of_component = (
        f"the {kind} '{type_}'"
        for kind, known in _registry.items()
        for type_, cls in known.items()
        if (cls.__module__, cls.__qualname__.rpartition(".")[2]) == (module, name)
    )
    what = next(of_component, f"{qualname} in {module}")
    package = _plugins.get(module.partition(".")[0])
    return what if package is None else f"{what} of the plugin {package}"


def package_of(cls: type[Component]) -> str:
    """The name of the package that a component comes from."""
    root = cls.__module__.partition(".")[0]
    return _plugins.get(root, root)


def plugin_of(trace: TracebackType | None) -> str | None:
    """The package whose code an exception came from, or passed through last; None where it was nnctl's alone."""
    found = None
    while trace is not None:
        root = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        found = _plugins.get(root, found)
        trace = trace.tb_next
    return found


@cache
def _load() -> None:
    for module in _BUILTIN_MODULES:
        import_module(module)
    found = entry_points(ENTRY_POINT_GROUP)
    # Ours first, so that no other can be faster in taking a name.
    for entry_point in (e for e in found if e.root == "nnctl"):
        entry_point.load()
    for entry_point in (e for e in found if e.root != "nnctl"):
        _load_plugin(entry_point)


def _load_plugin(entry_point: EntryPoint) -> None:
    package = entry_point.package
    _plugins[entry_point.root] = package
    before = {kind: dict(known) for kind, known in _registry.items()}
    try:
        entry_point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 — a stranger's module may raise anything
        _registry.clear()
        _registry.update(before)
        reason = str(error).strip().partition("\n")[0]
        why = reason if isinstance(error, ValueError) and reason else f"{type(error).__name__}: {reason}".rstrip(": ")
        sentence = f"the plugin {package} is not loaded: {why}"
        _not_loaded.append(sentence)
        log.info("%s", sentence)


def _place(cls: type[Component]) -> str:
    """A class, in words, with the package that it comes from."""
    return f"{cls.__qualname__} of {package_of(cls)}"
