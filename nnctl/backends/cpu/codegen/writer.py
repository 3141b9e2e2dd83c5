"""The statements of a generated function: views on memory, partitions of threads, numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeAlias

from nnctl.backends.codegen.arguments import Arguments, Names
from nnctl.backends.cpu.codegen.dialect import NUMBA
from nnctl.backends.cpu.division import division_of
from nnctl.plan.plan import Launch, Plan, Slot

Part: TypeAlias = Literal["full", "partition"]
"""All of a slot, or the rows or blocks of the thread that asks."""
LOOP_VARIABLES = "ijklmn"
_ARENA = {"real": "arena", "index": "arena_index", "uint8": "arena_uint8"}


def part_of(launch: Launch) -> Part:
    """The part of a launch's results that a thread makes: in full where one thread does the launch."""
    return "partition" if division_of(launch) in ("rows", "blocks") else "full"


class Writer:
    """The parts of the function of one plan, as they are collected.

    body: statements of a step, indented from 0. arguments: what the function is given.
    scratch: floats that the largest launch needs for itself, in each thread.
    The text does not depend on the number of threads either: a partition's bounds are computed.
    """

    def __init__(self, plan: Plan, names: Names) -> None:
        self.plan = plan
        self.names = names
        self.arguments = Arguments(names, plan)
        self.body: list[str] = []
        self.scratch = 1
        self._views: dict[str, str] = {}
        self._step_views: dict[str, str] = {}
        self._known: dict[tuple[object, ...], str] = {}
        self._variables: dict[int, str] = {}
        written = (s for launch in plan.launches for s in launch.outputs)
        self._updated = {s.key for s in written if s.place == "storage"}
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

    def number(self, value: float) -> str:
        """A constant: written out if it is a plain one, else an entry of the array `numbers`."""
        index = self.arguments.number(value)
        if index is None:
            return NUMBA.literal.format(repr(value))
        key = ("number", index)
        if key not in self._known:
            self._known[key] = self.names.fresh(f"number_{index}")
            self._views[self._known[key]] = f"numbers[{index}]"
        return self._known[key]

    def begin(self, launch: Launch) -> None:
        """Begin a launch: a number that each thread makes for itself lives in a variable."""
        for slot in launch.outputs:
            if slot.place == "arena":
                self._variables.pop(slot.offset, None)
                if division_of(launch) == "private":
                    self._variables[slot.offset] = self.names.fresh(slot.name)

    def is_variable(self, slot: Slot) -> bool:
        """True where each thread has the value in a variable at this point."""
        return slot.shape == () and slot.place == "arena" and slot.offset in self._variables

    def scalar(self, slot: Slot) -> str:
        """A value of one element: a variable, or an element of memory."""
        if slot.place == "arena" and slot.offset in self._variables:
            return self._variables[slot.offset]
        if slot.place == "arena" or (slot.place == "storage" and slot.key in self._updated):
            return f"{self.view(slot, 'full')}[0]"
        key: tuple[object, ...] = ("scalar", slot.place, slot.key)
        if key not in self._known:
            self._known[key] = self.names.fresh(slot.key if slot.place != "constant" else slot.name)
            index = "step" if slot.place == "feed" else "0"
            # Read anew each step: the step before may have written it.
            self._step_views[self._known[key]] = f"{self.arguments.array(slot)}[{index}]"
        return self._known[key]

    # -- partitions ----------------------------------------------------------------

    def times(self, slot: Slot) -> int:
        """Entries of the first axis for each example of the batch."""
        return slot.shape[0] // max(1, self.plan.batch)

    def length(self, slot: Slot) -> str:
        """Entries of the first axis."""
        return _scaled("batch", self.times(slot)) if slot.batched else str(slot.shape[0])

    def size(self, slot: Slot) -> str:
        """Elements of a slot."""
        return _scaled(self.length(slot), math.prod(slot.shape[1:])) if slot.shape else "1"

    def bounds(self, slot: Slot) -> tuple[str, str]:
        """First and one-past-last index of the thread's partition of a slot's first axis."""
        # Multiples of the batch are cut where the batch is, so that an example stays with its thread.
        length, times = ("batch", self.times(slot)) if slot.batched else (str(slot.shape[0]), 1)
        key = ("bounds", length)
        if key not in self._known:
            kind = "example" if slot.batched else f"of_{length}"
            first, last = self.names.fresh(f"first_{kind}"), self.names.fresh(f"last_{kind}")
            self._views[first] = f"{length} * thread // threads"
            self._views[last] = f"{length} * (thread + 1) // threads"
            self._known[key] = f"{first} {last}"
        first, last = self._known[key].split()
        return _scaled(first, times), _scaled(last, times)

    def strip(self, slot: Slot) -> tuple[str, str]:
        """First and one-past-last row of the thread's strip of a slot seen as a matrix with its last axis."""
        rows = math.prod(slot.shape[:-1])
        return f"{rows} * thread // threads", f"{rows} * (thread + 1) // threads"

    def count(self, slot: Slot, part: Part = "partition") -> str:
        """Entries of the first axis that a part has."""
        if part == "full":
            return self.length(slot)
        first, last = self.bounds(slot)
        return f"({last} - {first})"

    # -- views ---------------------------------------------------------------------

    def view(self, slot: Slot, part: Part, shape: Sequence[int | str] | None = None) -> str:
        """A variable that shows a slot's memory, or the thread's partition of it, under `shape` (flat if None).

        The first entry of `shape` is ignored: it is whatever the part has there.
        """
        layout = None if shape is None else tuple(shape[1:])
        arena_name = slot.name if slot.place == "arena" else ""
        key = ("view", slot.place, slot.key, arena_name, slot.offset, slot.dtype, slot.shape, slot.batched, part,
               layout)  # fmt: skip
        if key in self._known:
            return self._known[key]
        name = self._known[key] = self.names.fresh(slot.key if slot.place == "storage" else slot.name)
        inner = math.prod(slot.shape[1:])
        start, count = "0", self.size(slot)
        if part == "partition":
            start, count = _scaled(self.bounds(slot)[0], inner), _scaled(self.count(slot), inner)
        lengths = [count]
        if layout:
            rest = math.prod(n for n in layout if isinstance(n, int))
            lengths = [f"{count} // {rest}" if rest > 1 else count, *map(str, layout)]
        text = f"window{len(lengths)}({self._memory(slot, start)}, {', '.join(lengths)})"
        (self._step_views if slot.place == "feed" else self._views)[name] = text
        return name

    def matrix(self, slot: Slot, part: Part) -> str:
        """A view of a slot as (rows, last axis)."""
        return self.view(slot, part, ["-", slot.shape[-1]])

    def following(self, slot: Slot, part: Part) -> str:
        """A feed as the next step will see it; in the last step as this one does."""
        key = ("following", slot.key, part)
        if key not in self._known:
            name = self._known[key] = self.names.fresh(f"next_{slot.name}")
            size = self.size(slot)
            start = _scaled(self.bounds(slot)[0], math.prod(slot.shape[1:])) if part == "partition" else "0"
            begin = _sum(f"min(step + 1, steps - 1) * {size}", start)
            self._step_views[name] = f"window1({self.arguments.array(slot)}, {begin}, {self.count(slot, part)})"
        return self._known[key]

    def table(self, slot: Slot, shape: Sequence[int]) -> str:
        """A data set in full, as rows of `shape`; its length is not part of the code."""
        key = ("table", slot.key, tuple(shape))
        if key not in self._known:
            name = self._known[key] = self.names.fresh(slot.key)
            base = self.arguments.array(slot)
            inner = math.prod(shape)
            dims = "".join(f", {n}" for n in shape)
            self._views[name] = f"window{1 + len(shape)}({base}, 0, {base}.size // {inner}{dims})" if shape else base
        return self._known[key]

    def _memory(self, slot: Slot, start: str) -> str:
        """The flat array that a slot lies in, and where its part begins."""
        match slot.place:
            case "arena":
                return f"{_ARENA[slot.dtype]}, {_sum(f'offsets[{self.arguments.offset(slot)}]', start)}"
            case "feed":
                return f"{self.arguments.array(slot)}, {_sum(f'step * {self.size(slot)}', start)}"
            case "storage" | "constant":
                return f"{self.arguments.array(slot)}, {start}"
        raise ValueError(f"{slot.name} has no memory: it is {slot.place}")

    def views(self) -> list[str]:
        """Statements before the loop over steps."""
        return [f"    {name} = {text}" for name, text in self._views.items()]

    def step_views(self) -> list[str]:
        """Statements at the start of each step."""
        return [f"        {name} = {text}" for name, text in self._step_views.items()]


def _scaled(text: str, factor: int) -> str:
    return text if factor == 1 or text == "0" else f"{text} * {factor}"


def _sum(a: str, b: str) -> str:
    return a if b == "0" else f"{a} + {b}"
