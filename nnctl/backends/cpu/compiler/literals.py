"""Literals of the kernel language: what is worked out while a kernel is translated."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnctl.backends.cpu.compiler.types import BOOL, F32, Known, Number, Scalar, number_of

_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv,
    "FloorDiv": operator.floordiv, "Mod": operator.mod, "Pow": operator.pow, "LShift": operator.lshift,
    "RShift": operator.rshift, "BitAnd": operator.and_, "BitOr": operator.or_, "BitXor": operator.xor,
    "Eq": operator.eq, "NotEq": operator.ne, "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt,
    "GtE": operator.ge,
}  # fmt: skip


def folded(name: str, a: Known, b: Known) -> Known:
    """The result of an operation of Python on two literals, called as its syntax tree calls it."""
    if name not in _OPERATIONS:
        raise TypeError(f"{name} is no operation of the kernel language")
    return Known(_OPERATIONS[name](a.value, b.value))


def literal(known: Known) -> Scalar:
    """A literal as a number of its own type."""
    return constant(number_of(known.value), known.value)


def constant(kind: Number, value: Any) -> Scalar:
    """A literal as a number of a type. Raises TypeError where that cannot hold it."""
    number_of(value)
    if kind.floating:
        # LLVM writes a float as the double that equals it.
        with np.errstate(over="ignore"):
            wide = float(np.float32(value)) if kind is F32 else float(value)
        return Scalar(kind, f"0x{struct.pack('>d', wide).hex().upper()}")
    if isinstance(value, float) and not value.is_integer():
        raise TypeError(f"{value!r} is no whole number")
    whole = int(value)
    least, most = (-(1 << kind.bits - 1), (1 << kind.bits - 1) - 1) if kind.signed else (0, (1 << kind.bits) - 1)
    if not least <= whole <= most:
        raise TypeError(f"{value!r} is no {kind.name}")
    if kind is BOOL:
        return Scalar(kind, "true" if whole else "false")
    return Scalar(kind, str(whole))
