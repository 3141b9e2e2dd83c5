"""Dataclasses whose methods are made late.

The standard library writes and compiles the text of six methods for each frozen dataclass. A command loads some four
hundred of them and calls the methods of a few: that was a third of its start. Here fields are read when they are first
asked for, `__init__` is compiled when it is first called, and the other methods are closures.
"""

from __future__ import annotations

import dataclasses
import inspect
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, eq=True, kw_only=False, init=True, repr=True):
        """See `dataclasses.dataclass`, of which it makes the same classes: those of both derive from each other."""

        def decorate(cls):
            return _made(cls, frozen=frozen, eq=eq, kw_only=kw_only, init=init, repr=repr)

        return decorate if cls is None else decorate(cls)


_FIELDS, _POSITIONAL, _PARAMETERS = "__dataclass_fields__", "__match_args__", "__dataclass_params__"
_ABSENT = object()


@dataclasses.dataclass
class _Mutable:
    pass


@dataclasses.dataclass(frozen=True)
class _Frozen:
    pass


def _made(cls: type, *, frozen: bool, eq: bool, kw_only: bool, init: bool, repr: bool) -> type:
    """The class as a dataclass. Raises TypeError where it is frozen and a base is not, or the other way round."""
    parameters = getattr(_Frozen if frozen else _Mutable, _PARAMETERS)
    for base in cls.__mro__[1:]:
        if getattr(base, _PARAMETERS, parameters).frozen != frozen:
            raise TypeError(f"of {cls.__name__} and {base.__name__} one is frozen and the other is not")
    setattr(cls, _PARAMETERS, parameters)
    # Where a field stands in the place of its default, it cannot stay.
    at_once = any(isinstance(value, dataclasses.Field) for value in vars(cls).values())
    for name in (_FIELDS, _POSITIONAL):
        setattr(cls, name, _Fields(cls, name, kw_only=kw_only))
    if at_once:
        getattr(cls, _FIELDS)
    methods: dict[str, Callable[..., Any] | None] = {}
    if init:
        methods["__init__"] = _late(cls, "__init__", _initializer)
    if repr:
        methods["__repr__"] = _shown
    if eq:
        methods["__eq__"] = _late(cls, "__eq__", _equality)
        methods["__hash__"] = _late(cls, "__hash__", _hashing) if frozen else None
    if frozen:
        methods |= {"__setattr__": _refusing_to_set(cls), "__delattr__": _refusing_to_delete(cls)}
    for name, method in methods.items():
        # A class that defines `__eq__` alone has None for a hash, which is not its own word.
        if vars(cls).get(name) is None:
            setattr(cls, name, method)
    return cls


class _Fields:
    """An attribute of a class that is made of its fields: they are read when something asks for it.

    What is made of them then takes the places of this attribute and its like.
    """

    def __init__(self, cls: type, name: str, *, kw_only: bool) -> None:
        self._cls, self._name, self._kw_only = cls, name, kw_only

    def __get__(self, instance: object, owner: type) -> Any:
        cls = self._cls
        fields: dict[str, dataclasses.Field[Any]] = {}
        for base in reversed(cls.__mro__[1:]):
            fields |= getattr(base, _FIELDS, {})
        own = _own_fields(cls, kw_only=self._kw_only)
        for name, field in own.items():
            if field.default is not dataclasses.MISSING:
                setattr(cls, name, field.default)
            elif name in vars(cls):
                delattr(cls, name)
        setattr(cls, _FIELDS, fields | own)
        real = dataclasses.fields(cast(Any, cls))
        setattr(cls, _POSITIONAL, tuple(f.name for f in real if f.init and not f.kw_only))
        return getattr(owner, self._name)


def _own_fields(cls: type, *, kw_only: bool) -> dict[str, dataclasses.Field[Any]]:
    """The fields that a class declares itself, read by the standard library from a class that has nothing else."""
    annotations = inspect.get_annotations(cls)
    if not annotations:
        return {}
    body = {name: getattr(cls, name) for name in annotations if hasattr(cls, name)}
    # Without words of its own it would be given its signature, which takes longest of all.
    body |= {"__annotations__": annotations, "__module__": cls.__module__, "__doc__": "Fields."}
    bare: Any = type(cls.__name__, (), body)
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False, kw_only=kw_only)(bare)
    return dict(getattr(made, _FIELDS))


def _late(cls: type, name: str, make: Callable[[type], Callable[..., Any]]) -> Callable[..., Any]:
    """A method that is made when it is first called, and then takes its own place."""

    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        made = make(cls)
        setattr(cls, name, made)
        return made(self, *arguments, **named)

    return method


def _initializer(cls: type) -> Callable[..., None]:
    """The `__init__` of a dataclass."""
    fields = [f for f in dataclasses.fields(cast(Any, cls)) if f.init]
    frozen = getattr(cls, _PARAMETERS).frozen
    known: dict[str, Any] = {"__set__": object.__setattr__, "__absent__": _ABSENT}
    heads: list[str] = []
    lines: list[str] = []
    for field in sorted(fields, key=lambda field: bool(field.kw_only)):
        name = field.name
        if field.kw_only and "*" not in heads:
            heads.append("*")
        value = name
        if field.default_factory is not dataclasses.MISSING:
            known[f"__new_{name}__"] = field.default_factory
            heads.append(f"{name}=__absent__")
            value = f"__new_{name}__() if {name} is __absent__ else {name}"
        elif field.default is not dataclasses.MISSING:
            known[f"__default_{name}__"] = field.default
            heads.append(f"{name}=__default_{name}__")
        else:
            heads.append(name)
        lines.append(f"__set__(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    text = f"def __init__({', '.join(['self', *heads])}):\n " + "\n ".join(lines or ["pass"])
    exec(text, known)
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = {**{field.name: field.type for field in fields}, "return": None}
    return made


@recursive_repr()
def _shown(self: Any) -> str:
    names = (f.name for f in dataclasses.fields(self) if f.repr)
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


def _values_of(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    """A function that gives the values of the fields that count for equality."""
    names = [f.name for f in dataclasses.fields(cast(Any, cls)) if f.compare]
    if len(names) > 1:
        return cast("Callable[[Any], tuple[Any, ...]]", attrgetter(*names))
    return lambda self: tuple(getattr(self, name) for name in names)


def _equality(cls: type) -> Callable[..., Any]:
    values = _values_of(cls)

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    return equal


def _hashing(cls: type) -> Callable[..., int]:
    values = _values_of(cls)

    def hashed(self: Any) -> int:
        return hash(values(self))

    return hashed


def _refusing_to_set(cls: type[Any]) -> Callable[..., None]:
    """A `__setattr__` that refuses, but for what a subclass has besides."""

    def refuse(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in getattr(cls, _FIELDS):
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    return refuse


def _refusing_to_delete(cls: type[Any]) -> Callable[..., None]:
    """A `__delattr__` that refuses, but for what a subclass has besides."""

    def refuse(self: Any, name: str) -> None:
        if type(self) is cls or name in getattr(cls, _FIELDS):
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return refuse
