"""Rounds of a step: which blocks run a piece, and where they have to wait for one another.

To wait at a barrier of the whole grid costs a small net more than all its arithmetic. So what little there is
to do between two large pieces every block does for itself, into memory of its own: then nobody waits for anybody.
What only the end of a step needs one block does alone, a chain of pieces. The blocks of large pieces are spread
over the grid. A round ends where a block needs what another one has made; within a round the threads of a block
wait for each other alone, from level to level.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nnctl.backends.cuda.persistent.pieces import Piece, Region

Placement: TypeAlias = Literal["everywhere", "spread"] | int
"""The blocks that run a piece: each of them for itself, all together, or the one that has the chain of a number."""

_SMALL = 4
"""Blocks of a piece that one block of the grid runs one after the other in less time than a barrier takes."""


@dataclass(frozen=True)
class Rounds:
    """The pieces of a step by rounds and levels.

    own: regions of which each block has its own. meets: whether the blocks wait for each other between the last
    round of a step and the first of the next one, too.
    """

    levels: tuple[tuple[tuple[Piece, ...], ...], ...]
    placements: dict[Piece, Placement]
    own: frozenset[Region]
    meets: bool

    @property
    def widest(self) -> int:
        """Blocks of work in the level that has most of it; 1 where nothing is spread."""
        levels = [level for of_round in self.levels for level in of_round]
        return max(1, *(sum(p.blocks for p in level if self.placements[p] == "spread") for level in levels))

    @property
    def barriers(self) -> int:
        """Barriers of the grid in a step."""
        return len(self.levels) - 1 + self.meets


def rounds_of(pieces: Sequence[Piece], alone: bool = False) -> Rounds:
    """The rounds of a step. alone: on a grid of one block, which has nobody to wait for."""
    own = _own_regions(pieces, alone)
    placements = _placements(pieces, own, alone)

    def apart(a: Piece, b: Piece) -> bool:
        """True where different blocks may use memory that one of the two writes."""
        same = placements[a] == placements[b] != "spread"
        return not same and not _common(a, b) <= own

    places: dict[Piece, tuple[int, int]] = {}
    for piece, before in _orders(pieces):
        earliest = [(places[b][0] + 1, 0) if apart(b, piece) else (places[b][0], places[b][1] + 1) for b in before]
        places[piece] = max(earliest, default=(0, 0))
    by_place: dict[tuple[int, int], list[Piece]] = {}
    for piece in pieces:
        by_place.setdefault(places[piece], []).append(piece)
    rounds: list[list[tuple[Piece, ...]]] = []
    for (number, _), of_level in sorted(by_place.items(), key=lambda item: item[0]):
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(tuple(of_level))
    ends = [p for level in rounds[-1] for p in level]
    starts = [p for level in rounds[0] for p in level]
    meets = any(apart(a, b) for a in ends for b in starts)
    return Rounds(tuple(map(tuple, rounds)), placements, own, meets)


def _common(a: Piece, b: Piece) -> frozenset[Region]:
    """The regions that one of two pieces writes and the other uses."""
    return (a.writes & (b.reads | b.writes)) | (a.reads & b.writes)


def _orders(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, set[Piece]]]:
    """Each piece with those that have to come before it: what uses its memory, and the check of the guard."""
    writers: dict[Region, list[Piece]] = {}
    readers: dict[Region, list[Piece]] = {}
    check: Piece | None = None
    for piece in pieces:
        before = {p for region in piece.reads | piece.writes for p in writers.get(region, ())}
        before |= {p for region in piece.writes for p in readers.get(region, ())}
        if check is not None and piece.guarded and any(region.place != "value" for region in piece.writes):
            before.add(check)
        yield piece, before
        check = piece if piece.function is None else check
        for region in piece.writes:
            writers.setdefault(region, []).append(piece)
        for region in piece.reads:
            readers.setdefault(region, []).append(piece)


def _own_regions(pieces: Sequence[Piece], alone: bool) -> frozenset[Region]:
    """The values that small pieces make, and no others."""
    small = {p for p in pieces if (alone or p.blocks <= _SMALL) and all(r.place == "value" for r in p.writes)}
    while True:
        others = {region for p in pieces if p not in small for region in p.writes}
        outside = {p for p in small if p.writes & others}
        if not outside:
            return frozenset(region for p in small for region in p.writes)
        small -= outside


def _placements(pieces: Sequence[Piece], own: frozenset[Region], alone: bool) -> dict[Piece, Placement]:
    if alone:
        return dict.fromkeys(pieces, "everywhere")
    wanted: frozenset[Region] = frozenset()
    while True:
        placements, found, chained = _placed(pieces, own, wanted)
        if found == wanted:
            return placements | _chains(chained, own - wanted)
        # What is written once more after some have read it is known only now to be wanted by all.
        wanted = found


def _placed(
    pieces: Sequence[Piece], own: frozenset[Region], wanted: frozenset[Region]
) -> tuple[dict[Piece, Placement], frozenset[Region], list[Piece]]:
    """The placements that hang on what all blocks want, each its own; what they want by these; the rest."""
    placements: dict[Piece, Placement] = {}
    chained: list[Piece] = []
    for piece in reversed(pieces):
        if piece.function is None or piece.writes & wanted:
            placements[piece] = "everywhere"
        elif piece.writes <= own or (piece.blocks <= _SMALL and not any(r.place == "value" for r in piece.writes)):
            chained.append(piece)
            continue
        else:
            placements[piece] = "spread"
        wanted |= (piece.reads | piece.writes) & own
    return placements, wanted, chained


def _chains(pieces: Sequence[Piece], own: frozenset[Region]) -> dict[Piece, Placement]:
    """The numbers of chains: pieces are of one where one writes what the other uses and only they have."""
    chains: list[tuple[set[Piece], set[Region]]] = []
    for piece in pieces:
        regions = {r for r in piece.reads | piece.writes if r in own} | {r for r in piece.writes if r.place != "value"}
        joined = [chain for chain in chains if chain[1] & regions]
        chains = [chain for chain in chains if chain not in joined]
        chains.append(({piece}.union(*(c[0] for c in joined)), regions.union(*(c[1] for c in joined))))
    return {piece: number for number, (of_chain, _) in enumerate(chains) for piece in of_chain}
