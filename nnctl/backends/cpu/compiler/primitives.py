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
    a, b = emission.pair(*arguments)
    above = emission.compared("Gt", b, a)
    assert isinstance(above, Scalar)
    return emission.chosen(above, b, a)


def _smallest(emission: Emission, arguments: Sequence[Value]) -> Value:
    """Python's min of two: the first, unless the second is smaller."""
    a, b = emission.pair(*arguments)
    below = emission.compared("Lt", b, a)
    assert isinstance(below, Scalar)
    return emission.chosen(below, b, a)


def _size(emission: Emission, arguments: Sequence[Value]) -> Value:
    """The absolute value."""
    x = emission.number(arguments[0])
    if x.type.floating:
        return _llvm("fabs")(emission, arguments)
    negative = emission.compared("Lt", x, Known(0))
    assert isinstance(negative, Scalar)
    return emission.chosen(negative, emission.negated(x), x)


def _is_finite(emission: Emission, arguments: Sequence[Value]) -> Value:
    x = emission.number(arguments[0])
    size = emission.number(_llvm("fabs")(emission, [x]))
    # 0x7FF0… is infinity in every width that LLVM writes.
    return Scalar(BOOL, emission.let(f"fcmp one {x.type.ir} {size.text}, 0x7FF0000000000000"))


def _llvm(name: str) -> Primitive:
    """An instruction that LLVM has for both widths."""

    def write(emission: Emission, arguments: Sequence[Value]) -> Value:
        x = emission.number(arguments[0])
        return Scalar(x.type, emission.call(f"llvm.{name}.f{x.type.bits}", x.type.ir, [(x.type.ir, x.text)]))

    return write


def _library(name: str) -> Primitive:
    """A function of the C library, in float64."""

    def write(emission: Emission, arguments: Sequence[Value]) -> Value:
        given = [("double", emission.converted(a, F64).text) for a in arguments]
        return Scalar(F64, emission.call(name, "double", given, " nounwind memory(none)"))

    return write


_OF_THE_LIBRARY = ("log", "exp", "sin", "cos", "tan", "sinh", "cosh", "erf", "pow")
PRIMITIVES: Mapping[Any, Primitive] = {
    max: _largest,
    min: _smallest,
    abs: _size,
    math.isfinite: _is_finite,
    math.sqrt: _llvm("sqrt"),
    math.floor: _llvm("floor"),
    np.floor: _llvm("floor"),
    **{getattr(math, name): _library(name) for name in _OF_THE_LIBRARY},
    math.atan: _library("atan"),
}  # fmt: skip
"""Functions of Python and NumPy, and the instructions that they stand for."""
