"""The types of the kernel language, and the values that a function under translation holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from nnctl.late import dataclass


@dataclass(frozen=True)
class Number:
    """A type of numbers. ir: LLVM's name of it in registers; memory: in arrays, where it is narrower."""

    name: str
    ir: str
    bits: int
    floating: bool = False
    signed: bool = True
    memory: str = ""

    @property
    def stored(self) -> str:
        """LLVM's type of an element of an array."""
        return self.memory or self.ir


F32 = Number("float32", "float", 32, floating=True)
F64 = Number("float64", "double", 64, floating=True)
I64 = Number("int64", "i64", 64)
I32 = Number("int32", "i32", 32)
U64 = Number("uint64", "i64", 64, signed=False)
BYTE = Number("uint8", "i64", 64, memory="i8")
"""A byte of an array; in registers a whole number like any other."""
BOOL = Number("bool", "i1", 1, signed=False)


@dataclass(frozen=True)
class ArrayType:
    """Arrays in C order. rank: how many axes."""

    element: Number
    rank: int


@dataclass(frozen=True)
class TupleType:
    """Tuples of known length, whose items have types of their own."""

    items: tuple[Type, ...]


@dataclass(frozen=True)
class NoneType:
    """The type of None, which is what is not given."""


Type: TypeAlias = Number | ArrayType | TupleType | NoneType


@dataclass(frozen=True)
class Scalar:
    """A number in a register.

    text: the register or literal. product: (a, b) where it is a·b, made in this basic block: a sum with it is
    one fused multiply-add.
    """

    type: Number
    text: str
    product: tuple[str, str] | None = None


@dataclass(frozen=True)
class Array:
    """An array: where it begins, and the registers of its axes' lengths."""

    element: Number
    pointer: str
    lengths: tuple[str, ...]

    @property
    def type(self) -> ArrayType:
        """Its type."""
        return ArrayType(self.element, len(self.lengths))


@dataclass(frozen=True)
class Tuple:
    """A tuple of values."""

    items: tuple[Value, ...]

    @property
    def type(self) -> TupleType:
        """Its type."""
        return TupleType(tuple(type_of(item) for item in self.items))


@dataclass(frozen=True)
class Known:
    """An object that the translation knows: None, a literal, a function, a module.

    A literal of Python takes the type of what it meets.
    """

    value: Any


Value: TypeAlias = Scalar | Array | Tuple | Known


def type_of(value: Value) -> Type:
    """The type of a value; of a literal the one that it has by itself."""
    if isinstance(value, Known):
        if value.value is None:
            return NoneType()
        return number_of(value.value)
    return value.type


def named(kind: Type) -> str:
    """A type in words."""
    match kind:
        case Number():
            return kind.name
        case ArrayType():
            return f"an array of {kind.element.name} with {kind.rank} {'axis' if kind.rank == 1 else 'axes'}"
        case TupleType():
            return f"a tuple ({', '.join(map(named, kind.items))})"
        case NoneType():
            return "None"


def number_of(literal: Any) -> Number:
    """The type of a literal. Raises TypeError for what is none."""
    if isinstance(literal, bool):
        return BOOL
    if isinstance(literal, int):
        return I64
    if isinstance(literal, float):
        return F64
    raise TypeError(f"{literal!r} is no value of the kernel language")


def leaves(kind: Type) -> list[str]:
    """LLVM's types of the registers that a value of this type has, in their order."""
    match kind:
        case Number():
            return [kind.ir]
        case ArrayType():
            return ["ptr", *(["i64"] * kind.rank)]
        case TupleType():
            return [leaf for item in kind.items for leaf in leaves(item)]
        case NoneType():
            return []


def flattened(value: Value, literal: Callable[[Known], Scalar]) -> list[str]:
    """The registers of a value, as `leaves` orders them. literal: makes a number of a literal."""
    match value:
        case Scalar():
            return [value.text]
        case Array():
            return [value.pointer, *value.lengths]
        case Tuple():
            return [text for item in value.items for text in flattened(item, literal)]
        case Known():
            return [] if value.value is None else [literal(value).text]


def rebuilt(kind: Type, registers: list[str]) -> Value:
    """The value of a type in these registers, which are taken from the front of the list."""
    match kind:
        case Number():
            return Scalar(kind, registers.pop(0))
        case ArrayType():
            pointer = registers.pop(0)
            return Array(kind.element, pointer, tuple(registers.pop(0) for _ in range(kind.rank)))
        case TupleType():
            return Tuple(tuple(rebuilt(item, registers) for item in kind.items))
        case NoneType():
            return Known(None)


def result_of(kind: Type) -> str:
    """LLVM's type of a function that gives a value of this type."""
    types = leaves(kind)
    return "void" if not types else types[0] if len(types) == 1 else f"{{{', '.join(types)}}}"
