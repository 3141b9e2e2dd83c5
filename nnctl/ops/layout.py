"""Ops that move elements and compute nothing: reshape, concatenate, slices, rows of a data set, casts."""

from __future__ import annotations

from typing import Any

from nnctl.ops.shapes import Shape, Symbol, TensorType, product, show
from nnctl.ops.table import Sample, op


def _free(*_: Any, **__: Any) -> int:
    """FLOPs of moving."""
    return 0


def _reshape_type(x: TensorType, *, shape: Shape) -> TensorType:
    if product(x.shape) != product(shape):
        raise ValueError(f"shape {show(x.shape)} has {product(x.shape)} elements, {show(shape)} has {product(shape)}")
    return TensorType(shape, x.dtype)


def _reshape_sample(rng: Any) -> Sample:
    m, n = (int(v) for v in rng.integers(1, 6, size=2))
    return [rng.standard_normal((m, n, 2))], {"shape": [(m * n, 2), (m, 2 * n), (2 * m * n,)][rng.integers(3)]}


@op(
    "reshape",
    type_rule=_reshape_type,
    derivative=lambda builder, g, y, x, *, shape: [builder.apply("reshape", g, shape=x.shape)],
    cost=_free,
    sample=_reshape_sample,
)
def reshape(xp: Any, x: Any, *, shape: Shape) -> Any:
    """The same elements in C order under another shape."""
    return xp.reshape(x, shape)


def _concatenate_type(*xs: TensorType, axis: int) -> TensorType:
    rank = len(xs[0].shape)
    axis %= rank
    others = {tuple(d for i, d in enumerate(x.shape) if i != axis) for x in xs}
    if len(others) > 1 or any(len(x.shape) != rank for x in xs):
        raise ValueError(f"shapes {' and '.join(show(x.shape) for x in xs)} differ outside axis {axis}")
    lengths = [x.shape[axis] for x in xs]
    if any(isinstance(n, Symbol) for n in lengths):
        raise ValueError("concatenate does not join along the batch axis")
    total = sum(n for n in lengths if isinstance(n, int))
    return TensorType((*xs[0].shape[:axis], total, *xs[0].shape[axis + 1 :]))


def _concatenate_derivative(builder: Any, g: Any, y: Any, *xs: Any, axis: int) -> list[Any]:
    axis %= len(y.shape)
    gradients, start = [], 0
    for x in xs:
        stop = start + x.shape[axis]
        gradients.append(builder.apply("slice", g, axis=axis, start=start, stop=stop))
        start = stop
    return gradients


def _concatenate_sample(rng: Any) -> Sample:
    m, a, b, c = (int(v) for v in rng.integers(1, 6, size=4))
    return [rng.standard_normal((m, n, 2)) for n in (a, b, c)], {"axis": [1, -2][rng.integers(2)]}


@op(
    "concatenate",
    type_rule=_concatenate_type,
    derivative=_concatenate_derivative,
    cost=_free,
    sample=_concatenate_sample,
)
def concatenate(xp: Any, *xs: Any, axis: int) -> Any:
    """The inputs side by side along `axis`."""
    return xp.concatenate(xs, axis=axis)


def _slice_type(x: TensorType, *, axis: int, start: int, stop: int) -> TensorType:
    return TensorType((*x.shape[:axis], stop - start, *x.shape[axis + 1 :]), x.dtype)


def _slice_derivative(builder: Any, g: Any, y: Any, x: Any, *, axis: int, start: int, stop: int) -> list[Any]:
    return [builder.apply("pad", g, axis=axis, before=start, after=x.shape[axis] - stop)]


def _slice_sample(rng: Any) -> Sample:
    n = int(rng.integers(2, 7))
    start = int(rng.integers(0, n))
    return [rng.standard_normal((3, n, 2))], {"axis": 1, "start": start, "stop": int(rng.integers(start, n)) + 1}


@op("slice", type_rule=_slice_type, derivative=_slice_derivative, cost=_free, sample=_slice_sample)
def slice_(xp: Any, x: Any, *, axis: int, start: int, stop: int) -> Any:
    """Positions start … stop − 1 along `axis`."""
    return x[(slice(None),) * axis + (slice(start, stop),)]


def _pad_type(x: TensorType, *, axis: int, before: int, after: int) -> TensorType:
    length = x.shape[axis]
    if isinstance(length, Symbol):
        raise ValueError("pad does not lengthen the batch axis")
    return TensorType((*x.shape[:axis], before + length + after, *x.shape[axis + 1 :]))


def _pad_derivative(builder: Any, g: Any, y: Any, x: Any, *, axis: int, before: int, after: int) -> list[Any]:
    return [builder.apply("slice", g, axis=axis, start=before, stop=before + x.shape[axis])]


def _pad_sample(rng: Any) -> Sample:
    before, after = (int(v) for v in rng.integers(0, 3, size=2))
    return [rng.standard_normal((3, 4))], {"axis": int(rng.integers(2)), "before": before, "after": after}


@op("pad", type_rule=_pad_type, derivative=_pad_derivative, cost=_free, sample=_pad_sample)
def pad(xp: Any, x: Any, *, axis: int, before: int, after: int) -> Any:
    """x with zeros before and after it along `axis`: the transpose of slice."""
    widths = [(before, after) if i == axis else (0, 0) for i in range(x.ndim)]
    return xp.pad(x, widths)


def _gather_type(table: TensorType, index: TensorType) -> TensorType:
    return TensorType((*index.shape, *table.shape[1:]), table.dtype)


def _gather_sample(rng: Any) -> Sample:
    rows, batch = (int(v) for v in rng.integers(1, 8, size=2))
    return [rng.standard_normal((rows, 3)), rng.integers(0, rows, size=batch)], {}


@op("gather", type_rule=_gather_type, cost=_free, sample=_gather_sample)
def gather(xp: Any, table: Any, index: Any) -> Any:
    """Rows `index` of a data set. Data has no gradient."""
    return table[index]


@op(
    "cast",
    type_rule=lambda x: TensorType(x.shape, "real"),
    cost=_free,
    sample=lambda rng: ([rng.integers(0, 255, size=(3, 4))], {}),
)
def cast(xp: Any, x: Any) -> Any:
    """The integers x as real numbers."""
    return xp.asarray(x, dtype=float)


@op(
    "stop_gradient",
    type_rule=lambda x: x,
    cost=_free,
    sample=lambda rng: ([rng.standard_normal((3, 4))], {}),
)
def stop_gradient(xp: Any, x: Any) -> Any:
    """x, taken as a constant by differentiation."""
    return x


@op(
    "zeros",
    type_rule=lambda *, shape: TensorType(shape),
    cost=lambda *, shape: 0,
    sample=lambda rng: ([], {"shape": tuple(int(n) for n in rng.integers(1, 6, size=2))}),
)
def zeros(xp: Any, *, shape: Shape) -> Any:
    """0 everywhere: the state before a sequence begins."""
    return xp.zeros(shape)
