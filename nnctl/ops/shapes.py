"""Shapes with symbolic axes, and the types of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from nnctl.late import dataclass

DType: TypeAlias = Literal["real", "index", "uint8"]
"""The element type of a value. "real" is the precision that the plan is lowered for."""


@dataclass(frozen=True)
class Symbol:
    """An axis known only when a plan is made: `times` multiples of the size called `name`."""

    name: str
    times: int = 1

    def __mul__(self, other: int) -> Symbol:
        return Symbol(self.name, self.times * other)

    __rmul__ = __mul__

    def __str__(self) -> str:
        return self.name if self.times == 1 else f"{self.times}·{self.name}"


Dim: TypeAlias = int | Symbol
Shape: TypeAlias = tuple[Dim, ...]

BATCH = Symbol("batch")
"""Examples in one step."""
ROWS = Symbol("rows")
"""Examples in a data set."""


class TensorType:
    """Shape and element type of a value. It never changes, and is compared by value.

    batched: whether the first axis counts the examples of a step, or several rows of each.
    """

    # Every step of the way from a net to its plan asks for types, and finds what it knows of them by their hash.
    __slots__ = ("_hash", "batched", "dtype", "shape")

    def __init__(self, shape: Shape, dtype: DType = "real") -> None:
        self.shape = shape
        self.dtype: DType = dtype
        first = shape[0] if shape else None
        self.batched = isinstance(first, Symbol) and first.name == BATCH.name
        self._hash = hash((shape, dtype))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, TensorType) and self.dtype == other.dtype and self.shape == other.shape

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"TensorType(shape={self.shape!r}, dtype={self.dtype!r})"

    def __str__(self) -> str:
        return f"{self.dtype}{show(self.shape)}"


def show(shape: Sequence[Dim]) -> str:
    """A shape as people write it: (batch, 784)."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def resolve(value: Any, sizes: Mapping[str, int]) -> Any:
    """`value` with every symbol in it, however deep in tuples, replaced by its size."""
    if isinstance(value, Symbol):
        return value.times * sizes[value.name]
    if isinstance(value, tuple):
        return tuple([v if type(v) is int else resolve(v, sizes) for v in value])
    return value


def product(shape: Sequence[Dim]) -> Dim:
    """The number of elements: an int, or a multiple of the one symbolic axis."""
    total: Dim = 1
    for dim in shape:
        if isinstance(dim, Symbol):
            if isinstance(total, Symbol):
                raise ValueError(f"shape {show(shape)} has more than one symbolic axis")
            total = dim * total
        else:
            total = total * dim
    return total


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The common shape of elementwise operands, by NumPy's rule. Raises ValueError naming both shapes."""
    longest = max(shapes, key=len, default=())
    rank = len(longest)
    # Nearly always the others are its last axes, which the tuples tell at once.
    if all(longest[rank - len(shape) :] == shape for shape in shapes):
        return longest
    result: list[Dim] = [1] * rank
    for shape in shapes:
        for axis, dim in enumerate(shape, start=rank - len(shape)):
            before = result[axis]
            # Most symbols are one object; to compare two of them takes long.
            if dim is before or dim == 1:
                continue
            if before == 1:
                result[axis] = dim
            elif dim != before:
                raise ValueError(f"shapes {' and '.join(show(s) for s in shapes)} do not broadcast")
    return tuple(result)
