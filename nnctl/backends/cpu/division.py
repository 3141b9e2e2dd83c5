"""The division of a launch among the threads of a step: known to this backend alone, plans know phases only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from nnctl.late import dataclass
from nnctl.plan.plan import Launch, Slot
from nnctl.plan.strategy import Scheduled

Division: TypeAlias = Literal["one", "rows", "blocks", "halves", "strips", "private"]
"""The ways in which threads share a launch.

one: the first thread makes all of it. rows: each thread its examples of the batch. blocks: each
thread its partition of the first axis. halves: each
thread what belongs to its half of the terms of sums with weights or for them, two threads at most. strips: each
thread some rows of the result seen as a matrix, of all axes but the last and the last. private:
each thread all of it, for itself.
"""


_LINE = 16
"""Numbers of a cache line, which two threads had better not share."""


def half_of(terms: int) -> int:
    """Terms in the first half of a sum: whole cache lines, and as many as the second has, or up to two lines more."""
    return -(-terms // (2 * _LINE)) * _LINE


@dataclass(frozen=True)
class DividedLaunch(Launch):
    """A launch of this backend's plans."""

    division: Division = "one"


@dataclass(frozen=True)
class DividedNode(Scheduled):
    """A node in its place, and how threads share its launch."""

    division: Division = "one"

    def launch(
        self, inputs: tuple[Slot, ...], outputs: tuple[Slot, ...], attributes: Mapping[str, Any], flops: int, moved: int
    ) -> DividedLaunch:
        """See `Scheduled`."""
        node, phase = self.node, self.phase
        fields = node.op, inputs, outputs, attributes, node.layer, flops, moved, phase, node.form, self.division
        return DividedLaunch(*fields)


def division_of(launch: Launch) -> Division:
    """The division of a launch. Raises TypeError for one of another backend's plan."""
    if not isinstance(launch, DividedLaunch):
        raise TypeError(f"{launch.op.name} is of a plan that the cpu backend has not made")
    return launch.division
