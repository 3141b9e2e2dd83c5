"""Matrix products."""

from __future__ import annotations

from typing import Any

from nnctl.ops.shapes import TensorType, product, show
from nnctl.ops.table import Sample, op


def _type(a: TensorType, b: TensorType, *, transpose_a: bool = False, transpose_b: bool = False) -> TensorType:
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise ValueError(f"matmul takes two matrices, got shapes {show(a.shape)} and {show(b.shape)}")
    rows, inner = a.shape[::-1] if transpose_a else a.shape
    inner_b, columns = b.shape[::-1] if transpose_b else b.shape
    if inner != inner_b:
        raise ValueError(f"matmul of {show(a.shape)} and {show(b.shape)}: inner sizes {inner} and {inner_b} differ")
    return TensorType((rows, columns))


def _cost(a: TensorType, b: TensorType, *, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    columns = b.shape[0] if transpose_b else b.shape[1]
    return product((*a.shape, columns)) * 2 if not _two_symbols(a, columns) else 0


def _two_symbols(a: TensorType, columns: Any) -> bool:
    return sum(not isinstance(d, int) for d in (*a.shape, columns)) > 1


def _derivative(
    builder: Any, g: Any, y: Any, a: Any, b: Any, *, transpose_a: bool = False, transpose_b: bool = False
) -> list[Any]:
    def product_of(left: Any, right: Any, ta: bool, tb: bool) -> Any:
        return builder.apply("matmul", left, right, transpose_a=ta, transpose_b=tb)

    da = db = None
    if builder.differentiable(a):
        da = product_of(b, g, transpose_b, True) if transpose_a else product_of(g, b, False, not transpose_b)
    if builder.differentiable(b):
        db = product_of(g, a, True, transpose_a) if transpose_b else product_of(a, g, not transpose_a, False)
    return [da, db]


def _sample(rng: Any) -> Sample:
    m, k, n = rng.integers(1, 9, size=3)
    ta, tb = (bool(t) for t in rng.integers(0, 2, size=2))
    a = rng.standard_normal((k, m) if ta else (m, k))
    b = rng.standard_normal((n, k) if tb else (k, n))
    return [a, b], {"transpose_a": ta, "transpose_b": tb}


@op("matmul", type_rule=_type, derivative=_derivative, cost=_cost, sample=_sample)
def matmul(xp: Any, a: Any, b: Any, *, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """The product of two matrices, each perhaps transposed first."""
    return xp.matmul(a.T if transpose_a else a, b.T if transpose_b else b)


def _accumulate_type(
    c: TensorType, a: TensorType, b: TensorType, alpha: TensorType, beta: TensorType, **transposes: bool
) -> TensorType:
    product_type = _type(a, b, **transposes)
    if c.shape != product_type.shape:
        raise ValueError(f"a product of shape {show(product_type.shape)} does not add to {show(c.shape)}")
    return product_type


def _accumulate_derivative(
    builder: Any, g: Any, y: Any, c: Any, a: Any, b: Any, alpha: Any, beta: Any, **transposes: bool
) -> list[Any]:
    made = builder.apply("matmul", a, b, **transposes)
    da, db = _derivative(builder, g * alpha, made, a, b, **transposes)
    axes = (0, 1)
    dalpha = builder.apply("sum", g * made, axes=axes)
    return [g * beta, da, db, dalpha, builder.apply("sum", g * c, axes=axes)]


def _accumulate_sample(rng: Any) -> Sample:
    (a, b), transposes = _sample(rng)
    rows, columns = a.shape[bool(transposes["transpose_a"])], b.shape[not transposes["transpose_b"]]
    return [rng.standard_normal((rows, columns)), a, b, *rng.standard_normal(2)], transposes


@op(
    "accumulate_product",
    type_rule=_accumulate_type,
    derivative=_accumulate_derivative,
    cost=lambda c, a, b, alpha, beta, **transposes: _cost(a, b, **transposes),
    sample=_accumulate_sample,
    overwrites=True,
)
def accumulate_product(xp: Any, c: Any, a: Any, b: Any, alpha: Any, beta: Any, **transposes: bool) -> Any:
    """β·C + α·op(A)·op(B): an update by a product."""
    return beta * c + alpha * matmul(xp, a, b, **transposes)
