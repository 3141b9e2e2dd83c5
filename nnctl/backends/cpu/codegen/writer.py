"""The statements of one launch's function: views on memory, partitions of threads, numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeAlias

from nnctl.backends.codegen.names import Names
from nnctl.backends.cpu.codegen.dialect import KERNEL
from nnctl.backends.cpu.codegen.parameters import (
    ArrayParameter,
    BoundParameter,
    Cut,
    FloatParameter,
    NumbersParameter,
    Parameter,
    ScratchParameter,
    WholeParameter,
)
from nnctl.backends.cpu.division import division_of, half_of
from nnctl.plan.plan import Launch, Slot

Part: TypeAlias = Literal["full", "partition"]
"""All of a slot, or the rows or blocks of the thread that asks."""
LOOP_VARIABLES = "ijklmn"
SCRATCH = "scratch"
_PLAIN = {0.0, 1.0, -1.0, 2.0, 0.5, -0.5}
"""Constants that are worth showing to the compiler."""


def part_of(launch: Launch) -> Part:
    """The part of a launch's results that a thread makes: in full where one thread does the launch."""
    division = division_of(launch)
    weights = division == "halves" and not launch.outputs[0].batched
    return "partition" if weights or division in ("rows", "blocks") else "full"


def is_private(slot: Slot, private: Collection[int]) -> bool:
    """True for a number that each thread has for itself. private: offsets of those in the arena."""
    return slot.shape == () and slot.place == "arena" and slot.offset in private


def is_plain(value: float) -> bool:
    """True for a constant that is written out where it is used."""
    return value in _PLAIN


