"""The seam to a library of matrix products, and which products of a plan it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from nnctl.backends.cuda.calls import Call, ProductPrecision, Scratch
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.kernels.products import Update, addition
from nnctl.plan.plan import Launch, Plan, Slot


@dataclass(frozen=True)
class Product:
    """C (m, n) = op(A)·op(B), op(A) (m, k), op(B) (k, n), every matrix by rows in memory, float32.

    transpose_a, transpose_b: whether the operands lie in memory as (k, m) and (n, k).
    """

    m: int
    n: int
    k: int
    transpose_a: bool
    transpose_b: bool
    precision: ProductPrecision


class ProductLibrary(Protocol):
    """A library that makes products in the stream of a device."""

    def prepared(self, product: Product, a: int, b: int, c: int) -> Callable[[], None]:
        """The work that puts a product of matrices at these addresses into the stream.

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
    return [_by_library(launch, precision, library) or made for launch, made in zip(plan.launches, calls, strict=True)]


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
