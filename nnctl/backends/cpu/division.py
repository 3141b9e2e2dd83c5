"""The division of a launch among the threads of a step: known to this backend alone, plans know phases only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from nnctl.plan.plan import Launch

Division: TypeAlias = Literal["one", "rows", "blocks", "columns", "strips", "private"]
"""The ways in which threads share a launch.

one: the first thread makes all of it. rows: each thread its examples of the batch. blocks: each
thread its partition of the first axis. columns: each thread its partition of the last. strips: each
thread some rows of the result seen as a matrix, of all axes but the last and the last. private:
each thread all of it, for itself.
"""


@dataclass(frozen=True)
class DividedLaunch(Launch):
    """A launch of this backend's plans."""

    division: Division = "one"


def division_of(launch: Launch) -> Division:
    """The division of a launch. Raises TypeError for one of another backend's plan."""
    if not isinstance(launch, DividedLaunch):
        raise TypeError(f"{launch.op.name} is of a plan that the cpu backend has not made")
    return launch.division
