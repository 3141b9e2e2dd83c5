"""Sums over the positions of each example: a loop over positions, four at a time, and over channels inside it.

The order of a sum is that of the code: of four positions pairs, then the pairs, then what came before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnctl.backends.codegen.dialect import Values
from nnctl.backends.codegen.loop_nest import is_scalar
from nnctl.backends.cpu.codegen.dialect import KERNEL
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Part, Writer, part_of
from nnctl.backends.cpu.rewriting.example_sums import ExampleSums
from nnctl.plan.plan import Launch, Slot

_UNROLLED = 4
"""Positions of a turn: sums are read and written once for all of them."""


@emits("example_sums", rows=True)
def _example_sums(writer: Writer, launch: Launch) -> None:
    _Sums(writer, launch).write()


class _Sums:
    """The loops of one launch."""

    def __init__(self, writer: Writer, launch: Launch) -> None:
        if not isinstance(launch.op, ExampleSums):
            raise TypeError(f"{launch.op.name} is no sum over the positions of examples")
        self.writer = writer
        self.launch = launch
        self.op = launch.op
        self.shape: tuple[int, ...] = _common(launch.inputs)
        self.positions = math.prod(self.shape[1:-1])
        part = part_of(launch)
        self.sums = [f"{writer.view(slot, part, ['-', slot.shape[-1]])}[i, k]" for slot in launch.outputs]

    def write(self) -> None:
        writer = self.writer
        channels = self.shape[-1]
        whole = self.positions // _UNROLLED
        values = self._values()
        for index, slot in enumerate(self.launch.inputs):
            if is_scalar(slot):
                values.bind(index, self._let("x", writer.scalar(slot)))
        with writer.block(f"for i in range({writer.count(self.launch.outputs[0], part_of(self.launch))}):"):
            with writer.block(f"for k in independent({channels}):"):
                for total in self.sums:
                    writer.line(f"{total} = F(0.0)")
            if whole:
                with writer.block(f"for j in range({whole}):"):
                    positions = [self._let("position", f"{_UNROLLED} * j")]
                    while len(positions) < _UNROLLED:
                        positions.append(self._let("position", f"{positions[-1]} + 1"))
                    with writer.block(f"for k in independent({channels}):"):
                        self._turn(values, positions)
            if self.positions % _UNROLLED:
                rest = f"for j in range({whole * _UNROLLED}, {self.positions}):"
                with writer.block(rest), writer.block(f"for k in independent({channels}):"):
                    self._turn(values, ["j"])
            scaled = [(total, scale) for total, scale in zip(self.sums, self.op.scales, strict=True) if scale != 1.0]
            if scaled:
                with writer.block(f"for k in independent({channels}):"):
                    for total, scale in scaled:
                        writer.line(f"{total} *= {writer.number(scale)}")

    def _values(self) -> Values:
        return Values(self.op.expression, KERNEL, self.writer.number)

    def _let(self, wanted: str, text: str) -> str:
        name = self.writer.names.fresh(wanted)
        self.writer.line(f"{name} = {text}")
        return name

    def _turn(self, values: Values, positions: Sequence[str]) -> None:
        """Lines that add the formulas at some positions to the sums."""
        slots = self.launch.inputs
        for index, slot in enumerate(slots):
            if not is_scalar(slot) and not self._has_positions(slot):
                values.bind(index, self._let("x", self._element(slot, "0")))
        made: list[list[str]] = []
        for position in positions:
            for index, slot in enumerate(slots):
                if self._has_positions(slot):
                    values.bind(index, self._let("x", self._element(slot, position)))
            for number in range(len(self.op.expression.lines)):
                values.bind(values.value_of(number), self._let("t", values.line(number)))
            made.append([values.number(result) for result in self.op.expression.results])
        for number, total in enumerate(self.sums):
            self.writer.line(f"{total} += {_in_pairs([texts[number] for texts in made])}")

    def _has_positions(self, slot: Slot) -> bool:
        return math.prod(self._aligned(slot)[1:-1]) > 1

    def _aligned(self, slot: Slot) -> tuple[int, ...]:
        return (1,) * (len(self.shape) - len(slot.shape)) + slot.shape

    def _element(self, slot: Slot, position: str) -> str:
        """An element of an input that has some of the axes example, position and channel."""
        first, *_, last = self._aligned(slot)
        indices: list[str] = []
        lengths: list[int | str] = []
        # The batch's axis is one even of a batch of one.
        if slot.batched or first != 1:
            indices.append("i")
            lengths.append(first)
        if self._has_positions(slot):
            indices.append(position)
            lengths.append(self.positions)
        if last != 1:
            indices.append("k")
            lengths.append(last)
        part: Part = part_of(self.launch) if slot.batched else "full"
        view = self.writer.view(slot, part, ["-", *lengths[1:]] if len(lengths) > 1 else None)
        return f"{view}[{', '.join(indices)}]"


def _common(slots: Sequence[Slot]) -> tuple[int, ...]:
    """The shape that slots broadcast to."""
    rank = max(len(slot.shape) for slot in slots)
    shapes = [(1,) * (rank - len(slot.shape)) + slot.shape for slot in slots]
    return tuple(max(lengths) for lengths in zip(*shapes, strict=True))


def _in_pairs(texts: Sequence[str]) -> str:
    """The sum of texts, added up in pairs."""
    if len(texts) == 1:
        return texts[0]
    half = len(texts) // 2
    return f"({_in_pairs(texts[:half])} + {_in_pairs(texts[half:])})"
