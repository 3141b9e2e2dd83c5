"""Elementwise launches as device functions: one thread an element, whatever inlined ops read on the way."""

from __future__ import annotations

from collections.abc import Mapping

from nnctl.backends.codegen.dialect import Values
from nnctl.backends.codegen.inlining import Inlining, Operand
from nnctl.backends.codegen.loop_nest import LoopNest, is_scalar
from nnctl.backends.cuda.calls import Argument, elements
from nnctl.backends.cuda.codegen.dialect import CUDA, literal
from nnctl.backends.cuda.codegen.functions import ELEMENTS
from nnctl.plan.plan import Launch, Slot


class Formula:
    """The device function of an elementwise launch.

    body: its text from the parameters on, so that launches of equal bodies share a function.
    arguments: of the call, behind the number of elements.
    """

    def __init__(self, launch: Launch, inlined: Mapping[str, Launch]) -> None:
        self._nest = LoopNest(launch, Inlining(inlined))
        self._launch = launch
        self._parameters: dict[tuple[object, ...], tuple[str, Slot, bool]] = {}
        lines = self._lines()
        given = [f"{'' if written else 'const '}{ELEMENTS[s.dtype]}* {name}" for name, s, written in self._taken()]
        self.body = f"({', '.join(['Block block', *given, 'int count'])}) {{\n" + "\n".join(lines) + "\n}"
        self.arguments: tuple[Argument, ...] = (*(s for _, s, _ in self._taken()), elements(launch.outputs[0]))

    def _taken(self) -> list[tuple[str, Slot, bool]]:
        return list(self._parameters.values())

    def _lines(self) -> list[str]:
        nest = self._nest
        values = Values(nest.expression, CUDA, literal)
        loaded = [f"    float a{i} = {nest.inlining.text(o, CUDA, self)};" for i, o in enumerate(nest.operands)]
        for index in range(len(nest.operands)):
            values.bind(index, f"a{index}")
        computed = []
        for position in range(len(nest.expression.lines)):
            value = values.value_of(position)
            kind = "bool" if values.is_condition(value) else "float"
            computed.append(f"    {kind} t{position} = {values.line(position)};")
            values.bind(value, f"t{position}")
        stored = [
            f"    {self._pointer(slot, written=True)}[i] = {values.number(result)};"
            for slot, result in zip(self._launch.outputs, nest.expression.results, strict=True)
        ]
        text = "\n".join([*loaded, *computed, *stored])
        return [
            "    int i = element_of(block);",
            "    if (i >= count) return;",
            *(line for line in self._turns() if f"{line.split()[1]}" in text),
            *loaded,
            *computed,
            *stored,
        ]

    def _turns(self) -> list[str]:
        """The loops' present turns, from the element's number."""
        lines, inner = [], 1
        for depth in range(len(self._nest.loops) - 1, -1, -1):
            length = self._nest.length(depth)
            of = "i" if inner == 1 else f"i / {inner}"
            lines.append(f"    int i{depth}_ = {of if depth == 0 else f'{of} % {length}'};")
            inner *= max(1, length)
        return lines

    def _pointer(self, slot: Slot, *, written: bool = False) -> str:
        key = (slot.place, slot.key, slot.offset, slot.dtype, slot.shape, written)
        if key not in self._parameters:
            self._parameters[key] = (f"{'y' if written else 'x'}{len(self._parameters)}", slot, written)
        return self._parameters[key][0]

    def _index(self, loops: list[int]) -> str:
        terms, inner = [], 1
        for loop in reversed(loops):
            terms.append(f"i{loop}_" if inner == 1 else f"i{loop}_ * {inner}")
            inner *= self._nest.length(loop)
        return " + ".join(reversed(terms)) or "0"

    # -- elements ------------------------------------------------------------------

    def element(self, operand: Operand) -> str:
        """See `Elements`."""
        if is_scalar(operand.slot):
            return f"{self._pointer(operand.slot)}[0]"
        return f"{self._pointer(operand.slot)}[{self._index(self._nest.loops_of(operand))}]"

    def gathered(self, table: Operand, row: str) -> str:
        """See `Elements`."""
        inside = self._nest.loops_in_row(table)
        length = elements(table.slot) // max(1, table.slot.shape[0])
        start = row if length == 1 else f"{row} * {length}"
        return f"{self._pointer(table.slot)}[{start}{f' + {self._index(inside)}' if inside else ''}]"

    def position(self, axis: int | None) -> str:
        """See `Elements`."""
        return "0" if axis is None else f"i{self._nest.loop_of(axis)}_"
