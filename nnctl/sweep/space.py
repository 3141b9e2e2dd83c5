"""The list of trials, a pure function of the sweep section and the spec's seed.

Trial k is the same whatever ran before it, on however many processes, and
however many draws there are in all: more draws only add trials at the end.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from nnctl.errors import SpecError, UsageError
from nnctl.spec.document import Sweep
from nnctl.spec.override_syntax import parse_override

MOST = 100_000
"""Trials of a sweep at most."""


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    combination: equal for the trials that differ in nothing but the seed and the fold.
    seed: of the run, None where the settings say it.
    fold: (the part that validates, the number of parts), None without cross-validation.
    """

    number: int
    combination: int
    settings: Mapping[str, object]
    seed: int | None
    fold: tuple[int, int] | None = None

    @property
    def overrides(self) -> tuple[str, ...]:
        """The settings as `path=value`, as `--set` takes them."""
        # A component comes before its fields, which it would wipe out.
        ordered = sorted(self.settings.items(), key=lambda item: _depth(item[0]))
        seed = () if self.seed is None else (f"seed={self.seed}",)
        fold = () if self.fold is None else (f"data.fold={write(list(self.fold))}",)
        return (*(f"{path}={write(value)}" for path, value in ordered), *seed, *fold)


@cache
def _depth(path: str) -> int:
    """The number of steps of a path, however it is written; 0 of one that cannot be read, which loading will say."""
    try:
        return len(parse_override(f"{path}=null").steps)
    except SpecError:
        return 0


_NOT_IN_YAML = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def write(value: object) -> str:
    """A value as YAML in flow style: JSON, with what YAML does not take as it is escaped."""
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def trials(sweep: Sweep, seed: int) -> tuple[Trial, ...]:
    """Trials: every grid combination with every random draw with every seed and every fold.

    The trials of a combination come together, and of these the folds of a seed.
    The last path of the grid varies fastest. Every combination of the grid meets the same draws.
    Raises UsageError where the section asks for nothing, for more than `MOST`, or for what contradicts itself.
    """
    _check(sweep)
    count = math.prod(map(len, sweep.grid.values())) * (sweep.trials or 1) * sweep.seeds * (sweep.folds or 1)
    if count > MOST:
        raise UsageError(
            f"sweep: {count:,} trials; a sweep has {MOST:,} at most\n"
            "  leave values out, or draw from the combinations: --random N with --space"
        )
    draws: list[dict[str, object]] = [_draw(sweep, seed, index) for index in range(sweep.trials or 0)] or [{}]
    listed: list[Trial] = []
    for combination, settings in enumerate(_combinations(sweep, draws)):
        for replicate in range(sweep.seeds):
            run_seed = None if "seed" in settings else seed + replicate
            for part in [None] if sweep.folds is None else range(sweep.folds):
                fold = None if part is None or sweep.folds is None else (part, sweep.folds)
                listed.append(Trial(len(listed), combination, settings, run_seed, fold))
    return tuple(listed)


def _combinations(sweep: Sweep, draws: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    for draw in draws:
        for values in itertools.product(*sweep.grid.values()):
            yield dict(zip(sweep.grid, values)) | draw


def _draw(sweep: Sweep, seed: int, index: int) -> dict[str, object]:
    return {path: law.quantile(_uniform(seed, index, path)) for path, law in sweep.random.items()}


def _uniform(seed: int, index: int, path: str) -> float:
    """A number in [0, 1), of 53 bits of a hash: no draw depends on another path or on the draws before it."""
    digest = hashlib.sha256(json.dumps([seed, index, path]).encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) * 2.0**-53


def _check(sweep: Sweep) -> None:
    both = [path for path in sweep.grid if path in sweep.random]
    if both:
        raise UsageError(f"sweep: '{both[0]}' is in the grid and among what is drawn; leave it out of one of them")
    if sweep.random and sweep.trials is None:
        raise UsageError("sweep: how many draws? say it by --random N, or by trials in the sweep section")
    if sweep.trials is not None and not sweep.random:
        raise UsageError(
            f"sweep: {sweep.trials} draws of nothing\n"
            "  --space optimizer.learning_rate=0.001:1:log names something to draw"
        )
    if not sweep.grid and not sweep.random and sweep.seeds == 1 and sweep.folds is None:
        raise UsageError(
            "nothing to sweep\n"
            "  --grid optimizer.learning_rate=0.01,0.1,1 tries three values; so does a sweep section in the spec"
        )
    folded = [path for path in (*sweep.grid, *sweep.random) if path in ("data", "data.fold", "data.validation")]
    if sweep.folds is not None and folded:
        raise UsageError(
            f"sweep: '{folded[0]}' is searched, and cross-validation holds out parts of its own; do one of the two"
        )
    if sweep.seeds > 1 and "seed" in (*sweep.grid, *sweep.random):
        raise UsageError("sweep: 'seed' is searched, and several seeds are asked for; do one of the two")
