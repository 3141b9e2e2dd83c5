"""Combinations of settings, listed before anything trains where no result decides what is tried.

Combination k is the same whatever ran before it, on however many processes, and
however many there are in all: more of them are only added at the end.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from nnctl.components.base import Distribution
from nnctl.components.kinds.running import PointSampler
from nnctl.components.samplers import Grid, Random
from nnctl.errors import UsageError
from nnctl.spec.document import Sweep
from nnctl.sweep.space import Point, Space
from nnctl.sweep.trial import Trial

MOST = 100_000
"""Trials of a sweep at most."""


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
    _refuse_too_many(draws * grid * runs_of_each(sweep))
    return [point for index in range(draws) for point in drawn(space, sweep, seed, index)]


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
