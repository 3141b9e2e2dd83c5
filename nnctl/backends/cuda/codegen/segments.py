"""Segments: launches of one formula in one grid, as the update of every parameter, each a run of the grid's blocks.

What a small launch costs is its launch. A segment begins with a block of its own, so that a block finds the one
that it works for by its number, among bounds that are parameters like the pointers: they are read without a wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnctl.backends.cuda.calls import Argument, Call
from nnctl.backends.cuda.codegen.functions import DeviceFunction, Parameter
from nnctl.late import dataclass
from nnctl.plan.plan import Plan

MOST_BYTES = 4096
"""Bytes of parameters that every device takes."""
_POINTER, _NUMBER = 8, 4


@dataclass(frozen=True)
class Segments:
    """Calls of one function as one grid. launches: their numbers in the plan."""

    launches: tuple[int, ...]
    calls: tuple[Call, ...]

    @property
    def blocks(self) -> int:
        """Blocks of the grid."""
        return sum(call.blocks for call in self.calls)

    @property
    def shares(self) -> tuple[tuple[int, int], ...]:
        """The launches, and the blocks of each."""
        return tuple((number, call.blocks) for number, call in zip(self.launches, self.calls, strict=True))

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """Arguments of the segments in turn, once where all have it in common; then the bounds."""
        found: list[Argument] = []
        for index in range(len(self._function.parameters)):
            given = [call.arguments[index] for call in self.calls]
            found += given[:1] if self._common(index) else given
        return (*found, *self._bounds())

    @property
    def body(self) -> str:
        """The text of the function from its parameters on, so that grids of equal bodies share a function."""
        taken = ["Block block"]
        for index, parameter in enumerate(self._function.parameters):
            names = [parameter.name] if self._common(index) else self._names(parameter)
            taken += [f"{_type(parameter)} {name}" for name in names]
        taken += [f"int bound{i}" for i in range(1, len(self.calls))]
        own = [p for i, p in enumerate(self._function.parameters) if not self._common(i)]
        lines = [
            *(f"    {_type(p)} of_{p.name};" for p in own),
            "    int first, end;",
            *self._search(own, 0, len(self.calls), "    "),
        ]
        given = [p.name if self._common(i) else f"of_{p.name}" for i, p in enumerate(self._function.parameters)]
        block = "Block{block.index - first, end - first, block.shared}"
        lines.append(f"    {self._function.name}({', '.join([block, *given])});")
        return f"({', '.join(taken)}) {{\n" + "\n".join(lines) + "\n}"

    @property
    def _function(self) -> DeviceFunction:
        return self.calls[0].function

    def _common(self, index: int) -> bool:
        return len({call.arguments[index] for call in self.calls}) == 1

    def _names(self, parameter: Parameter) -> list[str]:
        return [f"{parameter.name}_{i}" for i in range(len(self.calls))]

    def _bounds(self) -> list[int]:
        """The first block of each segment but the first."""
        found, first = [], 0
        for call in self.calls[:-1]:
            first += call.blocks
            found.append(first)
        return found

    def _search(self, own: Sequence[Parameter], low: int, high: int, margin: str) -> list[str]:
        """Decisions that end at the segment of the block, among those from low to high − 1."""
        if high - low == 1:
            first = f"bound{low}" if low else "0"
            end = f"bound{high}" if high < len(self.calls) else "block.count"
            chosen = [f"of_{p.name} = {p.name}_{low};" for p in own]
            return [f"{margin}{line}" for line in (*chosen, f"first = {first};", f"end = {end};")]
        middle = (low + high) // 2
        return [
            f"{margin}if (block.index < bound{middle}) {{",
            *self._search(own, low, middle, margin + "    "),
            f"{margin}}} else {{",
            *self._search(own, middle, high, margin + "    "),
            f"{margin}}}",
        ]


def _type(parameter: Parameter) -> str:
    return parameter.text.removesuffix(parameter.name).strip()


def segments_of(plan: Plan, calls: Mapping[int, Call]) -> list[Segments]:
    """The launches of a phase that have one function, where there are several of them, as few grids as hold them.

    calls: of launches by their number in the plan, ascending. Launches of a phase are independent; none is taken
    over the guard's check.
    """
    together: dict[tuple[int, bool, DeviceFunction], list[int]] = {}
    for number, call in calls.items():
        if call.blocks:
            key = (plan.launches[number].phase, number >= plan.guarded, call.function)
            together.setdefault(key, []).append(number)
    found = []
    for (_, _, function), numbers in together.items():
        each = sum(_POINTER if p.pointer else _NUMBER for p in function.parameters) + _NUMBER
        # One pointer says whether the chunk goes on.
        most = max(1, (MOST_BYTES - _POINTER) // each)
        for start in range(0, len(numbers), most):
            members = tuple(numbers[start : start + most])
            if len(members) > 1:
                found.append(Segments(members, tuple(calls[i] for i in members)))
    return found
