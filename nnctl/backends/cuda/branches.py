"""Branches: how the launches of a phase, of which none waits for another, lie beside each other in a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from nnctl.backends.cuda.calls import Call
from nnctl.backends.cuda.device import BRANCHES
from nnctl.backends.cuda.product_library import LibraryCall, Piece
from nnctl.plan.plan import Plan

_PLACES = 4096
"""Bytes of shared memory a block that count as much as another block when launches are compared."""


def phases_of(plan: Plan) -> list[list[int]]:
    """The numbers of the launches of each phase, in order. What comes after the guard's check is a phase of its own."""
    numbers = range(len(plan.launches))
    found = groupby(numbers, lambda i: (plan.launches[i].phase, i >= plan.guarded))
    return [list(phase) for _, phase in found]


def branches_of(pieces: Mapping[int, Sequence[Piece]]) -> list[list[int]]:
    """The launches of a phase, given by their pieces, in branches: each in its order, and all of them at once.

    The first branch is the stream that the others leave and come back to. What may not run beside its like stays in
    it: products of a library share a workspace, and grids whose blocks wait for one another the room that they need.
    Without these it has the largest launch, beside which the others find room.
    """
    if not pieces:
        return []
    first = [i for i, of_launch in pieces.items() if any(map(_alone, of_launch))]
    first = first or [max(pieces, key=lambda i: sum(map(_size, pieces[i])))]
    others = [i for i in pieces if i not in first]
    return [first, *(others[i :: BRANCHES - 1] for i in range(min(BRANCHES - 1, len(others))))]


def _alone(piece: Piece) -> bool:
    return isinstance(piece, LibraryCall) or piece.cooperative


def _size(piece: Piece) -> float:
    """The room that a grid takes, in blocks without shared memory."""
    assert isinstance(piece, Call)
    return piece.blocks * (1 + piece.shared / _PLACES)
