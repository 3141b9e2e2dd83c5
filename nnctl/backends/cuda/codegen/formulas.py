"""Elementwise launches as device functions, whatever inlined ops read on the way.

A thread makes one element; of a large array several, and what is the same for all of them once: the corrections of
Adam cost more than the rest of its formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from nnctl.backends.codegen.dialect import Values
from nnctl.backends.codegen.inlining import Inlining, Operand
from nnctl.backends.codegen.loop_nest import LoopNest, is_scalar
from nnctl.backends.cuda.calls import THREADS, Argument, blocks_for, elements
from nnctl.backends.cuda.codegen.dialect import CUDA, is_plain, literal
from nnctl.backends.cuda.codegen.functions import ELEMENTS
from nnctl.plan.plan import Launch, Slot

SEVERAL = 4
"""Elements a thread of a large array, each as far from the next as there are threads in a block."""
LARGE = 1 << 20
"""Elements of an array of which a quarter of the threads still fill a device."""
_NAME = re.compile(r"\b[ait]\d*_?\b")
_DEFINED = re.compile(r"(int|float|bool) (\w+) = (.*);")

Definition: TypeAlias = tuple[str, str, str]
"""Of a number: its type, its name, its value."""


class Taken:
    """The pointers that a device function takes, a name for each piece of memory and use; and the constants.

    These are parameters, too, so that launches which differ in numbers alone, as a strength or a probability, are of
    one function, and nets of one persistent kernel: unless two numbers of a formula are equal in some of them alone.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[object, ...], tuple[str, Slot, bool]] = {}
        self._constants: list[float] = []

    def name(self, slot: Slot, *, written: bool = False) -> str:
        """The name of the pointer to a slot."""
        key = (slot.place, slot.key, slot.offset, slot.dtype, slot.shape, written)
        if key not in self._names:
            self._names[key] = (f"{'y' if written else 'x'}{len(self._names)}", slot, written)
        return self._names[key][0]

    def constant(self, value: float) -> str:
        """The text of a constant: what belongs to the formula stays in it."""
        if is_plain(value):
            return literal(value)
        if value not in self._constants:
            # Once however often a formula has it: each would take a register where registers are scarce.
            self._constants.append(float(value))
        return f"c{self._constants.index(value)}"

    @property
    def parameters(self) -> list[str]:
        """As the function declares them."""
        names = self._names.values()
        pointers = [f"{'' if written else 'const '}{ELEMENTS[slot.dtype]}* {name}" for name, slot, written in names]
        return [*pointers, *(f"float c{number}" for number in range(len(self._constants)))]

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """As a call gives them."""
        return (*(slot for _, slot, _ in self._names.values()), *self._constants)


class Formula:
    """The device function of an elementwise launch.

    body: its text from the parameters on, so that launches of equal bodies share a function.
    arguments: of the call, with the number of elements behind them. blocks: of the call. joined: whether launches of
    equal bodies become one grid; else a few blocks are one, which in a persistent kernel would make them in turn.
    """

    def __init__(self, launch: Launch, inlined: Mapping[str, Launch], joined: bool = True) -> None:
        taken = Taken()
        element = ElementText(launch, inlined, taken)
        stored = [
            f"{taken.name(slot, written=True)}[i] = {result};"
            for slot, result in zip(launch.outputs, element.results, strict=True)
        ]
        count = elements(launch.outputs[0])
        few = not joined and THREADS < count <= SEVERAL * THREADS
        each = SEVERAL if few or count >= LARGE else 1
        text = "\n".join(f"    {line}" for line in (_several if each > 1 else _one)(element.lines, stored))
        self.body = f"({', '.join(['Block block', *taken.parameters, 'int count'])}) {{\n{text}\n}}"
        self.arguments: tuple[Argument, ...] = (*taken.arguments, count)
        self.blocks = blocks_for(count, each * THREADS)


def _one(lines: Sequence[str], stored: Sequence[str]) -> Iterator[str]:
    """The text of a function whose threads make an element each."""
    yield "int i = element_of(block);"
    yield "if (i >= count) return;"
    yield from lines
    yield from stored


