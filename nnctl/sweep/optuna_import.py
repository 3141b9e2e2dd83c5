"""An existing study of Optuna, whose trials are known results to a sampler before its first proposal.

What was pruned there is known by its intermediate values. Trials of a sweep that was exported say what became of them:
what has diverged there is known, too, as bad as the worst.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any, Literal

from nnctl.components.base import Distribution
from nnctl.components.kinds.running import Interval
from nnctl.errors import SpecError, UsageError
from nnctl.spec.messages.hints import did_you_mean
from nnctl.spec.messages.synonyms import suggest
from nnctl.sweep.objectives import Objective
from nnctl.sweep.optuna_storage import opened
from nnctl.sweep.optuna_terms import is_option
from nnctl.sweep.space import Space

if TYPE_CHECKING:
    from optuna.study import Study as OptunaStudy
    from optuna.trial import FrozenTrial

OPTION = "--from"
_LOGGER = logging.getLogger(__name__)


class _UnfitError(Exception):
    """A trial that is no point of the space, and why."""


def read_known(
    url: str,
    name: str | None,
    space: Space,
    objectives: Sequence[Objective],
    constraints: int,
    unit: Literal["epochs", "seconds"],
) -> dict[str, Any]:
    """The fields of `Known`: trials of a study, complete, pruned or diverged, with parameters that are points.

    name: of the study, None where there is one alone. constraints: how many there are. unit: of the sweep's rungs;
    steps of a study that no sweep has exported are epochs. Nothing is written or made.
    How many trials are left out, and why, is logged. Raises UsageError where the database cannot be read, where its
    objectives are others, or where no trial is left.
    """
    import optuna

    with opened(url, OPTION, new=False) as storage:
        names = optuna.get_all_study_names(storage)
        study = optuna.load_study(study_name=_chosen(name, names), storage=storage)
        _require_alike(study, objectives)
        trials = study.get_trials(deepcopy=False)
    left_out: Counter[str] = Counter()
    found = []
    others = {_combination(trial) for trial in trials if trial.state.name != "FAIL"}
    # Optuna prunes by one objective alone.
    rungs_in = unit if len(objectives) == 1 else None
    for trial in trials:
        try:
            found.append(_known(trial, space, constraints, others, rungs_in))
        except _UnfitError as unfit:
            left_out[str(unfit)] += 1
    reasons = ", ".join(f"{count} where {why}" for why, count in left_out.most_common())
    if not found:
        raise UsageError(
            f"{OPTION}: none of the {len(trials)} trials of the study '{study.study_name}' is a known result here"
            + (f": {reasons}" if reasons else "")
        )
    rest = f"; left out: {reasons}" if left_out else ""
    pruned = sum("rungs" in known for known in found)
    diverged = sum(known["values"] is None for known in found) - pruned
    ends = " and ".join(f"{count} {end}" for count, end in ((diverged, "diverged"), (pruned, "pruned")) if count)
    of_them = f", {ends.replace(' ', ' of them ', 1)}" if ends else ""
    _LOGGER.info(
        "%d of %d trials of the study '%s' are known%s%s", len(found), len(trials), study.study_name, of_them, rest
    )
    return {"study": study.study_name, "trials": found}


def _chosen(name: str | None, names: Sequence[str]) -> str:
    if not names:
        raise UsageError(f"{OPTION}: the database holds no study")
    if name is None and len(names) > 1:
        raise UsageError(f"{OPTION}: the database holds several studies: {_some(names)}\n  --from-study names one")
    if name is not None and name not in names:
        hint = did_you_mean(suggest(name, names)) or f"it holds {_some(names)}"
        raise UsageError(f"--from-study: the database holds no study '{name}'\n  {hint}")
    return name if name is not None else names[0]


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(names[:20]) + rest


def _require_alike(study: OptunaStudy, objectives: Sequence[Objective]) -> None:
    """Raise UsageError where the study does not have the sweep's number of objectives and their directions."""
    from optuna.study import StudyDirection

    said = f"{OPTION}: the study '{study.study_name}'"
    if len(study.directions) != len(objectives):
        columns = ", ".join(objective.column for objective in objectives)
        raise UsageError(f"{said} has {len(study.directions)} objectives, and the sweep {len(objectives)}: {columns}")
    for place, (direction, objective) in enumerate(zip(study.directions, objectives, strict=True)):
        if (direction is StudyDirection.MAXIMIZE) != objective.higher_is_better:
            better = "higher" if objective.higher_is_better else "lower"
            raise UsageError(
                f"{said} is to {direction.name.lower()} its objective {place}, and of {objective.column} "
                f"{better} is better\n  --monitor names another column"
            )


