"""An axis made longer or shorter by any factor, and its transpose: each new number a weighted sum of some of the old.

The rules are those of ONNX's Resize: where a new number lies among the old ones (`coordinates`), and what each
of these counts by its distance (`interpolation`): nearest, linear, or the cubic of Keys 1981 with a coefficient a.
Shrinking with `antialias` widens the linear and the cubic by the factor, as Pillow does.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, TypeAlias

from nnctl.ops.shapes import TensorType, product
from nnctl.ops.table import Sample, op

Taps: TypeAlias = tuple[tuple[tuple[int, float], ...], ...]
"""For each number that is made, the places that it is made of and what each counts."""

INTERPOLATIONS = ("nearest", "linear", "cubic")
COORDINATES = ("half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric", "pytorch_half_pixel")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@lru_cache(maxsize=64)
def taps(
    lengths: tuple[int, int], *, scale: float, interpolation: str, coordinates: str, rounding: str,
    coefficient: float, exclude_outside: bool, antialias: bool,
) -> Taps:  # fmt: skip
    """The taps of an axis. lengths: before and after. scale: the factor between them, before rounding.

    Places outside are the outermost ones, or count nothing with `exclude_outside`.
    """
    before, after = lengths
    narrow = min(scale, 1.0) if antialias else 1.0
    made = []
    for number in range(after):
        x = _coordinate(number, before, after, scale, coordinates)
        # The place on the left, and how far x lies behind it: above 0, up to 1.
        left = math.ceil(x) - 1
        weights = _weights(x - left, narrow, interpolation, rounding, coefficient)
        found: dict[int, float] = {}
        for offset, weight in weights:
            place = left + offset
            if weight and (0 <= place < before or not exclude_outside or interpolation == "nearest"):
                inside = min(max(place, 0), before - 1)
                found[inside] = found.get(inside, 0.0) + weight
        total = sum(found.values())
        made.append(tuple((place, weight / total) for place, weight in found.items()))
    return tuple(made)


def _coordinate(number: int, before: int, after: int, scale: float, coordinates: str) -> float:
    """The place of a new number among the old ones."""
    # A factor that was computed from a length is to give that length.
    length = after if math.isclose(scale * before, after) else scale * before
    if coordinates == "align_corners":
        return 0.0 if after == 1 else number * (before - 1) / (length - 1)
    if coordinates == "asymmetric":
        return number / scale
    if coordinates == "pytorch_half_pixel" and after == 1:
        return 0.0
    moved = before / 2 * (1.0 - after / length) if coordinates == "half_pixel_symmetric" else 0.0
    return moved + (number + 0.5) / scale - 0.5


def _weights(ratio: float, narrow: float, interpolation: str, rounding: str, a: float) -> list[tuple[int, float]]:
    """The weights of the places around, by their distance from the one on the left."""
    if interpolation == "nearest":
        right = ratio == 1.0 or {
            "round_prefer_floor": ratio > 0.5, "round_prefer_ceil": ratio >= 0.5, "floor": False, "ceil": True,
        }[rounding]  # fmt: skip
        return [(int(right), 1.0)]
    reach, kernel = (1, _linear) if interpolation == "linear" else (2, _cubic)
    first = math.floor(-reach / narrow) + 1
    return [(offset, kernel(abs(offset - ratio) * narrow, a)) for offset in range(first, 2 - first)]


def _linear(distance: float, a: float) -> float:
    return max(0.0, 1.0 - distance)


def _cubic(distance: float, a: float) -> float:
    d = distance
    if d <= 1.0:
        return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    return ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a if d < 2.0 else 0.0


def transposed(rows: Taps, length: int) -> Taps:
    """The taps of the transpose: for each of `length` old numbers, the new ones that it went into."""
    columns: list[list[tuple[int, float]]] = [[] for _ in range(length)]
    for made, row in enumerate(rows):
        for place, weight in row:
            columns[place].append((made, weight))
    return tuple(map(tuple, columns))


def applied_taps(name: str, lengths: tuple[int, int], how: dict[str, Any]) -> Taps:
    """The taps of one of the two ops by its name."""
    rows = taps(lengths, **how)
    return rows if name == "resize" else transposed(rows, lengths[0])


def _along(x: TensorType, axis: int, read: int, made: int) -> TensorType:
    if x.shape[axis] != read:
        raise ValueError(f"axis {axis} of {x} is not {read} long")
    return TensorType((*x.shape[:axis], made, *x.shape[axis + 1 :]))


def _how(rng: Any) -> dict[str, Any]:
    before, after = (int(n) for n in rng.integers(1, 9, size=2))
    return {
        "axis": int(rng.integers(1, 3)),
        "lengths": (before, after),
        "scale": after / before,
        "interpolation": str(rng.choice(INTERPOLATIONS)),
        "coordinates": str(rng.choice(COORDINATES)),
        "rounding": str(rng.choice(ROUNDINGS)),
        "coefficient": float(rng.choice([-0.75, -0.5])),
        "exclude_outside": bool(rng.integers(2)),
        "antialias": bool(rng.integers(2)),
    }


def _sample(rng: Any, side: int) -> Sample:
    how = _how(rng)
    shape = [int(n) for n in rng.integers(1, 5, size=4)]
    shape[how["axis"]] = how["lengths"][side]
    return [rng.standard_normal(tuple(shape))], how


def _summed(xp: Any, x: Any, axis: int, rows: Taps) -> Any:
    """Σ of weight·x[place] over each row of taps, along `axis`."""
    most = max(1, *map(len, rows))
    y: Any = 0.0
    for tap in range(most):
        # A row with fewer taps takes the first place with weight 0.
        met = [row[tap] if tap < len(row) else (0, 0.0) for row in rows]
        weights = xp.asarray([weight for _, weight in met], dtype=xp.real(x).dtype)
        shape = (len(rows), *(1,) * (x.ndim - axis - 1))
        y = y + xp.take(x, xp.asarray([place for place, _ in met]), axis=axis) * xp.reshape(weights, shape)
    return y


@op(
    "resize",
    type_rule=lambda x, *, axis, lengths, **how: _along(x, axis, lengths[0], lengths[1]),
    derivative=lambda builder, g, y, x, **how: [builder.apply("resize_transpose", g, **how)],
    cost=lambda x, *, axis, lengths, **how: product(x.shape) // lengths[0] * 2 * sum(map(len, taps(lengths, **how))),
    sample=lambda rng: _sample(rng, 0),
)
def resize(xp: Any, x: Any, *, axis: int, lengths: tuple[int, int], **how: Any) -> Any:
    """The numbers of x along `axis`, made `lengths[1]` of `lengths[0]`."""
    return _summed(xp, x, axis, applied_taps("resize", lengths, how))


@op(
    "resize_transpose",
    type_rule=lambda g, *, axis, lengths, **how: _along(g, axis, lengths[1], lengths[0]),
    derivative=lambda builder, g, y, x, **how: [builder.apply("resize", g, **how)],
    cost=lambda g, *, axis, lengths, **how: product(g.shape) // lengths[1] * 2 * sum(map(len, taps(lengths, **how))),
    sample=lambda rng: _sample(rng, 1),
)
def resize_transpose(xp: Any, g: Any, *, axis: int, lengths: tuple[int, int], **how: Any) -> Any:
    """Each number of g divided among those that it was made of."""
    return _summed(xp, g, axis, applied_taps("resize_transpose", lengths, how))
