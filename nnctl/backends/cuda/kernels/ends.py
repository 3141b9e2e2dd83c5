"""Ends of products and convolutions: what their kernels make of an element before they store it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from nnctl.backends.cuda.calls import Call, ProductPrecision, emits_in_precision
from nnctl.late import dataclass
from nnctl.plan.plan import Launch, Slot

EndKind: TypeAlias = Literal["bias", "relu", "bias+relu", "mask"]
"""bias: a vector is added to the columns. relu: max(0, ·). mask: 0 where what is read beside is not above 0."""

_BIASED, _RECTIFIED, _MASKED = 16, 32, 64
_WAYS: Mapping[EndKind, int] = {
    "bias": _BIASED,
    "relu": _RECTIFIED,
    "bias+relu": _BIASED | _RECTIFIED,
    "mask": _MASKED,
}


@dataclass(frozen=True)
class End:
    """An end. beside: a bias, a value for each column; what a mask is made of, of the result's shape; else None.

    It is a flag of the kernels and no text of its own: they are compiled once for all nets.
    """

    kind: EndKind
    beside: Slot | None

    @property
    def way(self) -> int:
        """The flags of ends.cuh."""
        return _WAYS[self.kind]


def reading(end: End | None, c: Slot) -> tuple[Slot, int]:
    """The array that a kernel reads beside, and its flags; c in the place of what nobody reads."""
    return (end.beside or c, end.way) if end else (c, 0)


EmitWithEnd: TypeAlias = Callable[[Launch, ProductPrecision, End | None], Sequence[Call]]

WITH_END: dict[str, EmitWithEnd] = {}
"""By op, what makes its calls with an end."""


def emits_with_end(name: str) -> Callable[[EmitWithEnd], EmitWithEnd]:
    """The same as `emits` for an op whose elements may have an end. Raises ValueError for an op that has an emitter."""

    def decorate(function: EmitWithEnd) -> EmitWithEnd:
        emits_in_precision(name)(lambda launch, precision: function(launch, precision, None))
        WITH_END[name] = function
        return function

    return decorate