def _combination(trial: FrozenTrial) -> int | None:
    """The combination that an exported trial is a run of, None of one that no sweep has exported."""
    number = trial.user_attrs.get("combination")
    return number if isinstance(number, int) else None


def _has_diverged(trial: FrozenTrial, others: Set[int | None]) -> bool:
    """True for a trial of an exported sweep that came to no value by its own numbers, as did no run beside it."""
    combination = _combination(trial)
    alone = combination is not None and combination not in others
    # A run that ended with numbers that are none has diverged, too.
    return alone and trial.state.name == "FAIL" and trial.user_attrs.get("status") in ("diverged", "finished")


def _rungs(trial: FrozenTrial, unit: str) -> list[list[float]]:
    """The values of a pruned trial, at epochs or seconds: the rungs that an exported one has, or its steps.

    Raises _UnfitError where the unit is another.
    """
    attributes = trial.user_attrs
    theirs = attributes.get("rung_unit") or "epochs"
    if theirs != unit:
        raise _UnfitError(f"it was pruned after {theirs}, not {unit}")
    found = attributes["rungs"] if "rungs" in attributes else trial.intermediate_values.items()
    return sorted([at, value] for at, value in found if math.isfinite(value))


def _known(
    trial: FrozenTrial, space: Space, constraints: int, others: Set[int | None], unit: str | None
) -> dict[str, Any]:
    """The fields of `KnownTrial`. others: combinations of which a run did not fail.

    unit: of rungs, None where samplers learn of no pruned trial. Raises _UnfitError.
    """
    diverged = _has_diverged(trial, others)
    rungs = None if unit is None or trial.state.name != "PRUNED" else _rungs(trial, unit)
    valueless = diverged or rungs is not None
    if not valueless and (trial.values is None or trial.state.name != "COMPLETE"):
        raise _UnfitError("it is not complete")
    values = None if valueless else list(trial.values)
    if values is not None and not all(map(math.isfinite, values)):
        raise _UnfitError("a value is not finite")
    excesses = [] if diverged else list(trial.constraints.values())
    if not diverged and len(excesses) != constraints:
        raise _UnfitError(f"there are {len(excesses)} constraints, not {constraints}")
    unknown = sorted(set(trial.params) - set(space.distributions))
    if unknown:
        raise _UnfitError(f"'{unknown[0]}' is not searched")
    chosen: dict[str, object] = {}

    def choose(path: str, distribution: Distribution) -> object:
        if path not in trial.params:
            raise _UnfitError(f"'{path}' is missing")
        chosen[path] = _fitting(path, distribution, trial.params[path])
        return chosen[path]

    try:
        space.point(choose)
    except SpecError as error:
        raise _UnfitError("a formula has no value") from error
    unused = sorted(set(trial.params) - set(chosen))
    if unused:
        raise _UnfitError(f"'{unused[0]}' is there against its condition")
    return {"chosen": chosen, "values": values, "excesses": excesses, **({} if rungs is None else {"rungs": rungs})}


def _fitting(path: str, distribution: Distribution, value: Any) -> object:
    """The value as the sweep has it. Raises _UnfitError where it is outside the range, or none of the values."""
    support = distribution.support()
    if not isinstance(support, Interval):
        for option in support.options:
            if is_option(value, option):
                return option
        raise _UnfitError(f"'{path}' is none of the values")
    if isinstance(value, bool) or not isinstance(value, int | float) or not support.low <= value <= support.high:
        raise _UnfitError(f"'{path}' is outside its range")
    if support.step is not None:
        steps = (value - support.low) / support.step
        if abs(steps - round(steps)) > 1e-6:
            raise _UnfitError(f"'{path}' is between two steps")
        value = support.low + round(steps) * support.step
    return int(value) if support.whole else float(value)
