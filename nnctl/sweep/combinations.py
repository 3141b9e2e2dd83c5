"""Combinations of settings, listed before anything trains where no result decides what is tried.

Combination k is the same whatever ran before it, on however many processes, and
however many there are in all: more of them are only added at the end.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from nnctl.components.base import Distribution
from nnctl.components.kinds.running import PointSampler
from nnctl.components.samplers import Grid, Random
from nnctl.errors import UsageError
from nnctl.spec.document import Sweep
from nnctl.sweep.space import Point, Space
from nnctl.sweep.trial import Trial

MOST = 100_000
"""Trials of a sweep at most."""
_REPEATS = 100
"""Draws in a row that were there before, after which the rest is listed."""


def listed(space: Space, sweep: Sweep, seed: int) -> list[Point]:
    """Every combination: every point of the space with every combination of the grid, the grid's last path fastest.

    Every combination of the grid meets the same points. Raises UsageError where there are more than `MOST` trials.
    """
    grid = math.prod(map(len, sweep.grid.values()))
    if sweep.space and isinstance(sweep.sampler, Grid):
        every = (point for given in _grid(sweep) for point in space.points(given))
        points = list(itertools.islice(every, min(sweep.trials or MOST, MOST) + 1))[: sweep.trials]
        _refuse_too_many(len(points) * runs_of_each(sweep))
        return points
    draws = (sweep.trials or 1) if sweep.space else 1
    most = None if sweep.grid and space.conditional else space.most_points(min(draws, MOST + 1))
    _refuse_too_many((draws if most is None else most) * grid * runs_of_each(sweep))
    if most is None:
        return [point for index in range(draws) for point in drawn(space, sweep, seed, index)]
    return [point for points in islice(_different(space, sweep, seed), most) for point in points]


def _different(space: Space, sweep: Sweep, seed: int) -> Iterator[Sequence[Point]]:
    """The draws of `drawn` without those that were there before, of a space that has finitely many.

    Where so many in a row bring none that is new, the rest as they are listed.
    """
    every: Iterator[Sequence[Point]] = zip(*(space.points(given) for given in _grid(sweep)), strict=True)
    seen: set[tuple[str, ...]] = set()
    repeats = 0
    for index in itertools.count():
        points = drawn(space, sweep, seed, index) if repeats < _REPEATS else next(every)
        key = tuple(point.key for point in points)
        if key in seen:
            repeats += 1
            continue
        seen.add(key)
        repeats = 0 if repeats < _REPEATS else repeats
        yield points


def drawn(space: Space, sweep: Sweep, seed: int, index: int) -> list[Point]:
    """The index-th point of a sampler that learns nothing, or of random draws, with every combination of the grid."""
    paths = tuple(sweep.space)
    sampler = sweep.sampler if isinstance(sweep.sampler, PointSampler) else Random()
    shares = dict(zip(paths, sampler.point(seed, index, paths), strict=True)) if paths else {}

    def choose(path: str, distribution: Distribution) -> object:
        return distribution.quantile(shares[path])

    return [space.point(choose, given) for given in _grid(sweep)]


def runs(sweep: Sweep, seed: int, combination: int, point: Point, variables: frozenset[str]) -> Sequence[Trial]:
    """The trials of a combination: every seed with every fold, the folds of a seed together."""
    first = combination * runs_of_each(sweep)
    made: list[Trial] = []
    for replicate in range(sweep.seeds):
        run_seed = None if "seed" in point.settings else seed + replicate
        for part in [None] if sweep.folds is None else range(sweep.folds):
            fold = None if part is None or sweep.folds is None else (part, sweep.folds)
            number = first + len(made)
            made.append(Trial(number, combination, point.settings, run_seed, fold, point.left_out, variables))
    return made


def combinations_asked(sweep: Sweep) -> int:
    """The number of combinations that a sweep says; 0 where its space does."""
    if sweep.trials is None:
        return 0
    return sweep.trials * (1 if isinstance(sweep.sampler, Grid) else math.prod(map(len, sweep.grid.values())))


def runs_of_each(sweep: Sweep) -> int:
    """The number of runs of a combination."""
    return sweep.seeds * (sweep.folds or 1)


def _grid(sweep: Sweep) -> Iterator[Mapping[str, object]]:
    for values in itertools.product(*sweep.grid.values()):
        yield dict(zip(sweep.grid, values))


def _refuse_too_many(count: int) -> None:
    if count > MOST:
        raise UsageError(
            f"sweep: {count:,} trials; a sweep has {MOST:,} at most\n"
            "  leave values out, or draw from the combinations: --trials N with --space"
        )
