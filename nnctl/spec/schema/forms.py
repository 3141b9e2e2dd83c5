"""Forms: the values that a field accepts, read off its annotation once.

Validation, the JSON Schema, `dump`, `explain` and completion all ask here, so
that a dataclass field is the only statement of what a spec may say. The
annotations understood are those of `nnctl.components.fields`, literals, dataclasses,
base classes of components, and lists, mappings and unions of these.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
from dataclasses import MISSING
from functools import cache, cached_property
from keyword import iskeyword
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

from annotated_types import BaseMetadata, Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen, MultipleOf

from nnctl.components.fields import Pattern
from nnctl.components.registry import Component, components
from nnctl.late import dataclass
from nnctl.process.variables import NO_PLUGINS, variables

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True)
class Leaf:
    """One scalar: a number, a string, true or false, within bounds."""

    base: type
    annotation: Any
    bounds: tuple[BaseMetadata, ...] = ()

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """The value that Pydantic makes of it, strict: no strings for numbers, no booleans, but an int for a float."""
        return _adapter(self.annotation)

    def taken(self, value: object) -> Any:
        """The value held of a scalar; of an int for a float that number. Raises ValueError for what does not fit."""
        kinds = (int, float) if self.base is float else (self.base,)
        if type(value) not in kinds:
            raise ValueError(f"{value!r} is no {self.base.__name__}")
        try:
            held: Any = self.base(value)
        except OverflowError as error:
            raise ValueError(f"{value!r} is beyond every float") from error
        if self.base is float and not math.isfinite(held):
            raise ValueError(f"{value!r} is no number")
        if self.bounds and self.base is str:
            held.encode()  # half a character has no length
        if not all(_within(bound, held) for bound in self.bounds):
            raise ValueError(f"{value!r} is out of bounds")
        return held

    def accepts(self, value: object) -> bool:
        """True for a scalar that it holds."""
        try:
            self.taken(value)
        except ValueError:
            return False
        return True


def _within(bound: BaseMetadata, value: Any) -> bool:
    match bound:
        case Ge(limit):
            return bool(value >= limit)
        case Gt(limit):
            return bool(value > limit)
        case Le(limit):
            return bool(value <= limit)
        case Lt(limit):
            return bool(value < limit)
        case MinLen(limit):
            return len(value) >= limit
        case MaxLen(limit):
            return len(value) <= limit
        case MultipleOf(step):
            return bool(value % step == 0)
        case Pattern(regex):
            return re.fullmatch(regex, value) is not None
    raise TypeError(f"no meaning for {bound!r} on a scalar")


@dataclass(frozen=True)
class ChoiceForm:
    """One of a few scalars."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Null:
    """Null alone; with others in a union it means "absent"."""


@dataclass(frozen=True)
class Anything:
    """Any value, as data."""


@dataclass(frozen=True)
class Record:
    """A mapping with the fields of a dataclass."""

    cls: type


@dataclass(frozen=True)
class Variant:
    """A component: a bare string, or a mapping with `type`."""

    base: type[Component]

    @property
    def kind(self) -> str:
        """The kind of component, e.g. "layer"."""
        return self.base.kind

    def candidates(self) -> dict[str, type[Any]]:
        """The components that may stand here, by name."""
        return dict(_of_base(cast(Any, self.base), tuple(components(self.kind).items())))


@cache
def _of_base(base: Any, known: tuple[tuple[str, type[Any]], ...]) -> dict[str, type[Any]]:
    """Those of the known components that derive from a base; a sweep asks for each of its trials."""
    return {name: cls for name, cls in known if issubclass(cls, base)}


@dataclass(frozen=True)
class ListOf:
    """A list of any length within bounds. `fixed` holds the forms of the items where each has its own."""

    item: Form
    least: int = 0
    most: int | None = None
    fixed: tuple[Form, ...] = ()


@dataclass(frozen=True)
class MapOf:
    """A mapping with free keys."""

    key: Form
    value: Form


@dataclass(frozen=True)
class OneOf:
    """Any of several forms, null among them where the field may be absent."""

    forms: tuple[Form, ...]


Form: TypeAlias = "Leaf | ChoiceForm | Null | Anything | Record | Variant | ListOf | MapOf | OneOf"


@dataclass(frozen=True)
class Field:
    """A field of a dataclass as a spec sees it.

    name: the key in specs. The attribute is called the same, but for words that Python keeps for itself.
    """

    name: str
    form: Form
    description: str
    required: bool
    owner: type

    @cached_property
    def attribute(self) -> str:
        """Its name in Python: `from_` for `from`."""
        return f"{self.name}_" if iskeyword(self.name) else self.name

    def default(self) -> Any:
        """A new default value. Raises TypeError for a required field."""
        field = self._made
        if field.default is not MISSING:
            return field.default
        if field.default_factory is not MISSING:
            return field.default_factory()
        raise TypeError(f"{self.owner.__name__}.{self.name} has no default")

    @cached_property
    def _made(self) -> dataclasses.Field[Any]:
        """The dataclass's field that it is of: a sweep asks for each of its trials."""
        return next(f for f in dataclasses.fields(self.owner) if f.name == self.attribute)


