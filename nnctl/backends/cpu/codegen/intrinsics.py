"""Functions of the kernel language that stand for instructions: symbols, windows, prefetching, bits of a float."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from nnctl.backends.cpu.compiler.emission import Emission
from nnctl.backends.cpu.compiler.marks import Function, intrinsic
from nnctl.backends.cpu.compiler.types import F32, I32, I64, Array, Known, Scalar, Value
from nnctl.backends.cpu.gemm import product as gemm_module
from nnctl.backends.cpu.gemm.kernel_ir import SYMBOL
from nnctl.backends.cpu.gemm.packed_ir import PACK_SYMBOL, PACKED_SYMBOL

T = TypeVar("T", bound=Function)


def symbol(name: str, load: Callable[[], object], *, gives_float: bool = False) -> Callable[[T], T]:
    """Let a function stand for a call of a symbol: arrays as addresses, whole numbers as int64, others as float32.

    load: binds the symbol in this process, before anything that calls it is loaded. gives_float: whether the call has
    a float32 as its result, not nothing.
    """

    def lowering(emission: Emission, arguments: Sequence[Value]) -> Value:
        passed = []
        for argument in arguments:
            if isinstance(argument, Array):
                passed.append(("ptr", argument.pointer))
                continue
            number = emission.number(argument)
            kind = F32 if number.type.floating else I64
            passed.append((kind.ir, emission.converted(number, kind).text))
        if gives_float:
            return Scalar(F32, emission.call(name, F32.ir, passed))
        emission.call(name, "void", passed)
        return Known(None)

    def decorate(function: T) -> T:
        setattr(function, _LOAD, load)
        return intrinsic(lowering)(function)

    return decorate


_LOAD = "__load__"


def loader_of(function: Any) -> Callable[[], object] | None:
    """The loader of the symbol that a function stands for; None for any other function."""
    found: Callable[[], object] | None = getattr(function, _LOAD, None)
    return found


@symbol(SYMBOL, gemm_module.load)
def gemm(ta: Any, tb: Any, m: Any, n: Any, k: Any, alpha: Any, a: Any, lda: Any, b: Any, ldb: Any,
         beta: Any, c: Any, ldc: Any, scratch: Any) -> None:  # fmt: skip
    """C ← α·op(A)·op(B) + β·C for row-major arrays: C is (m, n), op transposes where its flag is 1.

    lda, ldb, ldc: elements between rows as stored. scratch: of this thread, as much as `product_scratch` says.
    """


@symbol(PACK_SYMBOL, gemm_module.load)
def pack(tb: Any, n: Any, k: Any, b: Any, ldb: Any, packed: Any) -> None:
    """packed ← op(B) of k rows and n columns, as `packed_product` reads it: `packed_size` floats."""


@symbol(PACKED_SYMBOL, gemm_module.load)
def packed_product(m: Any, n: Any, k: Any, a: Any, lda: Any, packed: Any, beta: Any, c: Any, ldc: Any) -> None:
    """C ← A·B + β·C with B packed. lda, ldc: elements between rows."""


def _window(emission: Emission, arguments: Sequence[Value]) -> Value:
    """The array of a shape that begins at an element of a flat one."""
    array, start, *lengths = arguments
    flat = _array(array)
    return emission.shaped(flat, emission.offset(flat, start), lengths)


def _array(value: Value) -> Array:
    """An argument that is an array. Raises TypeError for any other."""
    if not isinstance(value, Array):
        raise TypeError("an array is needed")
    return value


@intrinsic(_window, pure=True)
def window1(array: Any, start: Any, n: Any) -> Any:
    """`n` elements of a flat array from `start` on: no copy, no check."""
    return array[start : start + n]


@intrinsic(_window, pure=True)
def window2(array: Any, start: Any, m: Any, n: Any) -> Any:
    """An (m, n) matrix in a flat array from `start` on."""
    return array[start : start + m * n].reshape(m, n)


@intrinsic(_window, pure=True)
def window3(array: Any, start: Any, m: Any, n: Any, k: Any) -> Any:
    """An (m, n, k) array in a flat one from `start` on."""
    return array[start : start + m * n * k].reshape(m, n, k)


@intrinsic(_window, pure=True)
def window4(array: Any, start: Any, m: Any, n: Any, k: Any, l: Any) -> Any:  # noqa: E741
    """An (m, n, k, l) array in a flat one from `start` on."""
    return array[start : start + m * n * k * l].reshape(m, n, k, l)


def _prefetch(emission: Emission, arguments: Sequence[Value]) -> Value:
    array, row, byte = arguments
    address = emission.element(_array(array), [row])
    place = emission.let(f"getelementptr i8, ptr {address}, i64 {emission.number(byte).text}")
    emission.call("llvm.prefetch.p0", "void", [("ptr", place), ("i32", "0"), ("i32", "3"), ("i32", "1")])
    return Known(None)


@intrinsic(_prefetch)
def prefetch(array: Any, row: Any, byte: Any) -> None:
    """Ask for the cache line with a byte of a row of a matrix, ahead of its use."""


def _float_of_bits(emission: Emission, arguments: Sequence[Value]) -> Value:
    bits = emission.converted(arguments[0], I32)
    return Scalar(F32, emission.let(f"bitcast i32 {bits.text} to float"))


@intrinsic(_float_of_bits, pure=True)
def float_of_bits(bits: Any) -> Any:
    """The float32 whose representation the int32 is."""
    return bits.view("float32")


def _bits_of_float(emission: Emission, arguments: Sequence[Value]) -> Value:
    value = emission.converted(arguments[0], F32)
    return Scalar(I32, emission.let(f"bitcast float {value.text} to i32"))


@intrinsic(_bits_of_float, pure=True)
def bits_of_float(value: Any) -> Any:
    """The representation of a float32 as an int32."""
    return value.view("int32")