def _several(lines: Sequence[str], stored: Sequence[str]) -> Iterator[str]:
    """The text of a function whose threads make `SEVERAL` elements each: of the last ones some are not there.

    All that they read is asked for before any of them is made: what is written might be what the next one reads, as
    far as a compiler knows, and a thread would wait for each.
    """
    alike, varying = _apart(lines)
    turns = ["#pragma unroll", f"for (int turn = 0; turn < {SEVERAL}; ++turn) {{"]
    number = f"int i = (block.index * {SEVERAL} + turn) * THREADS + int(threadIdx.x);"
    read = [(kind, name, value) for kind, name, value in varying if name[0] == "a"]
    indices = [f"    {kind} {name} = {value};" for kind, name, value in varying if name[0] == "i"]
    made = [f"    {kind} {name} = {value};" for kind, name, value in varying if name[0] == "t"]
    text = "\n".join([*made, *stored])
    yield from (f"{kind} {name} = {value};" for kind, name, value in alike)
    yield from (f"{kind} {name}_[{SEVERAL}];" for kind, name, _ in read)
    yield from turns
    yield f"    {number}"
    yield "    if (i >= count) break;"
    yield from indices
    yield from (f"    {name}_[turn] = {value};" for _, name, value in read)
    yield "}"
    yield from turns
    yield f"    {number}"
    yield "    if (i >= count) return;"
    yield from (line for line in indices if line.split()[1] in _NAME.findall(text))
    yield from (f"    {kind} {name} = {name}_[turn];" for kind, name, _ in read)
    yield from made
    yield from (f"    {line}" for line in stored)
    yield "}"


def _apart(lines: Sequence[str]) -> tuple[list[Definition], list[Definition]]:
    """The definitions that are the same for all elements, and those that are not."""
    alike: list[Definition] = []
    varying: list[Definition] = []
    of_element = {"i"}
    for line in lines:
        match = _DEFINED.fullmatch(line)
        assert match is not None, line
        definition = (match[1], match[2], match[3])
        if of_element.isdisjoint(_NAME.findall(definition[2])):
            alike.append(definition)
        else:
            varying.append(definition)
            of_element.add(definition[1])
    return alike, varying


class ElementText:
    """The text of a formula's element number `i`.

    lines: that compute it. results: what it is, a text for each result of the formula.
    """

    def __init__(self, launch: Launch, inlined: Mapping[str, Launch], taken: Taken) -> None:
        self._nest = nest = LoopNest(launch, Inlining(inlined))
        self._taken = taken
        values = Values(nest.expression, CUDA, taken.constant)
        made = [f"float a{i} = {nest.inlining.text(o, CUDA, self)};" for i, o in enumerate(nest.operands)]
        for index in range(len(nest.operands)):
            values.bind(index, f"a{index}")
        for position in range(len(nest.expression.lines)):
            value = values.value_of(position)
            kind = "bool" if values.is_condition(value) else "float"
            made.append(f"{kind} t{position} = {values.line(position)};")
            values.bind(value, f"t{position}")
        text = "\n".join(made)
        self.lines = [*(line for line in self._turns() if line.split()[1] in text), *made]
        self.results = [values.number(result) for result in nest.expression.results]

    def _turns(self) -> list[str]:
        """The loops' present turns, from the element's number."""
        lines, inner = [], 1
        for depth in range(len(self._nest.loops) - 1, -1, -1):
            length = self._nest.length(depth)
            of = "i" if inner == 1 else f"i / {inner}"
            lines.append(f"int i{depth}_ = {of if depth == 0 else f'{of} % {length}'};")
            inner *= max(1, length)
        return lines

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
            return f"{self._taken.name(operand.slot)}[0]"
        return f"{self._taken.name(operand.slot)}[{self._index(self._nest.loops_of(operand))}]"

    def gathered(self, table: Operand, row: str) -> str:
        """See `Elements`."""
        inside = self._nest.loops_in_row(table)
        length = elements(table.slot) // max(1, table.slot.shape[0])
        start = row if length == 1 else f"{row} * {length}"
        return f"{self._taken.name(table.slot)}[{start}{f' + {self._index(inside)}' if inside else ''}]"

    def position(self, axis: int | None) -> str:
        """See `Elements`."""
        return "0" if axis is None else f"i{self._nest.loop_of(axis)}_"