def fields_of(cls: type) -> dict[str, Field]:
    """The fields of a dataclass by their names in specs, the required ones first.

    Raises TypeError, naming class and field, on an annotation that no form covers.
    """
    return _read_fields(cls)


@cache
def required_of(cls: type) -> frozenset[str]:
    """Names in specs of the fields of a dataclass that have no default."""
    return frozenset(name for name, field in fields_of(cls).items() if field.required)


@cache
def _read_fields(cls: type) -> dict[str, Field]:
    hints = get_type_hints(cls, include_extras=True)
    optional = {f.name: f.default is not MISSING or f.default_factory is not MISSING for f in dataclasses.fields(cls)}
    names = sorted((f.name for f in dataclasses.fields(cls) if f.init), key=lambda name: optional[name])
    result = {}
    for name in names:
        hint = hints[name]
        key = name[:-1] if iskeyword(name[:-1]) else name
        words = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, str)]
        try:
            form = form_of(hint)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}.{name}: {error}") from None
        result[key] = Field(key, form, words[0] if words else "", not optional[name], cls)
    return result


def own_first(cls: type) -> list[Field]:
    """The fields of a dataclass: required ones, then its own, then what it shares with others, the widest last."""

    def distance(field: Field) -> int:
        return -1 if field.required else next(i for i, c in enumerate(cls.__mro__) if declares(c, field))

    return sorted(fields_of(cls).values(), key=distance)


def declares(cls: type, field: Field) -> bool:
    """True where a class itself, and no base of it, has the annotation of a field."""
    return field.attribute in inspect.get_annotations(cls)


def form_of(annotation: Any) -> Form:
    """The form of an annotation. Raises TypeError where it has none."""
    metadata: tuple[Any, ...] = ()
    core = annotation
    if get_origin(annotation) is Annotated:
        core, *rest = get_args(annotation)
        metadata = tuple(bound for m in rest for bound in _single(m))
    origin = get_origin(core)
    if core is None or core is type(None):
        return Null()
    if core is object or core is Any:
        return Anything()
    if origin is Literal:
        return ChoiceForm(get_args(core))
    if origin in (Union, types.UnionType):
        # Bounds on a union hold for whichever of its scalars they fit.
        return _union([form_of(Annotated[a, *metadata] if metadata else a) for a in get_args(core)])
    if origin in (tuple, list):
        return _list(core, metadata)
    if origin is dict or getattr(origin, "__name__", "") == "Mapping":
        key, value = get_args(core)
        return MapOf(form_of(key), form_of(value))
    if core in (int, float, str, bool):
        return Leaf(core, Annotated[core, *metadata] if metadata else core, metadata)
    if isinstance(core, type) and issubclass(core, Component):
        return Variant(core)
    if dataclasses.is_dataclass(core) and isinstance(core, type):
        return Record(core)
    raise TypeError(f"no form in a spec for the type {core!r}")


def nullable(form: Form) -> bool:
    """True where null may stand for absence."""
    return isinstance(form, Null | Anything) or (isinstance(form, OneOf) and any(nullable(f) for f in form.forms))


def alternatives(form: Form) -> tuple[Form, ...]:
    """The forms of a union, or the form alone; null left out."""
    forms = form.forms if isinstance(form, OneOf) else (form,)
    return tuple(f for f in forms if not isinstance(f, Null))


def variant_in(form: Form) -> Variant | None:
    """The component that a field holds, None where it holds none."""
    return next((f for f in alternatives(form) if isinstance(f, Variant)), None)


def bare(cls: type) -> bool:
    """True where a component needs no fields, so that its name alone is enough."""
    return not any(field.required for field in fields_of(cls).values())


def _single(metadata: Any) -> list[BaseMetadata]:
    """Bounds one by one: an `Interval` is up to four, a `Len` up to two."""
    if isinstance(metadata, GroupedMetadata):
        return [bound for part in metadata for bound in _single(part)]
    return [metadata] if isinstance(metadata, BaseMetadata) else []


def _union(forms: list[Form]) -> Form:
    flat: list[Form] = []
    for form in forms:
        flat += form.forms if isinstance(form, OneOf) else [form]
    return OneOf(tuple(flat))


def _list(core: Any, metadata: tuple[Any, ...]) -> ListOf:
    arguments = get_args(core)
    if get_origin(core) is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        forms = tuple(form_of(a) for a in arguments)
        return ListOf(forms[0], len(forms), len(forms), forms)
    least, most = 0, None
    for bound in metadata:
        match bound:
            case MinLen(low):
                least = low
            case MaxLen(high):
                most = high
            case _:
                raise TypeError(f"no meaning for {bound!r} on a list")
    return ListOf(form_of(arguments[0]), least, most)


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    # Here and not above: only the JSON Schema needs it, and to load it takes as long as NumPy.
    from pydantic import ConfigDict, TypeAdapter

    with variables(NO_PLUGINS):
        return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))
