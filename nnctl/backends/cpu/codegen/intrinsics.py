"""Intrinsics that Numba lacks: products by symbol, windows, a barrier, the cycle counter, bits of a float."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils

from nnctl.backends.cpu.codegen.decorators import Function, intrinsic
from nnctl.backends.cpu.gemm import product as gemm_module
from nnctl.backends.cpu.gemm.kernel_ir import SYMBOL
from nnctl.backends.cpu.gemm.packed_ir import PACK_SYMBOL, PACKED_SYMBOL

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_F32 = ir.FloatType()
_PREFETCHED = 1024
"""Bytes of a row that are asked for ahead; what follows, the processor sees coming."""
_SPINS = 4000
"""Turns of a waiting thread before it offers its core to others."""


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    return context.make_array(array_type)(context, builder, array).data


def symbol(name: str, load: Callable[[], object]) -> Callable[[Function], Function]:
    """Let a function stand for a call of a symbol: arrays as addresses, whole numbers as int64, others as float32.

    load: binds the symbol in this process, for compiled code on disk names it alone.
    """

    def decorate(function: Function) -> Function:
        load()

        def called(typing: Any, *arguments: Any) -> Any:
            return types.void(*map(_passed_as, arguments)), codegen

        # Numba reads the arguments' names.
        own = inspect.signature(function).parameters.values()
        typing = inspect.Parameter("typing", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        called.__signature__ = inspect.Signature([typing, *own])  # type: ignore[attr-defined]
        called.__name__, called.__doc__ = function.__name__, function.__doc__
        return intrinsic(called)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        passed = [
            _data(context, builder, kind, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(sig.args, args, strict=True)
        ]
        kind = ir.FunctionType(ir.VoidType(), [p.type for p in passed])
        builder.call(_external(builder, kind, name), passed)
        return context.get_dummy_value()

    return decorate


def _passed_as(kind: Any) -> Any:
    """The type of an argument in a call of a symbol."""
    if isinstance(kind, types.Array):
        return kind
    return types.float32 if isinstance(kind, types.Float) else types.int64


@symbol(SYMBOL, gemm_module.load)
def gemm(ta: Any, tb: Any, m: Any, n: Any, k: Any, alpha: Any, a: Any, lda: Any, b: Any, ldb: Any,
         beta: Any, c: Any, ldc: Any, scratch: Any, spans: Any, span: Any) -> None:  # fmt: skip
    """C ← α·op(A)·op(B) + β·C for row-major arrays: C is (m, n), op transposes where its flag is 1.

    lda, ldb, ldc: elements between rows as stored. The sum runs over `spans` blocks of
    k terms; for each A begins `span` elements further and B k rows further: 1 and 0 for a
    plain product. scratch: of this thread, as much as `product_scratch` says.
    """


@symbol(PACK_SYMBOL, gemm_module.load)
def pack(tb: Any, n: Any, k: Any, b: Any, ldb: Any, packed: Any) -> None:
    """packed ← op(B) of k rows and n columns, as `packed_product` reads it: `packed_size` floats."""


@symbol(PACKED_SYMBOL, gemm_module.load)
def packed_product(m: Any, n: Any, k: Any, a: Any, lda: Any, packed: Any, beta: Any, c: Any, ldc: Any) -> None:
    """C ← A·B + β·C with B packed. lda, ldc: elements between rows."""


def _window(typing: Any, array: Any, start: Any, shape: tuple[Any, ...]) -> Any:
    """The array of `shape` that begins at element `start` of a flat one: no copy, no check."""
    kind = types.Array(array.dtype, len(shape), "C")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        flat = context.make_array(sig.args[0])(context, builder, args[0])
        made = context.make_array(kind)(context, builder)
        lengths = list(args[2:])
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype)))
        strides = [size]
        for length in reversed(lengths[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        context.populate_array(
            made, data=builder.gep(flat.data, [args[1]]), shape=lengths, strides=strides, itemsize=size,
            meminfo=None, parent=None,
        )  # fmt: skip
        return made._getvalue()

    return kind(array, types.intp, *(types.intp for _ in shape)), codegen


@intrinsic
def window1(typing: Any, array: Any, start: Any, n: Any) -> Any:
    """`n` elements of a flat array from `start` on."""
    return _window(typing, array, start, (n,))


@intrinsic
def window2(typing: Any, array: Any, start: Any, m: Any, n: Any) -> Any:
    """An (m, n) matrix in a flat array from `start` on."""
    return _window(typing, array, start, (m, n))


@intrinsic
def window3(typing: Any, array: Any, start: Any, m: Any, n: Any, k: Any) -> Any:
    """An (m, n, k) array in a flat one from `start` on."""
    return _window(typing, array, start, (m, n, k))


@intrinsic
def window4(typing: Any, array: Any, start: Any, m: Any, n: Any, k: Any, l: Any) -> Any:  # noqa: E741
    """An (m, n, k, l) array in a flat one from `start` on."""
    return _window(typing, array, start, (m, n, k, l))


@intrinsic
def barrier(typing: Any, counters: Any, threads: Any) -> Any:
    """Wait until all `threads` threads are here. counters: two int64, 0 before first use.

    counters[0] counts arrivals; the last one resets it and raises the generation in counters[1].
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        several = builder.icmp_signed(">", args[1], ir.Constant(_I64, 1))
        with builder.if_then(several):
            _wait(context, builder, _data(context, builder, sig.args[0], args[0]), args[1])
        return context.get_dummy_value()

    return types.void(counters, types.int64), codegen


