"""The ranking of combinations, and the noise that the seeds show in it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnctl.sweep.runner import TrialResult


@dataclass(frozen=True)
class Standing:
    """A combination of settings and how its trials did.

    mean, standard_error: of the monitored column over the trials that finished
    with a finite number; None where there is none, or only one for the error s/√n.
    """

    settings: Mapping[str, object]
    trials: tuple[int, ...]
    failed: int
    mean: float | None
    standard_error: float | None

    def as_json(self) -> dict[str, Any]:
        """The object in `results.json`."""
        return {
            "settings": dict(self.settings),
            "trials": list(self.trials),
            "failed": self.failed,
            "mean": self.mean,
            "standard_error": self.standard_error,
        }


def rank(results: Sequence[TrialResult], monitor: str | None, higher_is_better: bool) -> tuple[Standing, ...]:
    """Combinations, the best first, those without a number last."""
    groups: dict[int, list[TrialResult]] = {}
    for result in sorted(results, key=lambda result: result.trial.number):
        groups.setdefault(result.trial.combination, []).append(result)
    sign = -1.0 if higher_is_better else 1.0
    return tuple(
        sorted(
            (_standing(group, monitor) for group in groups.values()),
            key=lambda s: (s.mean is None, sign * (s.mean or 0.0), s.trials),
        )
    )


def _standing(group: Sequence[TrialResult], monitor: str | None) -> Standing:
    values = [v for result in group if (v := result.value(monitor)) is not None and math.isfinite(v)]
    return Standing(
        settings=group[0].trial.settings,
        trials=tuple(result.trial.number for result in group),
        failed=len(group) - len(values),
        mean=statistics.fmean(values) if values else None,
        standard_error=statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None,
    )


def within_noise(ranking: Sequence[Standing]) -> tuple[Standing, ...]:
    """The combinations that the best beats by less than two standard errors of the difference."""
    if not ranking or ranking[0].mean is None or ranking[0].standard_error is None:
        return ()
    best, error = ranking[0].mean, ranking[0].standard_error
    return tuple(
        other
        for other in ranking[1:]
        if other.mean is not None
        and other.standard_error is not None
        and abs(best - other.mean) < 2 * math.hypot(error, other.standard_error)
    )
