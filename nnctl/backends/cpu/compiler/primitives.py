"""Functions that every kernel may call without importing them from us: conversions, roots, the C library's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nnctl.backends.cpu.compiler.emission import Emission
from nnctl.backends.cpu.compiler.types import BOOL, F32, F64, I32, I64, U64, Known, Number, Scalar, Value

CONVERSIONS: Mapping[Any, Number] = {
    np.float32: F32, np.float64: F64, np.int32: I32, np.int64: I64, np.uint64: U64, float: F64,
}  # fmt: skip
"""Types that are called to convert a number."""
Primitive = Callable[[Emission, Sequence[Value]], Value]


def _largest(emission: Emission, arguments: Sequence[Value]) -> Value:
    """Python's max of two: the first, unless the second is larger."""
    a, b = emission.pair(*_given(arguments, 2))
    return emission.chosen(emission.relation("Gt", b, a), b, a)


def _smallest(emission: Emission, arguments: Sequence[Value]) -> Value:
    """Python's min of two: the first, unless the second is smaller."""
    a, b = emission.pair(*_given(arguments, 2))
    return emission.chosen(emission.relation("Lt", b, a), b, a)


def _size(emission: Emission, arguments: Sequence[Value]) -> Value:
    """The absolute value."""
    (given,) = _given(arguments, 1)
    x = emission.number(given)
    if x.type.floating:
        return _llvm("fabs")(emission, arguments)
    return emission.chosen(emission.relation("Lt", x, Known(0)), emission.negated(x), x)


def _is_finite(emission: Emission, arguments: Sequence[Value]) -> Value:
    size = emission.number(_llvm("fabs")(emission, arguments))
    # 0x7FF0… is infinity in every width that LLVM writes.
    return Scalar(BOOL, emission.let(f"fcmp one {size.type.ir} {size.text}, 0x7FF0000000000000"))


def _llvm(name: str) -> Primitive:
    """An instruction that LLVM has for both widths."""

    def write(emission: Emission, arguments: Sequence[Value]) -> Value:
        (given,) = _given(arguments, 1)
        x = emission.number(given)
        if not x.type.floating:
            raise TypeError(f"{name} of {x.type.name}, which has to be converted")
        return Scalar(x.type, emission.call(f"llvm.{name}.f{x.type.bits}", x.type.ir, [(x.type.ir, x.text)]))

    return write


def _library(name: str, count: int = 1) -> Primitive:
    """A function of the C library, in float64. count: of its arguments."""

    def write(emission: Emission, arguments: Sequence[Value]) -> Value:
        given = [("double", emission.converted(a, F64).text) for a in _given(arguments, count)]
        return Scalar(F64, emission.call(name, "double", given, " nounwind memory(none)"))

    return write


def _given(arguments: Sequence[Value], count: int) -> Sequence[Value]:
    """The arguments of a function that takes so many. Raises TypeError for others."""
    if len(arguments) != count:
        raise TypeError(f"{count} arguments are taken, {len(arguments)} given")
    return arguments


_OF_THE_LIBRARY = ("log", "exp", "sin", "cos", "tan", "sinh", "cosh", "erf", "atan")
PRIMITIVES: Mapping[Any, Primitive] = {
    max: _largest,
    min: _smallest,
    abs: _size,
    math.isfinite: _is_finite,
    math.sqrt: _llvm("sqrt"),
    np.floor: _llvm("floor"),
    math.pow: _library("pow", 2),
    **{getattr(math, name): _library(name) for name in _OF_THE_LIBRARY},
}
"""Functions of Python and NumPy, and the instructions that they stand for."""
