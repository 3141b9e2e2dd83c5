"""The seam to a library of matrix products, and which products of a plan it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from nnctl.backends.cuda.calls import Call, ProductPrecision, Scratch, elements
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.kernels.products import Update, addition
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Launch, Plan, Slot


@dataclass(frozen=True)
class Product:
    """C (m, n) = op(A)·op(B), op(A) (m, k), op(B) (k, n), every matrix by rows in memory, float32.

    transpose_a, transpose_b: whether the operands lie in memory as (k, m) and (n, k). bias: whether a vector (n,)
    is added to each row.
    """

    m: int
    n: int
    k: int
    transpose_a: bool
    transpose_b: bool
    precision: ProductPrecision
    bias: bool = False


class ProductLibrary(Protocol):
    """A library that makes products in the stream of a device."""

    def prepared(self, product: Product, a: int, b: int, c: int, bias: int = 0) -> Callable[[], None]:
        """The work that puts a product of matrices at these addresses, and a bias, into the stream.

        All choices are made now, so that the work can be captured. What lies at the addresses is not
        changed before it runs.
        """


@dataclass(frozen=True)
class LibraryCall:
    """A product beside the calls of a launch. No guard can stop it: it writes to the arena or scratch alone."""

    library: ProductLibrary
    product: Product
    a: Slot
    b: Slot
    c: Slot | Scratch
    bias: Slot | None = None

    @property
    def arrays(self) -> tuple[Slot | Scratch, ...]:
        """A, B, C, and the bias where there is one."""
        return (self.a, self.b, self.c) if self.bias is None else (self.a, self.b, self.c, self.bias)


Piece: TypeAlias = Call | LibraryCall

_WORTH = 1 << 24
"""Multiplications. On fewer a device of a hundred multiprocessors spends under a microsecond in any case, and what
counts is to be few launches with blocks enough, by which our kernels are chosen."""
_NARROW = 16
"""Rows or columns of a result up to which reading the operands is all the work."""


def worth_a_library(m: int, n: int, k: int) -> bool:
    """True for a product that a library is asked for where there is one."""
    return m * n * k >= _WORTH and min(m, n) > _NARROW


def pieces_of(plan: Plan, precision: ProductPrecision, library: ProductLibrary | None) -> list[Sequence[Piece] | None]:
    """The calls of each launch as `calls_of` has them, but for products that a library makes where there is one."""
    calls = calls_of(plan, precision, joined=True)
    if library is None:
        return list(calls)
    pieces: list[Sequence[Piece] | None] = [
        _by_library(launch, precision, library) or made for launch, made in zip(plan.launches, calls, strict=True)
    ]
    for number in range(len(pieces) - 1):
        _add_bias(plan, number, pieces)
    return pieces


def _add_bias(plan: Plan, number: int, pieces: list[Sequence[Piece] | None]) -> None:
    """Let a product of the library add the bias that the launch behind it would, if nothing else reads the product.

    Nothing runs between the two. The product must not write over what it reads.
    """
    first, second = plan.launches[number : number + 2]
    made, after = pieces[number], pieces[number + 1]
    product = made[0] if made and len(made) == 1 else None
    alone = after is not None and len(after) == 1 and isinstance(after[0], Call) and not after[0].shares
    if not isinstance(product, LibraryCall) or not alone:
        return
    c, z = first.outputs[0], second.outputs[0]
    if not _is_sum(second) or second.inputs[0] != c or z.place != "arena" or z.shape != c.shape:
        return
    bias = second.inputs[1]
    if bias.place == "inline" or bias.shape != (c.shape[1],):
        return
    if any(_overlap(z, each) for each in (product.a, product.b, bias)) or _is_read(plan, c, number + 2):
        return
    pieces[number] = [replace(product, product=replace(product.product, bias=True), c=z, bias=bias)]
    pieces[number + 1] = []


def _is_sum(launch: Launch) -> bool:
    """True for the elementwise sum of two values."""
    if not isinstance(launch.op, ElementwiseOp):
        return False
    expression = launch.op.expression
    lines = [(line.primitive, tuple(line.arguments)) for line in expression.lines]
    return lines == [("add", (0, 1))] and list(expression.results) == [2]


def _is_read(plan: Plan, slot: Slot, after: int) -> bool:
    """True where a value in the arena may be read by launch `after`, one behind it, or as a result."""
    inlined = [each for launch in plan.inlined.values() for each in launch.inputs]
    if any(_overlap(slot, each) for each in inlined):
        return True
    for launch in plan.launches[after:]:
        if any(_overlap(slot, each) for each in launch.inputs):
            return True
        if any(_overlap(slot, each) for each in launch.outputs):
            return False
    results = [*plan.outputs.values(), *(new for new, _ in plan.copies)]
    return any(_overlap(slot, each) for each in results)


def _overlap(one: Slot, other: Slot) -> bool:
    """True for slots of the arena that share memory."""
    if one.place != "arena" or other.place != "arena":
        return False
    ends = [slot.offset + elements(slot) * element(slot.dtype).bytes for slot in (one, other)]
    return one.offset < ends[1] and other.offset < ends[0]


def _by_library(launch: Launch, precision: ProductPrecision, library: ProductLibrary) -> list[Piece]:
    """The pieces of a product that the library is asked for, none for another launch."""
    if launch.op.name not in ("matmul", "accumulate_product"):
        return []
    c = launch.outputs[0]
    a, b = launch.inputs[:2] if launch.op.name == "matmul" else launch.inputs[1:3]
    ta, tb = (bool(launch.attributes.get(f"transpose_{operand}")) for operand in "ab")
    (m, n), k = c.shape, a.shape[0 if ta else 1]
    if not worth_a_library(m, n, k):
        return []
    product = Product(m, n, k, ta, tb, precision)
    if launch.op.name == "matmul":
        return [LibraryCall(library, product, a, b, c)] if c.place == "arena" else []
    old, _, _, alpha, beta = launch.inputs
    made = Scratch(m * n, key="product")
    return [LibraryCall(library, product, a, b, made), addition(made, 1, c, Update(old, alpha, beta))]
