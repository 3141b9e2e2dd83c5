"""Layered layouts of graphs: ranks from top to bottom, few crossings, what is joined above one another."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median

from nnctl.late import dataclass

_SWEEPS = 8
"""Ways down and up again that order and place the ranks; after a few of them little changes."""
_GAP, _RANK_GAP = 14.0, 34.0
"""Between boxes beside one another, and between ranks."""
_BEND = 8.0
"""Width that an edge takes in a rank that it passes."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Places: of each box its left upper corner, of each edge the points that it goes through, and the whole size."""

    boxes: tuple[Point, ...]
    edges: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def layered(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Layout:
    """The layout of boxes (width, height) and of edges from one to another of a larger number.

    After Sugiyama, Tagawa and Toda (1981): the rank of a box is the longest way to it, edges over several ranks get a
    bend in each, ranks are ordered by medians of their neighbours, and boxes stand as near to the mean of their
    neighbours as the order allows.
    """
    if not sizes:
        return Layout((), (), 0.0, 0.0)
    nodes = _Ranked(sizes, edges)
    nodes.order()
    places = nodes.place()
    heights = [max(nodes.heights[n] for n in rank) for rank in nodes.ranks]
    tops = list(accumulate((height + _RANK_GAP for height in heights), initial=0.0))
    first = min(places[n] - nodes.widths[n] / 2 for rank in nodes.ranks for n in rank)
    x = {n: places[n] - first for rank in nodes.ranks for n in rank}

    def corner(n: int) -> Point:
        return x[n] - nodes.widths[n] / 2, tops[nodes.rank[n]]

    def way(chain: Sequence[int]) -> tuple[Point, ...]:
        start, *bends, end = chain
        points = [(x[start], tops[nodes.rank[start]] + nodes.heights[start])]
        for bend in bends:
            # Straight through the rank, which may hold higher boxes.
            top = tops[nodes.rank[bend]]
            points += [(x[bend], top), (x[bend], top + heights[nodes.rank[bend]])]
        return (*points, (x[end], tops[nodes.rank[end]]))

    width = max(x[n] + nodes.widths[n] / 2 for rank in nodes.ranks for n in rank)
    height = tops[-1] - _RANK_GAP
    return Layout(tuple(map(corner, range(len(sizes)))), tuple(map(way, nodes.chains)), width, height)


class _Ranked:
    """Boxes and the bends of edges, in ranks. Numbers from that of the boxes on are bends."""

    def __init__(self, sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> None:
        self.widths = [width for width, _ in sizes]
        self.heights = [height for _, height in sizes]
        self.rank = _ranks(len(sizes), edges)
        self.chains: list[list[int]] = []
        for start, end in edges:
            chain = [start]
            for rank in range(self.rank[start] + 1, self.rank[end]):
                chain.append(len(self.widths))
                self.widths.append(_BEND)
                self.heights.append(0.0)
                self.rank.append(rank)
            self.chains.append([*chain, end])
        self.above: list[list[int]] = [[] for _ in self.widths]
        self.below: list[list[int]] = [[] for _ in self.widths]
        for chain in self.chains:
            for one, other in pairwise(chain):
                self.below[one].append(other)
                self.above[other].append(one)
        self.ranks: list[list[int]] = [[] for _ in range(max(self.rank) + 1)]
        for n, rank in enumerate(self.rank):
            self.ranks[rank].append(n)

    def order(self) -> None:
        """Order each rank by the medians of its neighbours' places, downward and upward in turn; keep the best."""
        place = {n: i for rank in self.ranks for i, n in enumerate(rank)}
        best, fewest = [list(rank) for rank in self.ranks], self._crossings()
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            for rank in self.ranks if down else self.ranks[::-1]:
                neighbours = self.above if down else self.below
                middle = {n: median([place[m] for m in neighbours[n] or [n]]) for n in rank}
                rank.sort(key=middle.__getitem__)
                place |= {n: i for i, n in enumerate(rank)}
            if (crossings := self._crossings()) < fewest:
                place = {n: i for rank in self.ranks for i, n in enumerate(rank)}
        best, fewest = [list(rank) for rank in self.ranks], crossings
        self.ranks = best

    def place(self) -> list[float]:
        """The middle of each box along its rank."""
        places = [0.0] * len(self.widths)
        for rank in self.ranks:
            for n, at in zip(rank, self._apart(rank, [0.0] * len(rank))):
                places[n] = at
        for sweep in range(2 * _SWEEPS):
            down = sweep % 2 == 0
            for rank in self.ranks if down else self.ranks[::-1]:
                wanted = []
                for n in rank:
                    near = (self.above if down else self.below)[n] or [n]
                    wanted.append(sum(places[m] for m in near) / len(near))
                for n, at in zip(rank, self._apart(rank, wanted)):
                    places[n] = at
        return places

    def _apart(self, rank: list[int], wanted: list[float]) -> list[float]:
        """Places in order, as near to the wanted as gaps allow: isotonic regression by pooling neighbours."""
        steps = [0.0]
        for one, other in pairwise(rank):
            steps.append(steps[-1] + (self.widths[one] + self.widths[other]) / 2 + _GAP)
        pools: list[tuple[float, int]] = []
        for want, step in zip(wanted, steps):
            mean, count = want - step, 1
            while pools and pools[-1][0] >= mean:
                before, number = pools.pop()
                mean, count = (before * number + mean * count) / (number + count), number + count
            pools.append((mean, count))
        free = [mean for mean, count in pools for _ in range(count)]
        return [at + step for at, step in zip(free, steps)]

    def _crossings(self) -> int:
        """The number of pairs of edges between neighbouring ranks that cross."""
        total = 0
        for rank, following in pairwise(self.ranks):
            place = {n: i for i, n in enumerate(following)}
            seen: list[int] = []
            for n in rank:
                ends = sorted(place[m] for m in self.below[n])
                total += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return total


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The longest way to each box; what nothing leads to stands right above the first that it leads to."""
    ranks, entered = [0] * count, [False] * count
    for start, end in sorted(edges, key=lambda edge: edge[1]):
        if not start < end:
            raise ValueError(f"the edge from {start} to {end} does not lead to a larger number")
        entered[end] = True
        ranks[end] = max(ranks[end], ranks[start] + 1)
    for n in range(count):
        if not entered[n] and (ends := [end for start, end in edges if start == n]):
            ranks[n] = min(ranks[end] for end in ends) - 1
    return ranks
