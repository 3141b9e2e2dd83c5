"""The loop nest of a formula: which axes are one loop, what each operand is indexed by, what is hoisted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnctl.backends.codegen.inlining import Inlining, Operand, aligned, has_length
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.expression import Expression
from nnctl.plan.plan import Launch, Slot


def is_scalar(slot: Slot) -> bool:
    """True for a slot of one element, whatever the batch."""
    return not slot.batched and math.prod(slot.shape) == 1


class LoopNest:
    """The loops over the elements of one elementwise launch, from the outermost on.

    operands: its inputs, aligned with the axes of its result. scalars: the positions of inputs
    of one element. apart: whether the first axis has a loop to itself in any case. loops: each loop's
    axes of the result. The first axis always has a loop of which a thread, block or core may have some
    turns, or none.

    Raises TypeError for a launch of a structured op.
    """

    def __init__(self, launch: Launch, inlining: Inlining, *, apart: bool = False) -> None:
        if not isinstance(launch.op, ElementwiseOp):
            raise TypeError(f"{launch.op.name} is no formula")
        self.expression: Expression = launch.op.expression
        self.inlining = inlining
        self.apart = apart
        self.shape = launch.outputs[0].shape
        self.operands = [aligned(slot, len(self.shape)) for slot in launch.inputs]
        self.scalars = {i for i, slot in enumerate(launch.inputs) if is_scalar(slot)}
        self.loops = self._loops(launch.outputs[0])

    def _loops(self, output: Slot) -> list[tuple[int, ...]]:
        """Consecutive axes that every operand sees as one become one loop."""
        axes = [a for a in range(len(self.shape)) if a == 0 or has_length(output, a)]
        marks: dict[int, list[bool]] = {a: [] for a in axes}
        alone: set[int | None] = {0} if self.apart else set()
        for operand in self.operands:
            for leaf, own_loop in self.inlining.leaves(operand):
                alone.update(own_loop)
                for a in axes:
                    marks[a].append(a in leaf.axes)
        loops: list[list[int]] = []
        for a in axes:
            if loops and a not in alone and loops[-1][-1] not in alone and marks[a] == marks[loops[-1][-1]]:
                loops[-1].append(a)
            else:
                loops.append([a])
        return [tuple(loop) for loop in loops]

    # -- lengths and indices -----------------------------------------------------

    def length(self, loop: int) -> int:
        """Turns of a loop, where it runs over all entries of its axes."""
        return math.prod(self.shape[a] for a in self.loops[loop])

    def turns_an_entry(self) -> int:
        """Turns of the first loop for each entry of the first axis."""
        return math.prod(self.shape[a] for a in self.loops[0] if a != 0)

    def loops_of(self, operand: Operand) -> list[int]:
        """The loops that index an operand in memory, one an axis of its view."""
        return [i for i, loop in enumerate(self.loops) if any(a in operand.axes for a in loop)]

    def loops_in_row(self, table: Operand) -> list[int]:
        """The loops within a row of a data set."""
        return [i for i, loop in enumerate(self.loops) if any(a in table.axes[1:] for a in loop)]

    def loop_of(self, axis: int) -> int:
        """The loop that runs over an axis."""
        return next(i for i, loop in enumerate(self.loops) if axis in loop)

    def layout(self, loops: Sequence[int]) -> list[int]:
        """The shape of a view that these loops index."""
        return [self.length(loop) for loop in loops]

    # -- what is done where --------------------------------------------------------

    def hoisted(self, depth: int) -> list[Operand]:
        """Operands in memory that change with this loop and with none inside it.

        A compiler would not hoist their reading: for all it knows, the stores of the inner loop change them.
        """
        leaves = [leaf for operand in self.operands for leaf, _ in self.inlining.leaves(operand)]
        return [leaf for leaf in dict.fromkeys(leaves) if self.loops_of(leaf)[-1:] == [depth]]

    def ahead(self) -> list[tuple[Operand, Operand]]:
        """(table, index) of each data set whose rows are gathered by a feed: the next step's are known."""
        found = []
        for operand in self.operands:
            for leaf, own_loop in self.inlining.leaves(operand):
                table = self.inlining.table(operand) if leaf.slot.place == "feed" and own_loop else None
                if table is not None:
                    found.append((table, leaf))
        return found

    def divided(self) -> tuple[list[int], list[int]]:
        """Lines of the formula that depend on scalars alone, to be done once, and the others."""
        known = set(self.scalars)
        before, inside = [], []
        for position, line in enumerate(self.expression.lines):
            if all(not isinstance(a, int) or a in known for a in line.arguments):
                known.add(self.expression.arity + position)
                before.append(position)
            else:
                inside.append(position)
        return before, inside
