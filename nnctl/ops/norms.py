"""Norms that neither overflow nor underflow where their squares do."""

from __future__ import annotations

from typing import Any

from nnctl.ops.shapes import TensorType, product
from nnctl.ops.table import Sample, normalized_axes, op, reduced_shape


def _type(x: TensorType, squares: TensorType, *, axes: tuple[int, ...], keepdims: bool = False) -> TensorType:
    shape = reduced_shape(x.shape, axes, keepdims)
    if squares.shape != shape:
        raise ValueError(f"the sum of squares has shape {squares.shape}, not {shape}")
    gone = normalized_axes(axes, len(x.shape))
    kept = [axis for axis in range(len(x.shape)) if axis not in gone]
    if kept and kept[-1] - kept[0] >= len(kept):
        raise ValueError(f"the axes that stay, {kept}, are not neighbours")
    return TensorType(shape)


def _sample(rng: Any) -> Sample:
    x = rng.standard_normal(tuple(int(n) for n in rng.integers(1, 6, size=3)))
    axes = [(0,), (0, 1), (0, 2), (1, 2), (0, 1, 2)][rng.integers(5)]
    keepdims = bool(rng.integers(2))
    return [x, (x * x).sum(axis=axes, keepdims=keepdims)], {"axes": axes, "keepdims": keepdims}


@op(
    "norm",
    type_rule=_type,
    sample=_sample,
    # Two more passes happen where the squares leave the range of numbers, which they do not.
    cost=lambda x, squares, **_: product(squares.shape),
)
def norm(xp: Any, x: Any, squares: Any, *, axes: tuple[int, ...], keepdims: bool = False) -> Any:
    """√Σx² over `axes`, given Σx²: its root, and where that is not in the range of normal numbers Σ(x/max|x|)² instead.

    It has no derivative: for bounds on gradients and for metrics.
    """
    limits = xp.finfo(squares.dtype)
    plain = (squares >= limits.tiny) & (squares <= limits.max)
    if xp.all(plain):
        return xp.sqrt(squares)
    largest = xp.max(xp.abs(x), axis=axes, keepdims=True)
    ratios = x / xp.where(largest > 0.0, largest, 1.0)
    total = xp.sum(ratios * ratios, axis=axes, keepdims=keepdims)
    scaled = xp.sqrt(total) * xp.reshape(largest, squares.shape)
    return xp.where(plain, xp.sqrt(xp.where(plain, squares, 1.0)), scaled)
