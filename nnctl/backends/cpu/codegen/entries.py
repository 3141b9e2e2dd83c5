"""The entries of a step, which threads go through in order: calls, and barriers between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias

from nnctl.backends.cpu.codegen.kinds import Kind
from nnctl.backends.cpu.codegen.parameters import ArrayParameter, Parameter
from nnctl.late import dataclass
from nnctl.plan.plan import Slot


@dataclass(frozen=True, eq=False)
class Pattern:
    """The common part of calls that differ in where their slots lie: equal layers have one for each launch.

    passed, slots: of the first such call.
    """

    kind: Kind
    passed: tuple[Parameter, ...]
    slots: tuple[Slot, ...]

    @cached_property
    def places(self) -> tuple[int | None, ...]:
        """For each parameter the number of its slot among a call's; None for one that is no array."""
        number: dict[Slot, int] = {}
        for place, slot in enumerate(self.slots):
            number.setdefault(slot, place)
        return tuple(number[p.slot] if isinstance(p, ArrayParameter) else None for p in self.passed)

    @cached_property
    def arrays(self) -> tuple[tuple[ArrayParameter, int], ...]:
        """The arrays among the parameters, each with the number of its slot among a call's."""
        both = zip(self.passed, self.places, strict=True)
        return tuple((p, place) for p, place in both if place is not None and isinstance(p, ArrayParameter))


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a launch's function.

    slots: in the order of the pattern's. alone: whether the first thread makes it, and no other. launch: its number
    in the plan, None for what belongs to none.
    """

    pattern: Pattern
    slots: tuple[Slot, ...]
    alone: bool
    launch: int | None

    @property
    def kind(self) -> Kind:
        """The function that is called."""
        return self.pattern.kind

    @cached_property
    def passed(self) -> tuple[Parameter, ...]:
        """Its arguments."""
        return tuple(
            replace(p, slot=self.slots[place]) if place is not None and isinstance(p, ArrayParameter) else p
            for p, place in zip(self.pattern.passed, self.pattern.places, strict=True)
        )

    def arrays(self) -> Iterator[tuple[ArrayParameter, Slot]]:
        """The arrays among its arguments: what the pattern says of each, and its slot."""
        return ((parameter, self.slots[place]) for parameter, place in self.pattern.arrays)


@dataclass(frozen=True)
class Barrier:
    """A point at which threads wait for one another."""


Entry: TypeAlias = Call | Barrier