class Writer:
    """The parts of the function of one launch, as they are collected.

    batch: examples of a step. private: offsets of the numbers in the arena that each thread has for itself.
    in_halves: whether threads own halves of weights.
    body: statements, indented from 0. parameters: by their names in the text. scratch: floats that
    the launch needs for itself, in each thread.
    """

    def __init__(self, batch: int, private: frozenset[int] = frozenset(), reserved: Sequence[str] = (),
                 *, in_halves: bool = False) -> None:  # fmt: skip
        self._batch = batch
        self._in_halves = in_halves
        self._private = private
        self.names = Names([*reserved, SCRATCH, "row", *LOOP_VARIABLES])
        self.body: list[str] = []
        self.parameters: dict[str, Parameter] = {SCRATCH: ScratchParameter()}
        self.scratch = 0
        self._known: dict[Parameter, str] = {}
        self._indent = 0

    # -- statements ----------------------------------------------------------------

    def line(self, text: str) -> None:
        """Append a statement at the present depth."""
        self.body.append("    " * self._indent + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Statements inside are indented under `head`."""
        self.line(head)
        self._indent += 1
        try:
            yield
        finally:
            self._indent -= 1

    def nest(self, variables: Sequence[str], turns: Sequence[str], inside: Sequence[str]) -> None:
        """Loops, the first the outermost, around some lines."""
        if not turns:
            for line in inside:
                self.line(line)
            return
        with self.block(f"for {variables[0]} in range({turns[0]}):"):
            self.nest(variables[1:], turns[1:], inside)

    def needs_scratch(self, floats: int) -> None:
        """Let each thread have so many floats of scratch at least."""
        # Whole cache lines, so that each thread's begins on a boundary.
        self.scratch = max(self.scratch, -(-floats // 16) * 16)

    # -- numbers -------------------------------------------------------------------

    def number(self, value: float, *, free: bool = False) -> str:
        """A constant: written out if it is a plain one, else a parameter. free: see `FloatParameter`."""
        if is_plain(value):
            return KERNEL.literal.format(repr(value))
        return self._named("number", FloatParameter(value, free))

    def flag(self, value: int) -> str:
        """0 or 1 as a parameter: launches that differ in it share a function, which in the text they would not."""
        return self._named("flag", WholeParameter(value))

    def numbers(self, values: Sequence[float]) -> str:
        """Several constants as an array."""
        return self._named("numbers", NumbersParameter(tuple(values)))

    def is_private(self, slot: Slot) -> bool:
        """True where each thread has the number for itself."""
        return is_private(slot, self._private)

    def scalar(self, slot: Slot) -> str:
        """A value of one element, to be read or assigned to."""
        return f"{self.view(slot, 'full')}[0]"

    # -- partitions ----------------------------------------------------------------

    def length(self, slot: Slot) -> str:
        """Entries of the first axis."""
        return str(slot.shape[0])

    def bounds(self, slot: Slot) -> tuple[str, str]:
        """First and one-past-last index of the thread's partition of a slot's first axis."""
        cut = self._cut(slot)
        return self._named("first", BoundParameter(cut, last=False)), self._named(
            "last", BoundParameter(cut, last=True)
        )

    def column_bounds(self, slot: Slot) -> tuple[str, str]:
        """First and one-past-last index of the thread's columns of examples, all axes but the first taken as one."""
        cut = _halves(math.prod(slot.shape[1:]))
        first = self._named("first", BoundParameter(cut, last=False))
        return first, self._named("last", BoundParameter(cut, last=True))

    def columns(self, slot: Slot) -> tuple[str, str]:
        """A flat array of the thread's columns of examples, which lie together, and the number of columns."""
        first, last = self.column_bounds(slot)
        count, name = f"({last} - {first})", self.names.fresh("columns")
        self.line(f"{name} = window1({self.view(slot, 'full')}, {first} * {slot.shape[0]}, {count} * {slot.shape[0]})")
        return name, count

    def halves(self) -> tuple[str, str]:
        """Number of the first half that the thread makes, and of the one behind its last."""
        first = self._named("first", BoundParameter(Cut(2), last=False))
        return first, self._named("last", BoundParameter(Cut(2), last=True))

    def strip(self, slot: Slot) -> tuple[str, str]:
        """First and one-past-last row of the thread's strip of a slot seen as a matrix with its last axis."""
        cut = Cut(math.prod(slot.shape[:-1]))
        first = self._named("first", BoundParameter(cut, last=False))
        return first, self._named("last", BoundParameter(cut, last=True))

    def count(self, slot: Slot, part: Part = "partition") -> str:
        """Entries of the first axis that a part has."""
        if part == "full":
            return self.length(slot)
        first, last = self.bounds(slot)
        return f"({last} - {first})"

    def _cut(self, slot: Slot) -> Cut:
        # Multiples of the batch are cut where the batch is, so that an example stays with its thread.
        if slot.batched:
            return Cut(self._batch, slot.shape[0] // max(1, self._batch))
        return _halves(slot.shape[0]) if self._in_halves else Cut(slot.shape[0])

    # -- views ---------------------------------------------------------------------

    def view(self, slot: Slot, part: Part, shape: Sequence[int | str] | None = None) -> str:
        """A parameter that shows a slot's memory, or the thread's partition of it, under `shape` (flat if None).

        The first entry of `shape` is ignored: it is whatever the part has there.
        """
        cut = self._cut(slot) if part == "partition" else None
        lengths = () if shape is None else tuple(int(n) for n in shape[1:])
        private = self.is_private(slot)
        return self._named(
            slot.key if slot.place == "storage" else slot.name,
            ArrayParameter(slot, cut, math.prod(slot.shape[1:]), lengths, private),
        )

    def matrix(self, slot: Slot, part: Part) -> str:
        """A view of a slot as (rows, last axis)."""
        return self.view(slot, part, ["-", slot.shape[-1]])

    def following(self, slot: Slot, part: Part) -> str:
        """A feed as the next step will see it; in the last step as this one does."""
        cut = self._cut(slot) if part == "partition" else None
        inner = math.prod(slot.shape[1:])
        return self._named(f"next_{slot.name}", ArrayParameter(slot, cut, inner, of="following"))

    def table(self, slot: Slot, shape: Sequence[int]) -> str:
        """A data set in full, as rows of `shape`; the plan does not know its length."""
        return self._named(slot.key, ArrayParameter(slot, lengths=tuple(shape), of="table"))

    def output(self, name: str, slot: Slot) -> str:
        """The entry of this step in an output, flat. slot: what is copied there."""
        inner = math.prod(slot.shape[1:])
        return self._named(f"all_{name}", ArrayParameter(slot, inner=inner, of="output", output=name))

    def _named(self, wanted: str, parameter: Parameter) -> str:
        if parameter not in self._known:
            name = self._known[parameter] = self.names.fresh(wanted)
            self.parameters[name] = parameter
        return self._known[parameter]


def _halves(terms: int) -> Cut:
    return Cut(2, half_of(terms), terms)
