"""The best trials of a sweep, judged together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnctl.data.dataset import Dataset, load_dataset, same_examples
from nnctl.errors import RunError
from nnctl.inference.evaluation import EvaluationResult, evaluate
from nnctl.inference.opened import open_run
from nnctl.late import dataclass
from nnctl.runs.sweeps import ranked_trials
from nnctl.spec.load import Loaded
from nnctl.sweep.study import Study
from nnctl.sweep.trial import load_trial

_OF_THE_RUN = ("run", "checkpoint", "epoch", "step", "split", "examples")
"""Columns of an evaluation that say what was measured, not what came of it."""


@dataclass(frozen=True)
class Ensemble:
    """Results of the best trials, each alone and all together.

    trials: their numbers, the best first, as `monitor` ranks them; members: of each, the
    numbers it reaches on `split`. vote is empty where the nets predict values.
    """

    trials: tuple[int, ...]
    monitor: str
    split: str
    examples: int
    members: tuple[Mapping[str, float], ...]
    vote: Mapping[str, float]
    mean: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """The object that is printed in a pipe."""
        return {
            "event": "ensemble",
            "trials": list(self.trials),
            "monitor": self.monitor,
            "split": self.split,
            "examples": self.examples,
            "members": [{"trial": n, **measured} for n, measured in zip(self.trials, self.members)],
            "vote": dict(self.vote) or None,
            "mean": dict(self.mean),
        }


def judge_best(study: Study, count: int) -> Ensemble | None:
    """The `count` best trials of a sweep whose results are written, or as many as finished; None of fewer than two.

    The weights are those that each run ended with. Raises RunError, DataError.
    """
    ranking = ranked_trials(study.folder)
    if len(ranking.trials) < 2:
        return None
    best = ranking.best(count)
    if study.away is not None:
        study.away.bring_weights([trial.number for trial in best])
    results = evaluate([open_run(trial.run.path) for trial in best], judged_on(study.base))
    members, together = results[: len(best)], {result.row["run"]: _numbers(result) for result in results[len(best) :]}
    return Ensemble(
        trials=tuple(trial.number for trial in best),
        monitor=ranking.monitor,
        split=results[0].row["split"],
        examples=results[0].row["examples"],
        members=tuple(map(_numbers, members)),
        vote=together.get("vote", {}),
        mean=together["mean"],
    )


def judged_on(loaded: Loaded) -> str:
    """The split that measures an ensemble: it was no part in choosing the members where there is a test split."""
    return "test" if "test" in loaded.spec.data.splits_in(loaded.folder) else "validation"


def require_one_split(study: Study) -> None:
    """Raise RunError where the trials do not hold out the same examples, before any of them is trained."""
    split = judged_on(study.base)
    seen: dict[tuple[str, int], int] = {}
    first: Dataset | None = None
    for trial in study.samples():
        loaded = load_trial(study.base, trial.overrides)
        key = (repr(loaded.spec.data), loaded.spec.seed)
        if key in seen:
            continue
        seen[key] = trial.number
        data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
        first = data if first is None else first
        if split not in data.splits or not same_examples(data, first, split):
            raise RunError(
                f"sweep.ensemble: the {split} split of trial {trial.number} is not that of trial 0, "
                "and nets are judged together on the same examples\n"
                "  runs of different seeds split alike with --set data.seed=0; what changes the data cannot be searched"
            )


def _numbers(result: EvaluationResult) -> dict[str, float]:
    return {name: value for name, value in result.row.items() if name not in _OF_THE_RUN and value is not None}
