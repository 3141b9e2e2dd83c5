"""The parameters of a launch's function: which memory or number each thread passes for it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from nnctl.backends.cpu.compiler.types import BYTE, F32, I64, Number
from nnctl.late import dataclass
from nnctl.plan.plan import Slot

ELEMENTS = {"real": F32, "index": I64, "uint8": BYTE}
"""The type of an array's elements by the slot's."""


@dataclass(frozen=True)
class Cut:
    """The division of an axis among threads: `length` units of `times` entries each, never cut within one.

    most: entries that there are, where the last unit has fewer.
    """

    length: int
    times: int = 1
    most: int | None = None

    def bounds(self, thread: int, threads: int) -> tuple[int, int]:
        """The first entry of a thread's part, and the one behind its last."""
        first, last = (self.length * t // threads * self.times for t in (thread, thread + 1))
        most = last if self.most is None else self.most
        return min(first, most), min(last, most)


@dataclass(frozen=True)
class ArrayParameter:
    """An array that lies in a slot.

    cut: how threads divide it, None where each sees all of it. inner: elements of an entry of the slot's first
    axis. lengths: of the axes behind the first; the first has what is left. private: each thread has its own.
    of: "slot" itself; "table", a data set in full, whose length the plan does not know; "following", a feed as
    the next step will see it, in the last step as this one does; "output", an entry a step of the slot's copies
    in the output of that name.
    """

    slot: Slot
    cut: Cut | None = None
    inner: int = 1
    lengths: tuple[int, ...] = ()
    private: bool = False
    of: Literal["slot", "table", "following", "output"] = "slot"
    output: str = ""

    @property
    def element(self) -> Number:
        """The type of its elements."""
        return ELEMENTS[self.slot.dtype]


@dataclass(frozen=True)
class ScratchParameter:
    """Memory of a thread that holds nothing between launches."""


@dataclass(frozen=True)
class FloatParameter:
    """A constant of a formula: data, so that nets that differ in a rate share code.

    free: whether it is a number of the formula itself, in whose place the same formula of another net may have another.
    """

    value: float
    free: bool = False


@dataclass(frozen=True)
class WholeParameter:
    """A size, or another whole number from 2 on."""

    value: int


@dataclass(frozen=True)
class BoundParameter:
    """A bound of the thread's part: the first entry's number, or the one behind the last."""

    cut: Cut
    last: bool


@dataclass(frozen=True)
class NumbersParameter:
    """Several constants, as an array."""

    values: tuple[float, ...]


Parameter: TypeAlias = (
    ArrayParameter | ScratchParameter | FloatParameter | WholeParameter | BoundParameter | NumbersParameter
)


def signature(parameter: Parameter) -> tuple[Number, int]:
    """(type of the elements, number of axes) of a parameter; no axes for a number."""
    match parameter:
        case ArrayParameter():
            return parameter.element, 1 + len(parameter.lengths)
        case ScratchParameter() | NumbersParameter():
            return F32, 1
        case FloatParameter():
            return F32, 0
        case WholeParameter() | BoundParameter():
            return I64, 0
