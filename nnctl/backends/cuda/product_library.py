"""The seam to a library of matrix products, and which products of a plan it is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, Protocol, TypeAlias

from nnctl.backends.codegen.reductions import reduced_axes
from nnctl.backends.cuda.calls import Call, ProductPrecision, Scratch
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.ended_products import plain
from nnctl.backends.cuda.kernels.products import SHORT, Update, addition
from nnctl.errors import DeviceError
from nnctl.late import dataclass
from nnctl.plan.plan import Launch, Plan, Slot


class NoAlgorithm(DeviceError):
    """A library has no algorithm for a product."""


@dataclass(frozen=True)
class Product:
    """C (m, n) = op(A)·op(B), op(A) (m, k), op(B) (k, n), every matrix by rows in memory, float32.

    transpose_a, transpose_b: whether the operands lie in memory as (k, m) and (n, k). end: of its elements, whose
    bias is a vector (n,); or "sums", by which the sums of B's columns, (n,), are made beside it: not where it is
    transposed.
    """

    m: int
    n: int
    k: int
    transpose_a: bool
    transpose_b: bool
    precision: ProductPrecision
    end: Literal["", "bias", "relu", "bias+relu", "sums"] = ""


class ProductLibrary(Protocol):
    """A library that makes products in the stream of a device."""

    def prepared(self, product: Product, a: int, b: int, c: int, beside: int = 0) -> Callable[[], None]:
        """The work that puts a product of matrices at these addresses into the stream. beside: the vector of its end.

        All choices are made now, so that the work can be captured. What lies at the addresses is not
        changed before it runs. Raises NoAlgorithm where the library has none for it.
        """


@dataclass(frozen=True)
class LibraryCall:
    """A product beside the calls of a launch. No guard can stop it: it writes to the arena or scratch alone.

    beside: the vector of its end. instead: what does the same where the library has no algorithm for that.
    """

    library: ProductLibrary
    product: Product
    a: Slot
    b: Slot
    c: Slot | Scratch
    beside: Slot | None = None
    instead: tuple[Piece, ...] = ()

    @property
    def arrays(self) -> tuple[Slot | Scratch, ...]:
        """A, B, C, and the vector of its end where it has one."""
        return (self.a, self.b, self.c) if self.beside is None else (self.a, self.b, self.c, self.beside)


Piece: TypeAlias = Call | LibraryCall

_WORTH = 1 << 24
"""Multiplications. On fewer a device of a hundred multiprocessors spends under a microsecond in any case, and what
counts is to be few launches with blocks enough, by which our kernels are chosen."""
_NARROW = 16
"""Rows or columns of a result up to which reading the operands is all the work."""


def worth_a_library(m: int, n: int, k: int) -> bool:
    """True for a product that a library is asked for where there is one."""
    return m * n * k >= _WORTH and min(m, n) > _NARROW and k > SHORT


def pieces_of(plan: Plan, precision: ProductPrecision, library: ProductLibrary | None) -> list[Sequence[Piece] | None]:
    """The calls of each launch as `calls_of` has them, but for products that a library makes where there is one."""
    calls = calls_of(plan, precision, joined=True)
    if library is None:
        return list(calls)
    pieces: list[Sequence[Piece] | None] = [
        _by_library(launch, precision, library) or made for launch, made in zip(plan.launches, calls, strict=True)
    ]
    for number, made in enumerate(calls):
        _add_columns_up(plan, number, made or [], pieces)
    return pieces


def asks_library(pieces: Sequence[Sequence[Piece] | None]) -> bool:
    """True where a library makes a product of these launches."""
    return any(isinstance(piece, LibraryCall) for of_launch in pieces for piece in of_launch or ())


def _by_library(launch: Launch, precision: ProductPrecision, library: ProductLibrary) -> list[Piece]:
    """The pieces of a product that the library is asked for, none for another launch."""
    launch, end = plain(launch)
    if launch.op.name not in ("matmul", "accumulate_product"):
        return []
    c = launch.outputs[0]
    a, b = launch.inputs[:2] if launch.op.name == "matmul" else launch.inputs[1:3]
    ta, tb = (bool(launch.attributes.get(f"transpose_{operand}")) for operand in "ab")
    (m, n), k = c.shape, a.shape[0 if ta else 1]
    if not worth_a_library(m, n, k):
        return []
    product = Product(m, n, k, ta, tb, precision)
    if launch.op.name == "accumulate_product":
        old, _, _, alpha, beta = launch.inputs
        made = Scratch(m * n, key="product")
        return [LibraryCall(library, product, a, b, made), addition(made, 1, c, Update(old, alpha, beta))]
    if c.place != "arena":
        return []
    call = LibraryCall(library, product, a, b, c)
    if end is None:
        return [call]
    apart = (call, addition(c, 1, c, end))
    if end.kind == "mask":
        return [*apart]
    return [replace(call, product=replace(product, end=end.kind), beside=end.beside, instead=apart)]


def _add_columns_up(plan: Plan, number: int, calls: Sequence[Call], pieces: list[Sequence[Piece] | None]) -> None:
    """Let a product of the library that reads a matrix add up its columns, too, instead of launch `number`.

    So the gradient of a bias is made beside that of the weights. The sum's memory is its own from its phase on, until
    it has been read.
    """
    launch = plan.launches[number]
    x, y = launch.inputs[0], launch.outputs[0]
    alone = launch.op.name in ("sum", "sum_to") and calls and not any(call.shares for call in calls)
    if not alone or y.place != "arena" or len(x.shape) != 2 or reduced_axes(launch) != (0,):
        return
    until = _first_reader(plan, y, number)
    for i, found in enumerate(pieces):
        product = found[0] if found else None
        if not isinstance(product, LibraryCall) or not launch.phase <= plan.launches[i].phase < until:
            continue
        if product.b == x and not product.product.transpose_b and not product.product.end:
            made = replace(product.product, end="sums")
            pieces[i] = [replace(product, product=made, beside=y, instead=(product, *calls)), *(found or ())[1:]]
            pieces[number] = []
            return


def _first_reader(plan: Plan, slot: Slot, number: int) -> float:
    """The phase of the first launch that reads what launch `number` writes into a slot of the arena."""
    if any(_same_memory(slot, each) for launch in plan.inlined.values() for each in launch.inputs):
        return -math.inf
    behind = plan.launches[number + 1 :]
    return min((one.phase for one in behind if any(_same_memory(slot, each) for each in one.inputs)), default=math.inf)


def _same_memory(one: Slot, other: Slot) -> bool:
    return one.place == other.place == "arena" and one.offset == other.offset
