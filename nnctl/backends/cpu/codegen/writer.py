"""The text of a generated function: arguments, views on memory, statements."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from nnctl.backends.cpu.division import division_of
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Launch, Plan, Slot

Part: TypeAlias = Literal["whole", "own"]
"""All of a slot, or the rows or blocks of the thread that asks."""


_PLAIN_NUMBERS = {0.0, 1.0, -1.0, 2.0, 0.5, -0.5}
"""Constants worth showing to the compiler; all others are data, so that nets that differ in a rate share code."""
_ARENA = {"real": "arena", "index": "arena_index", "uint8": "arena_uint8"}


def part_of(launch: Launch) -> Part:
    """What a thread makes of a launch's results: all of them where one thread does the launch."""
    return "own" if division_of(launch) in ("rows", "blocks") else "whole"


@dataclass
class Writer:
    """Collects the parts of the function of one plan.

    The text depends neither on the batch size nor on the number of threads nor
    on the data set's size: these, the arena's layout and the numbers of the
    formulas reach the function as arguments, so that one compilation serves them all.
    """

    plan: Plan
    body: list[str] = field(default_factory=list)
    """Statements of a step, indented from 0."""
    numbers: list[float] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    """Where arena slots begin, in elements."""
    storage: dict[str, str] = field(default_factory=dict)
    """Key in storage → the flat array's argument name."""
    feeds: dict[str, str] = field(default_factory=dict)
    room: int = 1
    """Floats that the largest launch needs for itself, in each thread."""
    constants: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._views: dict[str, str] = {}
        self._step_views: dict[str, str] = {}
        self._names: dict[tuple[object, ...], str] = {}
        self._taken: set[str] = set()
        self._variables: dict[int, str] = {}
        written = (s for launch in self.plan.launches for s in launch.outputs)
        self._updated = {s.key for s in written if s.place == "storage"}
        self._indent = 0

    # -- statements ----------------------------------------------------------

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

    def needs_room(self, floats: int) -> None:
        """A launch packs or pads its operands into so many floats of its thread."""
        self.room = max(self.room, floats)

    # -- names ---------------------------------------------------------------

    def reserve(self, names: Iterable[str]) -> None:
        """Names that generated variables may not take."""
        self._taken.update(names)

    def fresh(self, wanted: str) -> str:
        """An identifier like `wanted` that nothing else has."""
        readable = wanted.replace("∂C/∂", "d_").replace("⁺", "_new").replace("'", "_")
        name = re.sub(r"\W+", "_", readable).strip("_")
        if not name or name[0].isdigit():
            name = f"v_{name}"
        candidate, count = name, 1
        while candidate in self._taken:
            count += 1
            candidate = f"{name}_{count}"
        self._taken.add(candidate)
        return candidate

    def number(self, value: float) -> str:
        """A constant: written out if it is a plain one, else an entry of the array `numbers`."""
        if value in _PLAIN_NUMBERS:
            return f"F({value!r})"
        if value not in self.numbers:
            self.numbers.append(value)
        index = self.numbers.index(value)
        key = ("number", index)
        if key not in self._names:
            self._names[key] = self.fresh(f"number_{index}")
            self._views[self._names[key]] = f"numbers[{index}]"
        return self._names[key]

    def begin(self, launch: Launch) -> None:
        """What follows computes a launch: a number that each thread has for itself lives in a variable."""
        for slot in launch.outputs:
            if slot.place == "arena":
                self._variables.pop(slot.offset, None)
                if division_of(launch) == "private":
                    self._variables[slot.offset] = self.fresh(slot.name)

    def is_variable(self, slot: Slot) -> bool:
        """Whether each thread has the value in a variable of its own at this point."""
        return slot.shape == () and slot.place == "arena" and slot.offset in self._variables

    def scalar(self, slot: Slot) -> str:
        """Where a value of one element is: a variable, or an element of memory."""
        if slot.place == "arena" and slot.offset in self._variables:
            return self._variables[slot.offset]
        if slot.place == "arena" or (slot.place == "storage" and slot.key in self._updated):
            return f"{self.view(slot, 'whole')}[0]"
        key: tuple[object, ...] = ("scalar", slot.place, slot.key)
        if key not in self._names:
            self._names[key] = self.fresh(slot.key if slot.place != "constant" else slot.name)
            index = "step" if slot.place == "feed" else "0"
            # Read anew each step: the step before may have written it.
            self._step_views[self._names[key]] = f"{self._base(slot)}[{index}]"
        return self._names[key]

    # -- parts ---------------------------------------------------------------

    def times(self, slot: Slot) -> int:
        """Entries of the first axis for each example of the batch."""
        return slot.shape[0] // max(1, self.plan.sizes.get("batch", 1))

    def length(self, slot: Slot) -> str:
        """Entries of the first axis."""
        return _scaled("batch", self.times(slot)) if slot.batched else str(slot.shape[0])

    def size(self, slot: Slot) -> str:
        """Elements of a slot."""
        return _scaled(self.length(slot), math.prod(slot.shape[1:])) if slot.shape else "1"

    def bounds(self, slot: Slot) -> tuple[str, str]:
        """First and one-past-last index of the thread's part of a slot's first axis."""
        # Multiples of the batch are cut where the batch is, so that an example stays with its thread.
        length, times = ("batch", self.times(slot)) if slot.batched else (str(slot.shape[0]), 1)
        key = ("bounds", length)
        if key not in self._names:
            kind = "example" if slot.batched else f"of_{length}"
            first, last = self.fresh(f"first_{kind}"), self.fresh(f"last_{kind}")
            self._views[first] = f"{length} * thread // threads"
            self._views[last] = f"{length} * (thread + 1) // threads"
            self._names[key] = f"{first} {last}"
        first, last = self._names[key].split()
        return _scaled(first, times), _scaled(last, times)

    def count(self, slot: Slot, part: Part = "own") -> str:
        """How many entries of the first axis a part has."""
        if part == "whole":
            return self.length(slot)
        first, last = self.bounds(slot)
        return f"({last} - {first})"

    def view(self, slot: Slot, part: Part, shape: Sequence[int | str] | None = None) -> str:
        """A variable that shows a slot's memory, or the thread's part of it, under `shape` (flat if None).

        The first entry of `shape` is ignored: it is whatever the part has there.
        """
        layout = None if shape is None else tuple(shape[1:])
        own_name = slot.name if slot.place == "arena" else ""
        key = ("view", slot.place, slot.key, own_name, slot.offset, slot.dtype, slot.shape, slot.batched, part, layout)
        if key in self._names:
            return self._names[key]
        name = self.fresh(slot.key if slot.place == "storage" else slot.name)
        self._names[key] = name
        inner = math.prod(slot.shape[1:])
        start, count = "0", self.size(slot)
        if part == "own":
            start, count = _scaled(self.bounds(slot)[0], inner), _scaled(self.count(slot), inner)
        lengths = [count]
        if layout:
            rest = math.prod(n for n in layout if isinstance(n, int))
            lengths = [f"{count} // {rest}" if rest > 1 else count, *map(str, layout)]
        text = f"window{len(lengths)}({self._memory(slot, start)}, {', '.join(lengths)})"
        (self._step_views if slot.place == "feed" else self._views)[name] = text
        return name

    def following(self, slot: Slot, part: Part) -> str:
        """A feed as the next step will see it; in the last step as this one does."""
        key = ("following", slot.key, part)
        if key not in self._names:
            name = self._names[key] = self.fresh(f"next_{slot.name}")
            size = self.size(slot)
            start = _scaled(self.bounds(slot)[0], math.prod(slot.shape[1:])) if part == "own" else "0"
            place = _sum(f"min(step + 1, steps - 1) * {size}", start)
            self._step_views[name] = f"window1({self._base(slot)}, {place}, {self.count(slot, part)})"
        return self._names[key]

    def table(self, slot: Slot, shape: Sequence[int]) -> str:
        """A whole data set as rows of `shape`; its length is not part of the code."""
        key = ("table", slot.key, tuple(shape))
        if key not in self._names:
            name = self._names[key] = self.fresh(slot.key)
            base = self._base(slot)
            inner = math.prod(shape)
            dims = "".join(f", {n}" for n in shape)
            self._views[name] = f"window{1 + len(shape)}({base}, 0, {base}.size // {inner}{dims})" if shape else base
        return self._names[key]

    def _base(self, slot: Slot) -> str:
        known = {"storage": self.storage, "feed": self.feeds, "constant": self.constants}[slot.place]
        if slot.key not in known:
            known[slot.key] = self.fresh(f"all_{slot.name if slot.place == 'constant' else slot.key}")
        return known[slot.key]

    def _memory(self, slot: Slot, start: str) -> str:
        """The flat array that a slot lies in, and where its part begins."""
        match slot.place:
            case "arena":
                return f"{_ARENA[slot.dtype]}, {_sum(self._offset(slot), start)}"
            case "feed":
                return f"{self._base(slot)}, {_sum(f'step * {self.size(slot)}', start)}"
            case "storage" | "constant":
                return f"{self._base(slot)}, {start}"
        raise ValueError(f"{slot.name} has no memory: it is {slot.place}")

    def _offset(self, slot: Slot) -> str:
        key = ("offset", slot.offset, slot.dtype, slot.name)
        if key not in self._names:
            self._names[key] = f"offsets[{len(self.offsets)}]"
            self.offsets.append(slot.offset // element(slot.dtype).bytes)
        return self._names[key]

    # -- the whole -----------------------------------------------------------

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
