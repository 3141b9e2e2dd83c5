"""Sums, means, maxima, and the broadcasts that are their transposes."""

from __future__ import annotations

from typing import Any

from nnctl.ops.shapes import Shape, TensorType, broadcast, product, show
from nnctl.ops.table import Sample, normalized_axes, op, reduced_shape


def _reduction_type(x: TensorType, *, axes: tuple[int, ...], keepdims: bool = False) -> TensorType:
    return TensorType(reduced_shape(x.shape, axes, keepdims))


def _elements(x: TensorType, **_: Any) -> Any:
    return product(x.shape)


def _reduction_sample(rng: Any) -> Sample:
    x = rng.standard_normal(tuple(rng.integers(1, 6, size=3)))
    axes = [(0,), (1, 2), (-1,), (0, 1, 2)][rng.integers(4)]
    return [x], {"axes": axes, "keepdims": bool(rng.integers(2))}


def _spread(builder: Any, g: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """The reduced gradient g, repeated over the axes that were reduced."""
    kept = builder.apply("reshape", g, shape=reduced_shape(x.shape, axes, True))
    return builder.apply("broadcast_to", kept, shape=x.shape)


def _sum_derivative(
    builder: Any, g: Any, y: Any, x: Any, *, axes: tuple[int, ...], keepdims: bool = False
) -> list[Any]:
    return [_spread(builder, g, x, axes)]


def _mean_derivative(
    builder: Any, g: Any, y: Any, x: Any, *, axes: tuple[int, ...], keepdims: bool = False
) -> list[Any]:
    gone = normalized_axes(axes, len(x.shape))
    count = builder.apply("size", shape=tuple(x.shape[a] for a in gone))
    return [_spread(builder, g / count, x, axes)]


@op("sum", type_rule=_reduction_type, derivative=_sum_derivative, cost=_elements, sample=_reduction_sample)
def sum_(xp: Any, x: Any, *, axes: tuple[int, ...], keepdims: bool = False) -> Any:
    """Σ over `axes`."""
    return xp.sum(x, axis=axes, keepdims=keepdims)


@op("mean", type_rule=_reduction_type, derivative=_mean_derivative, cost=_elements, sample=_reduction_sample)
def mean(xp: Any, x: Any, *, axes: tuple[int, ...], keepdims: bool = False) -> Any:
    """The arithmetic mean over `axes`."""
    return xp.mean(x, axis=axes, keepdims=keepdims)


@op("max", type_rule=_reduction_type, cost=_elements, sample=_reduction_sample)
def max_(xp: Any, x: Any, *, axes: tuple[int, ...], keepdims: bool = False) -> Any:
    """The largest over `axes`, NaN where there is one. It has no derivative: for metrics, not for learning."""
    return xp.max(x, axis=axes, keepdims=keepdims)


def _size_sample(rng: Any) -> Sample:
    return [], {"shape": tuple(int(n) for n in rng.integers(1, 6, size=2))}


@op("size", type_rule=lambda *, shape: TensorType(()), sample=_size_sample, cost=lambda *, shape: 0)
def size(xp: Any, *, shape: Shape) -> Any:
    """The number of elements of `shape`, as a real number."""
    return xp.asarray(float(product(shape)))  # type: ignore[arg-type]


def _broadcast_type(x: TensorType, *, shape: Shape) -> TensorType:
    if broadcast([x.shape, shape]) != shape:
        raise ValueError(f"shape {show(x.shape)} does not broadcast to {show(shape)}")
    return TensorType(shape)


def _broadcast_sample(rng: Any) -> Sample:
    m, n = (int(v) for v in rng.integers(1, 6, size=2))
    small = [(n,), (m, 1), (1, 1), (), (m, n)][rng.integers(5)]
    return [rng.standard_normal(small)], {"shape": (m, n)}


@op(
    "broadcast_to",
    type_rule=_broadcast_type,
    derivative=lambda builder, g, y, x, *, shape: [builder.apply("sum_to", g, shape=x.shape)],
    sample=_broadcast_sample,
    cost=lambda x, *, shape: 0,
)
def broadcast_to(xp: Any, x: Any, *, shape: Shape) -> Any:
    """x repeated along the axes where it is 1 or missing."""
    return xp.broadcast_to(x, shape)


def _sum_to_type(x: TensorType, *, shape: Shape) -> TensorType:
    if broadcast([x.shape, shape]) != x.shape:
        raise ValueError(f"shape {show(x.shape)} does not sum to {show(shape)}")
    return TensorType(shape)


def _sum_to_sample(rng: Any) -> Sample:
    m, n = (int(v) for v in rng.integers(1, 6, size=2))
    return [rng.standard_normal((m, n))], {"shape": [(n,), (m, 1), (1, 1), (), (m, n)][rng.integers(5)]}


@op(
    "sum_to",
    type_rule=_sum_to_type,
    derivative=lambda builder, g, y, x, *, shape: [builder.apply("broadcast_to", g, shape=x.shape)],
    cost=_elements,
    sample=_sum_to_sample,
)
def sum_to(xp: Any, x: Any, *, shape: Shape) -> Any:
    """The sum of x over the axes along which `shape` would be repeated: the transpose of broadcast_to."""
    missing = x.ndim - len(shape)
    axes = tuple(range(missing)) + tuple(
        i + missing for i, d in enumerate(shape) if d == 1 and x.shape[i + missing] != 1
    )
    return xp.reshape(xp.sum(x, axis=axes), shape) if axes else x