def _wait(context: Any, builder: Any, arrivals: Any, threads: Any) -> None:
    # A cache line apart, or each arrival would disturb those that wait.
    generation = builder.gep(arrivals, [ir.Constant(_I64, 16)])
    mine = builder.load_atomic(generation, "acquire", 8)
    arrived = builder.atomic_rmw("add", arrivals, ir.Constant(_I64, 1), "acq_rel")
    last = builder.icmp_signed("==", arrived, builder.sub(threads, ir.Constant(_I64, 1)))
    with builder.if_else(last) as (then, otherwise):
        with then:
            builder.store_atomic(ir.Constant(_I64, 0), arrivals, "monotonic", 8)
            builder.atomic_rmw("add", generation, ir.Constant(_I64, 1), "release")
        with otherwise:
            _spin(context, builder, generation, mine)


def _spin(context: Any, builder: Any, generation: Any, mine: Any) -> None:
    """Loop until the generation changes, yielding the core now and then."""
    turns = _stack_slot(builder, ir.Constant(_I64, 0), _I64)
    waiting = builder.append_basic_block("waiting")
    yielding = builder.append_basic_block("yielding")
    passed = builder.append_basic_block("passed")
    check = builder.append_basic_block("check")
    builder.branch(waiting)
    builder.position_at_end(waiting)
    now = builder.load_atomic(generation, "acquire", 8)
    builder.cbranch(builder.icmp_signed("!=", now, mine), passed, check)
    builder.position_at_end(check)
    count = builder.add(builder.load(turns), ir.Constant(_I64, 1))
    builder.store(count, turns)
    _pause(builder)
    enough = builder.icmp_signed(">", count, ir.Constant(_I64, _SPINS))
    builder.cbranch(enough, yielding, waiting)
    builder.position_at_end(yielding)
    builder.store(ir.Constant(_I64, 0), turns)
    yield_kind = ir.FunctionType(_I32, [])
    builder.call(_external(builder, yield_kind, "sched_yield"), [])
    builder.branch(waiting)
    builder.position_at_end(passed)


def _pause(builder: Any) -> None:
    """Tell an x86 core that this is a wait loop."""
    if llvm.get_process_triple().startswith("x86_64"):
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(_external(builder, kind, "llvm.x86.sse2.pause"), [])


def _external(builder: Any, kind: Any, name: str) -> Any:
    """A function that the linker finds by name."""
    found: Any = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return found


def _stack_slot(builder: Any, value: Any, kind: Any) -> Any:
    """A slot for a value in the entry block, so that a loop around it does not grow the stack."""
    slot: Any = cgutils.alloca_once(builder, kind)  # type: ignore[no-untyped-call]
    builder.store(value, slot)
    return slot


@intrinsic
def cycle_counter(typing: Any) -> Any:
    """The processor's cycle counter."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = ir.FunctionType(_I64, [])
        return builder.call(_external(builder, kind, "llvm.readcyclecounter"), [])

    return types.int64(), codegen


@intrinsic
def prefetch(typing: Any, array: Any, row: Any) -> Any:
    """Ask for the first cache line of a row of a matrix, ahead of its use."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = context.make_array(sig.args[0])(context, builder, args[0])
        stride = cgutils.unpack_tuple(builder, made.strides)[0]  # type: ignore[no-untyped-call]
        data = builder.bitcast(made.data, _I8.as_pointer())
        first = builder.mul(args[1], stride)
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32])
        function = _external(builder, kind, "llvm.prefetch.p0")
        for line in range(0, _PREFETCHED, 64):
            place = builder.gep(data, [builder.add(first, ir.Constant(_I64, line))])
            builder.call(function, [place, ir.Constant(_I32, 0), ir.Constant(_I32, 3), ir.Constant(_I32, 1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


@intrinsic
def float_of_bits(typing: Any, bits: Any) -> Any:
    """The float32 whose representation the int32 is."""
    return types.float32(types.int32), lambda context, builder, sig, args: builder.bitcast(args[0], _F32)


@intrinsic
def bits_of_float(typing: Any, value: Any) -> Any:
    """The representation of a float32 as an int32."""
    return types.int32(types.float32), lambda context, builder, sig, args: builder.bitcast(args[0], _I32)
