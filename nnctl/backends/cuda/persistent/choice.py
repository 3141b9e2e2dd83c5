"""The choice of a persistent kernel: the plans that it is for, and the blocks of its grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeGuard

from nnctl.backends.cuda.calls import Call
from nnctl.backends.cuda.persistent.rounds import Rounds, rounds_of
from nnctl.backends.cuda.persistent.tasks import Task
from nnctl.plan.plan import Plan

_MOST_FLOPS = 200e6
"""Of a step. One of so many takes a device some 20 µs, as much as launching its tasks does."""
_MOST_CALLS = 80
"""Of a step. All of them are compiled into one kernel, which is to stay in the memory for instructions."""
_BLOCK = 600
"""Cycles that a block of a small task takes: from the request of what it reads to its result."""
_BARRIER = 1500
"""Cycles from what one block has made to another one that reads it, across a barrier of the grid."""


def obstacle(plan: Plan, calls: Sequence[Sequence[Call] | None]) -> str | None:
    """The reason why a persistent kernel is not for a plan; None where it is.

    calls: of each launch, as `calls_of` gives them.
    """
    if not complete(calls):
        names = [launch.op.name for launch, of_launch in zip(plan.launches, calls, strict=True) if of_launch is None]
        return f"no kernel makes {', '.join(sorted(set(names)))}"
    if plan.guard is None:
        return "it is no training step: what is only evaluated comes in large batches"
    if plan.flops > _MOST_FLOPS:
        return f"a step has {plan.flops / 1e6:.0f} MFLOP, which are worth launches of their own"
    if (count := sum(map(len, calls))) > _MOST_CALLS:
        return f"a step has {count} calls, too many for one kernel"
    return None


def complete(calls: Sequence[Sequence[Call] | None]) -> TypeGuard[Sequence[Sequence[Call]]]:
    """True where every launch has calls."""
    return None not in calls


def blocks_for_grid(tasks: Sequence[Task], most: int) -> int:
    """The blocks of the grid that an estimate finds the fastest; at most `most`.

    More blocks than the widest level has work for would only make barriers slower; alone, a block needs none.
    """
    spread, alone = rounds_of(tasks), rounds_of(tasks, alone=True)
    return min(_grids(min(most, spread.widest)), key=lambda n: _cycles(alone if n == 1 else spread, n))


def _grids(most: int) -> Iterator[int]:
    yield 1
    blocks = 2
    while blocks < most:
        yield blocks
        blocks *= 2
    yield most


def _cycles(rounds: Rounds, blocks: int) -> float:
    """A step's cycles: of each level the blocks that one block of the grid runs in turn, and the barriers."""
    turns = 0
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
    return turns * _BLOCK + (rounds.barriers * _BARRIER if blocks > 1 else 0)
