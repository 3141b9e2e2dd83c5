"""The arguments of a generated step: which arrays and numbers reach it, under which names, in which order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from nnctl.plan.dtypes import element
from nnctl.plan.plan import Launch, Plan, Slot

_PLAIN = {0.0, 1.0, -1.0, 2.0, 0.5, -0.5}


class Names:
    """Identifiers, each given once. reserved: words of the language and names of its own, which none may take."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)
        self._counts: dict[str, int] = {}

    def fresh(self, wanted: str) -> str:
        """An identifier like `wanted` that nothing else has."""
        readable = wanted.replace("∂C/∂", "d_").replace("⁺", "_new").replace("'", "_")
        # Python reads µ and μ, h₁ and h1 as one identifier: what is compared is what it reads.
        folded = unicodedata.normalize("NFKC", readable)
        name = re.sub(r"\W+", "_", "".join(c if f"_{c}".isidentifier() else "_" for c in folded)).strip("_")
        if not name.isidentifier():
            name = f"v_{name}"
        candidate = name
        while candidate in self._taken:
            self._counts[name] = self._counts.get(name, 1) + 1
            candidate = f"{name}_{self._counts[name]}"
        self._taken.add(candidate)
        return candidate


class Arguments:
    """The tables of a step's arguments, filled while its text is written.

    The text depends neither on the batch size nor on the data set's size: these, the arena's
    layout and the numbers of the formulas reach the function as arguments, so that one
    compilation serves them all.

    feeds, storage, constants: key → name of the flat array. outputs: by the plan's names.
    offsets: of arena slots, in elements. numbers: constants of the formulas.
    """

    def __init__(self, names: Names, plan: Plan) -> None:
        self._names = names
        self.outputs = {name: names.fresh(f"all_{name}") for name in plan.outputs}
        self._precision = plan.precision
        self.feeds: dict[str, str] = {}
        self.storage: dict[str, str] = {}
        self.constants: dict[str, str] = {}
        self.offsets: list[int] = []
        self.numbers: list[float] = []
        self._numbers: dict[float, int] = {}
        self._offsets: dict[tuple[object, ...], int] = {}

    def array(self, slot: Slot) -> str:
        """The name of the flat array that a slot outside the arena lies in."""
        known = {"storage": self.storage, "feed": self.feeds, "constant": self.constants}[slot.place]
        if slot.key not in known:
            known[slot.key] = self._names.fresh(f"all_{slot.name if slot.place == 'constant' else slot.key}")
        return known[slot.key]

    def offset(self, slot: Slot) -> int:
        """The entry of `offsets` that says where an arena slot begins."""
        key = (slot.offset, slot.dtype, slot.name)
        if key not in self._offsets:
            self._offsets[key] = len(self.offsets)
            self.offsets.append(slot.offset // element(slot.dtype, self._precision).bytes)
        return self._offsets[key]

    def number(self, value: float) -> int | None:
        """The entry of `numbers` that holds a constant.

        None for a plain one, which is worth showing to the compiler: all others are data, so
        that nets that differ in a rate share code.
        """
        if value in _PLAIN:
            return None
        if value not in self._numbers:
            self._numbers[value] = len(self.numbers)
            self.numbers.append(value)
        return self._numbers[value]

    def names(self) -> list[str]:
        """The arrays' names in the order of the arguments: feeds, storage, constants, outputs."""
        tables = (self.feeds, self.storage, self.constants, self.outputs)
        return [name for table in tables for name in table.values()]


def label(launch: Launch) -> str:
    """A launch in words: its comment in the code, and its entry in a table of times."""
    outputs = ", ".join(f"{s.name} ({_shape(s)})" for s in launch.outputs)
    return f"{outputs} = {launch.op.name}({', '.join(s.name for s in launch.inputs)})"


def _shape(slot: Slot) -> str:
    dims = [*(["batch"] if slot.batched else []), *map(str, slot.shape[1:] if slot.batched else slot.shape)]
    return "×".join(dims) or "1"
