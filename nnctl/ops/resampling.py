"""Linear interpolation along an axis, and its transpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnctl.ops.shapes import TensorType, product
from nnctl.ops.table import Sample, op


def shares(factor: int) -> Iterator[tuple[float, float]]:
    """Shares of a cell, one for each new sample: (its distance from the cell's centre in cells, its share).

    New samples lie evenly, their cells inside the old ones ("half-pixel centres"), as PyTorch (align_corners=False)
    and Keras have it. The rest of the share is the neighbour's; at the border, the cell's again.
    """
    for sample in range(factor):
        offset = (sample + 0.5) / factor - 0.5
        yield offset, 1.0 - abs(offset)


def _upsampled_type(x: TensorType, *, axis: int, factor: int) -> TensorType:
    return TensorType((*x.shape[:axis], x.shape[axis] * factor, *x.shape[axis + 1 :]))


def _downsampled_type(g: TensorType, *, axis: int, factor: int) -> TensorType:
    length = g.shape[axis]
    if not isinstance(length, int) or length % factor:
        raise ValueError(f"an axis of length {length} does not divide by {factor}")
    return TensorType((*g.shape[:axis], length // factor, *g.shape[axis + 1 :]))


def _sample(rng: Any) -> Sample:
    shape = tuple(int(n) for n in rng.integers(1, 5, size=3))
    return [rng.standard_normal(shape)], {"axis": int(rng.integers(1, 3)), "factor": int(rng.integers(1, 5))}


def _transpose_sample(rng: Any) -> Sample:
    (x,), attributes = _sample(rng)
    shape = _upsampled_type(TensorType(x.shape), **attributes).shape
    return [rng.standard_normal(shape)], attributes


def _from(axis: int, cells: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, cells)


@op(
    "interpolate",
    type_rule=_upsampled_type,
    derivative=lambda builder, g, y, x, **attributes: [builder.apply("interpolate_transpose", g, **attributes)],
    cost=lambda x, *, axis, factor: product(x.shape) * 3 * factor,
    sample=_sample,
)
def interpolate(xp: Any, x: Any, *, axis: int, factor: int) -> Any:
    """`factor` samples for each one along `axis`, on the line between the two nearest."""
    first, last = x[_from(axis, slice(0, 1))], x[_from(axis, slice(-1, None))]
    before = xp.concatenate((first, x[_from(axis, slice(0, -1))]), axis=axis)
    after = xp.concatenate((x[_from(axis, slice(1, None))], last), axis=axis)
    samples = [share * x + (1.0 - share) * (before if offset < 0.0 else after) for offset, share in shares(factor)]
    shape = _upsampled_type(TensorType(x.shape), axis=axis, factor=factor).shape
    return xp.reshape(xp.stack(samples, axis=axis + 1), shape)


@op(
    "interpolate_transpose",
    type_rule=_downsampled_type,
    derivative=lambda builder, g, y, x, **attributes: [builder.apply("interpolate", g, **attributes)],
    cost=lambda g, *, axis, factor: product(g.shape) * 3,
    sample=_transpose_sample,
)
def interpolate_transpose(xp: Any, g: Any, *, axis: int, factor: int) -> Any:
    """Each sample's number divided among the cells that it was interpolated from."""
    length = g.shape[axis] // factor
    cells = xp.reshape(g, (*g.shape[:axis], length, factor, *g.shape[axis + 1 :]))
    shape = (*g.shape[:axis], length, *g.shape[axis + 1 :])
    x, before, after = (xp.zeros(shape, dtype=g.dtype) for _ in range(3))
    for sample, (offset, share) in enumerate(shares(factor)):
        part = cells[(*_from(axis, slice(None)), sample)]
        x += share * part
        if offset < 0.0:
            before += (1.0 - share) * part
        else:
            after += (1.0 - share) * part
    x[_from(axis, slice(0, -1))] += before[_from(axis, slice(1, None))]
    x[_from(axis, slice(0, 1))] += before[_from(axis, slice(0, 1))]
    x[_from(axis, slice(1, None))] += after[_from(axis, slice(0, -1))]
    x[_from(axis, slice(-1, None))] += after[_from(axis, slice(-1, None))]
    return x
