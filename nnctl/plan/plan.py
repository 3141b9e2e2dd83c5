"""The plan: a flat list of launches over storage, feeds and one arena. Shapes and offsets are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, NamedTuple, TypeAlias

from nnctl.graph.ir import Form
from nnctl.late import dataclass
from nnctl.ops.shapes import BATCH, DType
from nnctl.ops.table import Op
from nnctl.plan.dtypes import Precision

Place: TypeAlias = Literal["storage", "feed", "constant", "arena", "inline"]
"""storage: kept by the backend under a name across steps and plans; feed: one entry a
step; constant: computed once when the plan is loaded; arena: scratch of one step;
inline: computed where it is read."""


class Slot(NamedTuple):
    """The memory of a value.

    key: the name in storage or among the feeds, a number among constants and inline values,
        "" in the arena. offset: in bytes, in the arena.
    batched: whether the first axis counts examples of the batch (or multiples of them).
    Two slots of equal place, key and offset share their memory.
    """

    name: str
    place: Place
    shape: tuple[int, ...]
    dtype: DType
    key: str = ""
    offset: int = 0
    batched: bool = False


@dataclass(frozen=True)
class Launch:
    """One op on slots, all symbols in its attributes resolved.

    flops and bytes: of one execution. phase: see `Scheduled`. form: that of its node, which launches of a plan share
    that differ in the memory of their slots, and in their layers, alone; None where it is not known.
    """

    op: Op
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    layer: str = ""
    flops: int = 0
    bytes: int = 0
    phase: int = 0
    form: Form | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Plan:
    """A step as a backend runs it.

    setup: launches that fill the constants, once. launches: each step, in order.
    inlined: by the key of an inline slot, the launch that says how to compute it.
    guarded: index of the first launch that runs only if `guard` is finite; len(launches) without guard.
    copies: (from, to) after the last launch and after the outputs are read, for updates
        that could not be made in place.
    """

    name: str
    precision: Precision
    sizes: Mapping[str, int]
    setup: tuple[Launch, ...]
    launches: tuple[Launch, ...]
    inlined: Mapping[str, Launch]
    outputs: Mapping[str, Slot]
    guard: Slot | None
    guarded: int
    copies: tuple[tuple[Slot, Slot], ...]
    arena_bytes: int

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Every slot of the plan, in order of first use."""
        used = [s for launch in (*self.setup, *self.launches) for s in (*launch.inputs, *launch.outputs)]
        copied = [s for pair in self.copies for s in pair]
        return tuple(dict.fromkeys([*used, *self.outputs.values(), *copied]))

    @property
    def batch(self) -> int:
        """Examples of one step; 1 where the plan has no axis of examples."""
        return self.sizes.get(BATCH.name, 1)

    @property
    def flops(self) -> int:
        """Arithmetic operations of one step."""
        return sum(launch.flops for launch in self.launches)
