"""The loops of elementwise ops as Python: heads for a thread's partition, windows, prefetching."""

from __future__ import annotations

import math
from contextlib import ExitStack
from functools import partial

from nnctl.backends.codegen.dialect import Values
from nnctl.backends.codegen.inlining import Inlining, Operand
from nnctl.backends.codegen.loop_nest import LoopNest, is_scalar
from nnctl.backends.cpu.codegen.dialect import KERNEL
from nnctl.backends.cpu.codegen.writer import LOOP_VARIABLES, Part, Writer, part_of
from nnctl.backends.cpu.division import division_of
from nnctl.plan.plan import Launch, Slot

_PREFETCHED = 1024
"""Bytes of a row that are asked for ahead, at most; what follows, the processor sees coming."""
_AHEAD = 2048
"""Bytes of rows between those that are asked for and those that are read, of many."""
_MANY = 32
"""Rows of a step from which on those of the next would be gone from the cache again, and the first ones cost little."""
_CACHE_LINE = 64
_SIZES = {"real": 4, "index": 8, "uint8": 1}
"""Bytes of an element by the slot's type."""


def write_formula(writer: Writer, launch: Launch, inlining: Inlining) -> None:
    """The loops of one elementwise launch. Raises TypeError for a structured op."""
    apart = division_of(launch) == "halves" and launch.outputs[0].batched
    _Loops(writer, launch, LoopNest(launch, inlining, apart=apart)).write()


class _Loops:
    """Statements of a nest; the elements of memory as `nnctl.backends.codegen.inlining` asks for them."""

    def __init__(self, writer: Writer, launch: Launch, nest: LoopNest) -> None:
        self.writer = writer
        self.launch = launch
        self.nest = nest
        self.part = part_of(launch)
        self.columns = writer.column_bounds(launch.outputs[0]) if nest.apart else None
        """Of the thread, where it makes some columns of all examples."""
        self._made = ""
        """Name of the thread's columns of the result."""
        self.variables = LOOP_VARIABLES[: len(nest.loops)]
        self.hoisted: dict[Operand, str] = {}
        """Variables that hold what does not change in the innermost loop."""

    def write(self) -> None:
        writer, nest = self.writer, self.nest
        if self.columns is not None:
            flat, count = writer.columns(self.launch.outputs[0])
            self._made = self._let("made", f"window2({flat}, 0, {self.launch.outputs[0].shape[0]}, {count})")
        values = Values(nest.expression, KERNEL, partial(writer.number, free=True))
        for index in sorted(nest.scalars):
            # Read before the loop: what it writes might be what it reads, for all that LLVM knows.
            values.bind(index, self._let("s", self._load(nest.operands[index])))
        before, inside = nest.divided()
        self._lines(values, before)
        with ExitStack() as loops:
            for depth, variable in enumerate(self.variables):
                turns = "independent" if depth == len(nest.loops) - 1 else "range"
                loops.enter_context(writer.block(f"for {variable} in {turns}({self._turns(depth)}):"))
                if depth == len(nest.loops) - 1:
                    continue
                if depth == 0:
                    self._prefetch()
                for leaf in nest.hoisted(depth):
                    self.hoisted[leaf] = self._let("x", self.element(leaf))
            for index, operand in enumerate(nest.operands):
                if index not in nest.scalars:
                    values.bind(index, self._let("x", self._load(operand)))
            self._lines(values, inside)
            for slot, result in zip(self.launch.outputs, nest.expression.results, strict=True):
                text = values.number(result)
                writer.line(f"{self._store(slot)} = {text}")

    # -- statements ----------------------------------------------------------------

    def _let(self, wanted: str, text: str) -> str:
        name = self.writer.names.fresh(wanted)
        self.writer.line(f"{name} = {text}")
        return name

    def _lines(self, values: Values, positions: list[int]) -> None:
        for position in positions:
            values.bind(values.value_of(position), self._let("t", values.line(position)))

    def _turns(self, depth: int) -> str:
        """The turns of a loop: the outermost runs over the thread's partition."""
        if depth > 0:
            return str(self.nest.length(depth)) if self.columns is None else "{1} - {0}".format(*self.columns)
        count, inner = self.writer.count(self.launch.outputs[0], self.part), self.nest.turns_an_entry()
        return count if inner == 1 else f"{count} * {inner}"

    def _prefetch(self) -> None:
        """Ask for rows ahead of their use, for a data set is too large for the cache: of few those of the next step."""
        for table, index in self.nest.ahead():
            size = _SIZES[table.slot.dtype]
            first, last = self.columns or ("0", str(math.prod(table.slot.shape[1:])))
            asked = min(math.prod(table.slot.shape[1:]) * size, _PREFETCHED) // size
            if index.slot.shape[0] < _MANY:
                rows, place = self.writer.following(index.slot, self.part), self.variables[0]
            else:
                rows, further = self.writer.view(index.slot, self.part), -(-_AHEAD // max(1, asked * size))
                place = f"min({self.variables[0]} + {further}, {rows}.size - 1)"
            row, byte = self._let("row", f"{rows}[{place}]"), self.writer.names.fresh("byte")
            bytes_asked = f"{first} * {size}, min({last}, {first} + {asked}) * {size}, {_CACHE_LINE}"
            with self.writer.block(f"for {byte} in range({bytes_asked}):"):
                self.writer.line(f"prefetch({self._table(table)}, {row}, {byte})")

    def _at(self, loop: int) -> str:
        """The index of a loop's present turn."""
        variable = self.variables[loop]
        return variable if loop == 0 or self.columns is None else f"{self.columns[0]} + {variable}"

    # -- elements ------------------------------------------------------------------

    def element(self, operand: Operand) -> str:
        """See `Elements`."""
        if operand in self.hoisted:
            return self.hoisted[operand]
        if is_scalar(operand.slot):
            return self.writer.scalar(operand.slot)
        loops = self.nest.loops_of(operand)
        part: Part = "partition" if self.part == "partition" and operand.axes[:1] == (0,) else "full"
        if not loops:
            return f"{self.writer.view(operand.slot, part)}[0]"
        return self._indexed(operand.slot, part, loops)

    def gathered(self, table: Operand, row: str) -> str:
        """See `Elements`."""
        indices = [row, *map(self._at, self.nest.loops_in_row(table))]
        return f"{self._table(table)}[{', '.join(indices)}]"

    def position(self, axis: int | None) -> str:
        """See `Elements`."""
        return "0" if axis is None else self._at(self.nest.loop_of(axis))

    def _load(self, operand: Operand) -> str:
        return self.nest.inlining.text(operand, KERNEL, self)

    def _store(self, slot: Slot) -> str:
        if slot.shape == ():
            return self.writer.scalar(slot)
        if self.columns is not None:
            return f"{self._made}[{', '.join(self.variables)}]"
        return self._indexed(slot, self.part, list(range(len(self.nest.loops))))

    def _indexed(self, slot: Slot, part: Part, loops: list[int]) -> str:
        """An element of a slot's view with an axis for each of these loops."""
        layout = self.nest.layout(loops)
        name = self.writer.view(slot, part, ["-", *layout[1:]] if len(layout) > 1 else None)
        return f"{name}[{', '.join(map(self._at, loops))}]"

    def _table(self, table: Operand) -> str:
        return self.writer.table(table.slot, self.nest.layout(self.nest.loops_in_row(table)))
