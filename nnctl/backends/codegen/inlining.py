"""Inlining: ops whose elements cost less to find again than to store, and how a formula reads through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from nnctl.backends.codegen.dialect import Dialect
from nnctl.graph.ir import Graph, Node
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.plan import Launch, Slot

INLINED = ("gather", "cast", "one_hot", "broadcast_to")


def inlined_nodes(graph: Graph) -> set[Node]:
    """Gathers, casts, one-hot rows and broadcasts that only formulas read."""
    results = set(graph.results)
    readers = graph.readers
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        if node.op.name not in INLINED:
            continue
        value = node.outputs[0]
        reading = readers.get(value, [])
        formulas = all(isinstance(r.op, ElementwiseOp) or r in found for r in reading)
        if formulas and reading and value not in results:
            found.add(node)
    return found


@dataclass(frozen=True)
class Operand:
    """An input of a formula, or what an inlined input reads in turn.

    axes: for each axis of the slot the axis of the formula's result, None where it has length 1.
    """

    slot: Slot
    axes: tuple[int | None, ...]


def has_length(slot: Slot, axis: int) -> bool:
    """True for an axis that is more than a place for broadcasting: the batch's is, even for a batch of one."""
    return slot.shape[axis] != 1 or (axis == 0 and slot.batched)


def aligned(slot: Slot, rank: int) -> Operand:
    """An input aligned with the result's axes from the right, as broadcasting does."""
    shift = rank - len(slot.shape)
    return Operand(slot, tuple(i + shift if has_length(slot, i) else None for i in range(len(slot.shape))))


class Elements(Protocol):
    """The elements of memory in a target language."""

    def element(self, operand: Operand) -> str:
        """The element of an operand in memory at the loops' present turn."""

    def gathered(self, table: Operand, row: str) -> str:
        """The element of a table in the row of that index."""

    def position(self, axis: int | None) -> str:
        """The index along an axis of the result; of None, which has length 1, the first."""


class Inlining:
    """The inlined launches of a plan, by the keys of their slots."""

    def __init__(self, launches: Mapping[str, Launch]) -> None:
        self._launches = launches

    def launch(self, slot: Slot) -> Launch:
        """The launch behind an inline slot."""
        return self._launches[slot.key]

    def slots(self, launch: Launch) -> Iterator[Slot]:
        """The slots of a launch, and of those inlined in it."""
        yield from launch.outputs
        for slot in launch.inputs:
            yield slot
            if slot.place == "inline":
                yield from self.slots(self.launch(slot))

    def sources(self, operand: Operand) -> tuple[Launch, list[Operand]] | None:
        """The launch of an inlined operand and what it reads, aligned; None for an operand in memory."""
        if operand.slot.place != "inline":
            return None
        launch = self.launch(operand.slot)
        source = launch.inputs[0]
        match launch.op.name:
            case "gather":
                index = launch.inputs[1]
                return launch, [Operand(source, operand.axes), Operand(index, operand.axes[:1])]
            case "one_hot":
                return launch, [Operand(source, operand.axes[:-1])]
            case "cast":
                return launch, [Operand(source, operand.axes)]
            case "broadcast_to":
                shift = len(operand.axes) - len(source.shape)
                axes = (operand.axes[i + shift] if has_length(source, i) else None for i in range(len(source.shape)))
                return launch, [Operand(source, tuple(axes))]
        raise ValueError(f"{launch.op.name} cannot be inlined")

    def leaves(self, operand: Operand) -> Iterator[tuple[Operand, tuple[int | None, ...]]]:
        """The operands in memory behind an operand, each with the axes that must have a loop of their own."""
        inner = self.sources(operand)
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
            for leaf, also in self.leaves(source):
                yield leaf, (*alone, *also)

    def table(self, operand: Operand) -> Operand | None:
        """The data set that an operand gathers from."""
        inner = self.sources(operand)
        if inner is None:
            return None
        launch, sources = inner
        return sources[0] if launch.op.name == "gather" else self.table(sources[0])

    def text(self, operand: Operand, dialect: Dialect, elements: Elements) -> str:
        """The expression of an operand's element."""
        inner = self.sources(operand)
        if inner is None:
            return elements.element(operand)
        launch, sources = inner
        match launch.op.name:
            case "gather":
                table, index = sources
                return elements.gathered(table, elements.element(index))
            case "one_hot":
                position = elements.position(operand.axes[-1])
                return dialect.one_hot.format(self.text(sources[0], dialect, elements), position)
            case "cast":
                return dialect.from_integer.format(self.text(sources[0], dialect, elements))
            case _:
                return self.text(sources[0], dialect, elements)
