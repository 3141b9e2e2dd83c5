"""Loops of elementwise ops: the expression of a formula, written out over the axes of its operands."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from nnctl.backends.cpu.codegen.writer import Part, Writer, part_of
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.expression import Expression, Ref
from nnctl.plan.plan import Launch, Slot

_CODE = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "reciprocal": "F(1.0) / {0}",
    "square": "{0} * {0}",
    "abs": "abs({0})",
    "sqrt": "math.sqrt({0})",
    "sign": "sign({0})",
    # A NaN on either side must come out: a net that diverges is found by it.
    "maximum": "({0} if {0} >= {1} or {0} != {0} else {1})",
    "minimum": "({0} if {0} <= {1} or {0} != {0} else {1})",
    "greater": "{0} > {1}",
    "less": "{0} < {1}",
    "equal": "{0} == {1}",
    "where": "({1} if {0} else {2})",
}
"""Primitives as Python; those not here are functions of `mathematics` of the same name."""
_WITH_CONSTANT = {
    "maximum": "({0} if {0} >= {1} else {1})",
    "minimum": "({0} if {0} <= {1} else {1})",
}
"""The same where {0} is a constant, which is no NaN: one comparison does."""
_CONDITIONS = ("greater", "less", "equal")


def write_formula(writer: Writer, launch: Launch, inlined: dict[str, Launch]) -> None:
    """The loops of one elementwise launch."""
    if not isinstance(launch.op, ElementwiseOp):
        raise TypeError(f"{launch.op.name} is no formula")
    _Loops(writer, launch, launch.op.expression, inlined).write()


@dataclass(frozen=True)
class _Operand:
    """An input of the formula, or what an inlined input reads in turn.

    axes: for each axis of the slot the axis of the loops, None where it has length 1.
    """

    slot: Slot
    axes: tuple[int | None, ...]


class _Loops:
    def __init__(self, writer: Writer, launch: Launch, expression: Expression, inlined: dict[str, Launch]) -> None:
        self.writer = writer
        self.launch = launch
        self.expression = expression
        self.inlined = inlined
        self.shape = launch.outputs[0].shape
        self.part = part_of(launch)
        self.operands = [self._operand(slot, len(self.shape)) for slot in launch.inputs]
        self.groups = self._groups()
        self.variables = [f"{'ijklmn'[g]}" for g in range(len(self.groups))]
        self.outer: dict[_Operand, str] = {}
        """Variables that hold what does not change in the innermost loop."""

    def write(self) -> None:
        writer = self.writer
        scalar = {i for i, slot in enumerate(self.launch.inputs) if _is_scalar(slot)}
        values: list[str | None] = [None] * self.expression.arity
        for index in scalar:
            values[index] = self._load(self.operands[index])
        boolean: set[int] = set()
        before, inside = self._divided(scalar)
        texts = dict(enumerate(values))
        for position in before:
            self._line(position, texts, boolean)
        with ExitStack() as loops:
            for depth, (variable, head) in enumerate(zip(self.variables, self._heads(), strict=True)):
                loops.enter_context(writer.block(f"for {variable} in range({head}):"))
                if depth == len(self.groups) - 1:
                    continue
                if depth == 0:
                    self._ask_ahead()
                self._load_outer(depth)
            for index, operand in enumerate(self.operands):
                if index not in scalar:
                    name = writer.fresh("x")
                    writer.line(f"{name} = {self._load(operand)}")
                    texts[index] = name
            for position in inside:
                self._line(position, texts, boolean)
            for slot, result in zip(self.launch.outputs, self.expression.results, strict=True):
                text = self._number(texts, boolean, result)
                writer.line(f"{self._store(slot)} = {text}")

    # -- statements ----------------------------------------------------------

    def _load_outer(self, depth: int) -> None:
        """Load what changes with this loop and with none inside it.

        The compiler would not: for all it knows, the stores of the inner loop change it.
        """
        for operand in self.operands:
            for leaf, _ in self._leaves(operand):
                present = [i for i, g in enumerate(self.groups) if any(a in leaf.axes for a in g)]
                if leaf.slot.place != "inline" and present and present[-1] == depth and leaf not in self.outer:
                    name = self.writer.fresh("x")
                    self.writer.line(f"{name} = {self._element(leaf)}")
                    self.outer[leaf] = name

    def _divided(self, scalar: set[int]) -> tuple[list[int], list[int]]:
        """Lines that depend on scalars alone, to be done once, and the others."""
        known = set(scalar)
        before, inside = [], []
        for position, line in enumerate(self.expression.lines):
            value = self.expression.arity + position
            if all(not isinstance(a, int) or a in known for a in line.arguments):
                known.add(value)
                before.append(position)
            else:
                inside.append(position)
        return before, inside

    def _line(self, position: int, texts: dict[int, str | None], boolean: set[int]) -> None:
        line = self.expression.lines[position]
        value = self.expression.arity + position
        arguments = [
            self._operand_text(texts, boolean, a, condition=line.primitive == "where" and place == 0)
            for place, a in enumerate(line.arguments)
        ]
        pattern = _CODE.get(line.primitive)
        if line.primitive in _WITH_CONSTANT and any(isinstance(a, float) for a in line.arguments):
            pattern = _WITH_CONSTANT[line.primitive]
            if isinstance(line.arguments[1], float):
                arguments.reverse()
        text = pattern.format(*arguments) if pattern else f"{line.primitive}({', '.join(arguments)})"
        name = self.writer.fresh("t")
        self.writer.line(f"{name} = {text}")
        texts[value] = name
        if line.primitive in _CONDITIONS:
            boolean.add(value)

    def _operand_text(self, texts: dict[int, str | None], boolean: set[int], a: Ref, *, condition: bool) -> str:
        if condition and isinstance(a, int):
            return str(texts[a]) if a in boolean else f"{texts[a]} != F(0.0)"
        return self._number(texts, boolean, a)

    def _number(self, texts: dict[int, str | None], boolean: set[int], a: Ref) -> str:
        if isinstance(a, float):
            return self.writer.number(a)
        return f"F({texts[a]})" if a in boolean else str(texts[a])

    # -- operands ------------------------------------------------------------

    def _operand(self, slot: Slot, rank: int) -> _Operand:
        """An input aligned with the loops' axes from the right, as broadcasting does."""
        shift = rank - len(slot.shape)
        return _Operand(slot, tuple(i + shift if _has_length(slot, i) else None for i in range(len(slot.shape))))

    def _inner(self, operand: _Operand) -> tuple[Launch, list[_Operand]] | None:
        """What an inlined operand reads, aligned; None for one in memory."""
        if operand.slot.place != "inline":
            return None
        launch = self.inlined[operand.slot.key]
        source = launch.inputs[0]
        match launch.op.name:
            case "gather":
                index = launch.inputs[1]
                return launch, [_Operand(source, operand.axes), _Operand(index, operand.axes[:1])]
            case "one_hot":
                return launch, [_Operand(source, operand.axes[:-1])]
            case "cast":
                return launch, [_Operand(source, operand.axes)]
            case "broadcast_to":
                shift = len(operand.axes) - len(source.shape)
                axes = tuple(
                    operand.axes[i + shift] if _has_length(source, i) else None for i in range(len(source.shape))
                )
                return launch, [_Operand(source, axes)]
        raise ValueError(f"{launch.op.name} cannot be inlined")

    def _leaves(self, operand: _Operand) -> Iterator[tuple[_Operand, tuple[int | None, ...]]]:
        """What is read from memory for an operand, and the axes that must have a loop of their own."""
        inner = self._inner(operand)
        if inner is None:
            yield operand, ()
            return
        launch, sources = inner
        alone: tuple[int | None, ...] = ()
        if launch.op.name == "gather":
            alone = operand.axes[:1]
        elif launch.op.name == "one_hot":
            alone = operand.axes[-1:]
        for source in sources:
            for leaf, also in self._leaves(source):
                yield leaf, (*alone, *also)

    def _groups(self) -> list[tuple[int, ...]]:
        """Consecutive axes that every operand sees as one become one loop."""
        output = self.launch.outputs[0]
        # The first axis always has a loop: a thread may have nothing of it to do.
        axes = [a for a in range(len(self.shape)) if a == 0 or _has_length(output, a)]
        marks: dict[int, list[bool]] = {a: [] for a in axes}
        alone: set[int | None] = set()
        for operand in self.operands:
            for leaf, own_loop in self._leaves(operand):
                alone.update(own_loop)
                for a in axes:
                    marks[a].append(a in leaf.axes)
        groups: list[list[int]] = []
        for a in axes:
            if groups and a not in alone and groups[-1][-1] not in alone and marks[a] == marks[groups[-1][-1]]:
                groups[-1].append(a)
            else:
                groups.append([a])
        return [tuple(g) for g in groups]

    def _heads(self) -> list[str]:
        """How often each loop runs."""
        heads = []
        for number, group in enumerate(self.groups):
            if number == 0:
                inner = math.prod(self.shape[a] for a in group if a != 0)
                count = self.writer.count(self.launch.outputs[0], self.part)
                heads.append(count if inner == 1 else f"{count} * {inner}")
            else:
                heads.append(str(math.prod(self.shape[a] for a in group)))
        return heads

    def _load(self, operand: _Operand) -> str:
        """The expression of an operand's element."""
        inner = self._inner(operand)
        if inner is None:
            return self._element(operand)
        launch, sources = inner
        match launch.op.name:
            case "gather":
                return self._gathered(*sources)
            case "one_hot":
                last = operand.axes[-1]
                variable = self.variables[self._group_of(last)] if last is not None else "0"
                return f"(F(1.0) if {self._load(sources[0])} == {variable} else F(0.0))"
            case "cast":
                return f"F({self._load(sources[0])})"
            case _:
                return self._load(sources[0])

    def _group_of(self, axis: int | None) -> int:
        return next(i for i, group in enumerate(self.groups) if axis in group)

    def _element(self, operand: _Operand) -> str:
        slot = operand.slot
        if operand in self.outer:
            return self.outer[operand]
        if _is_scalar(slot):
            return self.writer.scalar(slot)
        present = [g for g in self.groups if any(a in operand.axes for a in g)]
        if not present:
            return f"{self.writer.view(slot, self._part_of(operand))}[0]"
        sizes = [math.prod(self.shape[a] for a in group) for group in present]
        name = self.writer.view(slot, self._part_of(operand), ["-", *sizes[1:]] if len(sizes) > 1 else None)
        indices = ", ".join(self.variables[self.groups.index(group)] for group in present)
        return f"{name}[{indices}]"

    def _part_of(self, operand: _Operand) -> Part:
        return "own" if self.part == "own" and self._shares_first_axis(operand) else "whole"

    def _shares_first_axis(self, operand: _Operand) -> bool:
        return bool(operand.axes) and operand.axes[0] == 0

    def _ask_ahead(self) -> None:
        """Prefetch the rows that the next step will gather: a data set is too large for the cache."""
        for operand in self.operands:
            for leaf, own_loop in self._leaves(operand):
                if leaf.slot.place == "feed" and own_loop:
                    source = self._data_of(operand)
                    if source is not None:
                        ahead = self.writer.following(leaf.slot, self.part)
                        self.writer.line(f"prefetch({self._table(source)}, {ahead}[{self.variables[0]}])")

    def _data_of(self, operand: _Operand) -> _Operand | None:
        """The data set that an operand gathers from."""
        inner = self._inner(operand)
        if inner is None:
            return None
        launch, sources = inner
        return sources[0] if launch.op.name == "gather" else self._data_of(sources[0])

    def _table(self, table: _Operand) -> str:
        return self.writer.table(table.slot, [math.prod(self.shape[a] for a in g) for g in self._rest(table)])

    def _rest(self, table: _Operand) -> list[tuple[int, ...]]:
        """The groups of axes within a row of a data set."""
        return [g for g in self.groups if any(a in table.axes[1:] for a in g)]

    def _gathered(self, table: _Operand, index: _Operand) -> str:
        row = self._element(index)
        indices = ", ".join([row, *(self.variables[self.groups.index(group)] for group in self._rest(table))])
        return f"{self._table(table)}[{indices}]"

    def _store(self, slot: Slot) -> str:
        if slot.shape == ():
            return self.writer.scalar(slot)
        sizes = [math.prod(self.shape[a] for a in group) for group in self.groups]
        name = self.writer.view(slot, self.part, ["-", *sizes[1:]] if len(sizes) > 1 else None)
        return f"{name}[{', '.join(self.variables)}]"


def _is_scalar(slot: Slot) -> bool:
    """Whether a slot has one element, whatever the batch."""
    return not slot.batched and math.prod(slot.shape) == 1


def _has_length(slot: Slot, axis: int) -> bool:
    """Whether an axis is more than a place for broadcasting: the batch's is, even for a batch of one."""
    return slot.shape[axis] != 1 or (axis == 0 and slot.batched)
