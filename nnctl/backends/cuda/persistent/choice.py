"""The choice of a persistent kernel: the plans that it is for, and the blocks of its grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from nnctl.backends.cuda.calls import Call, apart
from nnctl.backends.cuda.persistent.rounds import Rounds, rounds_of
from nnctl.backends.cuda.persistent.tasks import Pointer, Task, tasks_of
from nnctl.backends.cuda.persistent.text import HEAD, TABLE
from nnctl.late import dataclass
from nnctl.plan.plan import Plan

_MOST_FLOPS = 200e6
"""Of a step. One of so many takes a device some 20 µs, as much as launching its tasks does."""
_MOST_CALLS = 80
"""Of a step. All of them are compiled into one kernel, which is to stay in the memory for instructions."""
_BLOCK = 600
"""Cycles that a block of a small task takes: from the request of what it reads to its result."""
_BARRIER = 1500
"""Cycles from what one block has made to another one that reads it, across a barrier of the grid."""
_CLUSTER_BARRIER = 600
"""The same within a cluster."""
_HOPELESS = 2
"""Times the cycles of the best estimate from which on another is not worth a try."""


def obstacle(plan: Plan, calls: Sequence[Sequence[Call] | None]) -> str | None:
    """The reason why no persistent kernel can run a plan; None where one can.

    calls: of each launch, as `calls_of` gives them.
    """
    if not complete(calls):
        names = [launch.op.name for launch, of_launch in zip(plan.launches, calls, strict=True) if of_launch is None]
        return f"no kernel makes {', '.join(sorted(set(names)))}"
    if (count := sum(len(apart(of_launch)) for of_launch in calls)) > _MOST_CALLS:
        return f"a step has {count} calls, and one kernel takes {_MOST_CALLS} at most"
    if (count := _entries(tasks_of(plan, calls))) > TABLE:
        return f"a step takes {count} addresses and numbers, and a table of arguments has {TABLE} at most"
    return None


def _entries(tasks: Sequence[Task]) -> int:
    """Entries of a row of the table of arguments, or a few more."""
    operands = [operand for task in tasks for operand in task.operands]
    regions = {o.region for o in operands if isinstance(o, Pointer) and o.region.place != "value"}
    return HEAD + len(regions) + sum(isinstance(o, float) for o in operands)


def suits(plan: Plan) -> bool:
    """True for a plan that is small enough to be worth a trial. What is only evaluated comes in large batches."""
    return plan.guard is not None and plan.flops <= _MOST_FLOPS


def complete(calls: Sequence[Sequence[Call] | None]) -> TypeGuard[Sequence[Sequence[Call]]]:
    """True where every launch has calls."""
    return None not in calls


@dataclass(frozen=True)
class Grid:
    """The grid of a persistent kernel. cluster: whether its blocks are launched as one cluster."""

    blocks: int
    cluster: bool = False


def grids_for(tasks: Sequence[Task], multiprocessors: int, largest_cluster: int = 0, sharers: int = 1) -> list[Grid]:
    """The grids worth trying, the one that an estimate of a step's cycles finds fastest first.

    They are one block, which need not wait for any other; a cluster; and as many blocks as there is work for at
    most, with one for each chain, since more would only make barriers slower. sharers: trials that want as many
    blocks each at the same time; a grid is then tried with as few blocks, too, as find a multiprocessor each.
    """
    spread, alone = rounds_of(tasks), rounds_of(tasks, alone=True)
    cycles = {Grid(1): _cycles(alone, 1, 0)}
    for most, barrier, cluster in ((multiprocessors, _BARRIER, False), (largest_cluster, _CLUSTER_BARRIER, True)):
        wanted = spread.widest + (spread.chains if spread.widest > 1 else 0)
        for blocks in (min(most, wanted), min(most, wanted, multiprocessors // sharers)):
            if blocks > 1:
                cycles[Grid(blocks, cluster)] = _cycles(spread, blocks, barrier)
    taken = {grid: found * max(1.0, sharers * grid.blocks / multiprocessors) for grid, found in cycles.items()}
    least = min(taken.values())
    return [grid for grid in sorted(taken, key=lambda g: taken[g]) if taken[grid] <= _HOPELESS * least]


def _cycles(rounds: Rounds, blocks: int, barrier: int) -> int:
    """A step's cycles: of each level the blocks that one block of the grid runs in turn, and the barriers."""
    turns = sum(-(-task.blocks // blocks) for task in rounds.ahead)
    for level in (level for of_round in rounds.levels for level in of_round):
        chains: dict[int, int] = {}
        spread = 0
        for task in level:
            placement = rounds.placements[task]
            if placement == "spread":
                spread += task.blocks
            elif placement == "everywhere":
                turns += task.blocks
            else:
                chains[placement] = chains.get(placement, 0) + task.blocks
        turns += max(chains.values(), default=0) + -(-spread // blocks)
    return turns * _BLOCK + rounds.barriers * barrier
