"""Tasks of a step: all that a persistent kernel does in it, with the memory that each task reads and writes.

The arena is laid out for phases: values that are not needed at the same time share memory. A persistent kernel
waits at other places than between phases, so that here each value has a region of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from nnctl.backends.cuda.calls import Argument, Call, Scratch, Table, apart, blocks_for, elements
from nnctl.backends.cuda.codegen.functions import DeviceFunction, function
from nnctl.late import dataclass
from nnctl.ops.shapes import DType
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Plan, Slot

RegionPlace: TypeAlias = Literal["storage", "feed", "constant", "table", "value", "kept"]
"""value: made and read within a step, as scratch is; kept: an output, with an entry for each step of a chunk."""


@dataclass(frozen=True)
class Region:
    """Memory that is read or written as a whole. key: within its place. bytes: of it, or of one step's entry."""

    place: RegionPlace
    key: str | Table
    bytes: int


@dataclass(frozen=True)
class Pointer:
    """The beginning of a region, as a function is given it."""

    region: Region
    dtype: DType
    written: bool = False


Operand: TypeAlias = Pointer | int | float


@dataclass(frozen=True, eq=False)
class Task:
    """A grid of blocks of one device function. function: None for the check of the guard, which is its operand.

    guarded: whether it may change storage only where the guard is finite.
    """

    function: DeviceFunction | None
    blocks: int
    shared: int
    operands: tuple[Operand, ...]
    guarded: bool = False

    @property
    def writes(self) -> frozenset[Region]:
        """The regions that it changes; it may read them, too."""
        return frozenset(o.region for o in self.operands if isinstance(o, Pointer) and o.written)

    @property
    def reads(self) -> frozenset[Region]:
        """The regions that it reads and leaves as they are."""
        return frozenset(o.region for o in self.operands if isinstance(o, Pointer)) - self.writes


def tasks_of(plan: Plan, calls: Sequence[Sequence[Call]]) -> list[Task]:
    """The tasks of a step in an order in which they may run: calls, the guard's check, outputs, copies.

    calls: of each launch, as `calls_of` gives them.
    """
    regions = _Regions()
    found: list[Task] = []
    for number, (launch, of_launch) in enumerate(zip(plan.launches, calls, strict=True)):
        if number == plan.guarded:
            found += _check(plan, regions)
        regions.begin(number, launch.outputs)
        for call in apart(of_launch):
            if call.blocks:
                operands = tuple(
                    regions.operand(number, argument, parameter.written)
                    for argument, parameter in zip(call.arguments, call.function.parameters, strict=True)
                )
                found.append(Task(call.function, call.blocks, call.shared, operands, number >= plan.guarded))
    if plan.guarded == len(plan.launches):
        found += _check(plan, regions)
    for name, slot in plan.outputs.items():
        kept = Region("kept", name, _bytes(slot))
        found.append(_copy(regions.of(slot), kept, slot))
    for new, old in plan.copies:
        found.append(_copy(regions.of(new), regions.of(old), new))
    return [task for task in found if task.blocks]


def _check(plan: Plan, regions: _Regions) -> list[Task]:
    return [] if plan.guard is None else [Task(None, 1, 0, (Pointer(regions.of(plan.guard), plan.guard.dtype),))]


def _copy(source: Region, target: Region, like: Slot) -> Task:
    operands = (Pointer(source, like.dtype), Pointer(target, like.dtype, written=True), elements(like))
    return Task(function("steps.cu", f"copy_{like.dtype}"), blocks_for(elements(like)), 0, operands, guarded=True)


def _bytes(slot: Slot) -> int:
    return elements(slot) * element(slot.dtype).bytes


class _Regions:
    """The regions of slots, as launch after launch writes values into the arena."""

    def __init__(self) -> None:
        self._values: dict[int, Region] = {}
        """By offset in the arena, the value that lies there now."""

    def begin(self, number: int, outputs: Sequence[Slot]) -> None:
        """See to new values for what launch `number` writes; none of it lies where one of its inputs does."""
        for slot in outputs:
            # What has no elements may lie where something else does.
            if slot.place == "arena" and elements(slot):
                self._values[slot.offset] = Region("value", f"{number}:{slot.offset}", _bytes(slot))

    def of(self, slot: Slot) -> Region:
        """The region of a slot."""
        match slot.place:
            case "storage" | "feed" | "constant":
                return Region(slot.place, slot.key, _bytes(slot))
            case "arena":
                return self._values[slot.offset] if elements(slot) else Region("value", "", 0)
            case "inline":
                raise ValueError(f"{slot.name} is inlined and has no memory")

    def operand(self, number: int, argument: Argument, written: bool) -> Operand:
        """An argument of a call of launch `number`."""
        match argument:
            case Slot():
                return Pointer(self.of(argument), argument.dtype, written)
            case Scratch():
                size = max(1, argument.elements) * element(argument.dtype).bytes
                return Pointer(Region("value", f"{number}:{argument.key!r}", size), argument.dtype, written)
            case Table():
                return Pointer(Region("table", argument, 4 * len(argument.numbers)), argument.dtype)
            case int() | float():
                return argument
