"""A sweep as its folder has it: its study without the spec's file, and what has become of each trial."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nnctl.components.kinds.pruning import RungPruner
from nnctl.errors import RunError, SpecError
from nnctl.late import dataclass
from nnctl.runs.endings import ending_of, status_of
from nnctl.runs.folder import STUDY, RunFolder, is_sweep
from nnctl.runs.records import Asked, Known, Proposed, Search
from nnctl.runs.sealed import damaged, read_record
from nnctl.runs.sweeps import ASKED, KNOWN
from nnctl.spec.check.validate import validate
from nnctl.spec.document import Sweep
from nnctl.spec.dump import dump_data
from nnctl.spec.load import Loaded
from nnctl.spec.yaml.parser import compose
from nnctl.spec.yaml.source_text import SourceText
from nnctl.sweep.analysis import Importance, importance
from nnctl.sweep.away import Away
from nnctl.sweep.objectives import Objective, objectives_of, objectives_reached, read_constraints
from nnctl.sweep.ranking import Standing, rank
from nnctl.sweep.rungs import Watch
from nnctl.sweep.search import proposal_file
from nnctl.sweep.space import Point, Space
from nnctl.sweep.study import Study, combinations_of
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_records import finished_result, result_of_ending
from nnctl.sweep.trial_result import TrialResult

OVER = ("finished", "pruned", "diverged", "failed")
"""Statuses of trials that do not go on by themselves."""
BEGUN = "begun"
"""The status of a trial at an address that is under way or was left there: nothing at it tells which."""
STATUSES = (*OVER, "paused", "running", "stale", BEGUN, "waiting")
"""Statuses of trials: those of `nnctl.runs.endings`, waiting where one has not begun, and at an address `BEGUN`."""


@dataclass(frozen=True)
class StoredSweep:
    """A sweep that was read from its folder. results: of all trials that are known, by their numbers."""

    study: Study
    results: Sequence[TrialResult]

    @cached_property
    def ended(self) -> Sequence[TrialResult]:
        """The results of the trials that are over."""
        return [result for result in self.results if result.status in OVER]

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """The columns that rank; empty where no trial has finished and the sweep names none."""
        return objectives_reached(self.study.spec, self.ended)

    @cached_property
    def ranking(self) -> tuple[Standing, ...]:
        """The combinations of which a trial is over, the best first; empty without objectives."""
        return rank(self.ended, self.objectives, self.study.constraints) if self.objectives else ()

    @property
    def ranked(self) -> tuple[Study, tuple[Objective, ...], tuple[Standing, ...]]:
        """Study, objectives and ranking, as `nnctl.sweep.analysis` takes them."""
        return self.study, self.objectives, self.ranking

    @cached_property
    def importance(self) -> Importance:
        """The importance of the searched settings."""
        return importance(*self.ranked)

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of trials of each status that occurs; those not proposed yet count as waiting."""
        found = Counter(result.status for result in self.results)
        found["waiting"] += self.study.count - len(self.results)
        return {status: found[status] for status in STATUSES if found[status]}


def read_sweep(folder: Path, away: Away | None = None) -> StoredSweep:
    """The sweep in a folder, running, stopped or done; its spec's file and its data need not be there.

    away: the place that the folder stands for, where that is an address.
    Raises RunError where there is none, or a record or a finished run is damaged.
    """
    if not is_sweep(folder):
        if not folder.exists():
            raise RunError(f"{folder}: there is no such folder\n  nnctl sweep says where it writes")
        raise RunError(f"{folder}: is not a sweep's folder: it has no {STUDY}\n  nnctl sweep says where it writes")
    search, asked = read_record(folder / STUDY, Search), read_record(folder / ASKED, Asked)
    try:
        study = replace(_study(_loaded(search, asked, folder), folder), away=away)
    except SpecError as error:
        raise damaged(folder / STUDY, f"its spec is none: {error}", Search.remedy) from error
    begun = {entry.name for entry in os.scandir(folder)}
    trials = list(_trials(study))
    watch = _watch(study, trials, begun)
    return StoredSweep(study, [_result(study, trial, watch, begun) for trial in trials])


def _loaded(search: Mapping[str, Any], asked: Mapping[str, Any], folder: Path) -> Loaded:
    """The spec with its sweep section. Nothing of its data is looked at."""
    section = {
        **{kind: dict(search[kind]) for kind in ("grid", "space", "only", "derived")},
        **{name: search[name] for name in ("sampler", "seeds", "folds")},
        **{name: (search["learning"] or {}).get(name) for name in ("lag", "pruner")},
        "trials": asked["trials"],
        "monitor": asked["objectives"],
        "constraints": asked["constraints"],
    }
    given = {name: value for name, value in section.items() if value or value == 0}
    text = dump_data({**search["spec"], "name": asked["name"], "sweep": given})
    source = SourceText(text, str(folder / STUDY))
    tree, problems = compose(source)
    if problems:
        raise SpecError(problems)
    validated = validate(tree)
    return Loaded(validated.spec, validated.places, Path(), source.name, tree)


def _study(loaded: Loaded, folder: Path) -> Study:
    sweep = loaded.spec.sweep or Sweep()
    space = Space(loaded, sweep)
    constraints = read_constraints(loaded, (*sweep.grid, *sweep.space, *sweep.derived))
    points, combinations = combinations_of(space, sweep, loaded.spec.seed)
    known = read_record(folder / KNOWN, Known) if os.path.lexists(folder / KNOWN) else None
    return Study(loaded, loaded.spec, sweep, space, constraints, points, combinations, folder, known)


def _trials(study: Study) -> Iterator[Trial]:
    """The trials whose settings are known: all of them, or where proposals learn those that were proposed."""
    for combination in range(study.combinations):
        point = _proposed(study, combination) if study.learns else study.points[combination]
        if point is None:
            return
        yield from study.runs(combination, point)


def _proposed(study: Study, combination: int) -> Point | None:
    path = proposal_file(study.folder, combination)
    if not path.exists():
        return None
    chosen = read_record(path, Proposed)["chosen"]
    try:
        return study.space.point(lambda name, _: chosen[name])
    except (KeyError, SpecError) as error:
        raise damaged(path, f"it is no point of the space that is searched: {error}", Proposed.remedy) from error


def _watch(study: Study, trials: Sequence[Trial], begun: set[str]) -> Watch | None:
    """The rungs of the trials; None where there are none, or where nothing says yet by which column they compare."""
    pruner = study.sweep.pruner
    if not isinstance(pruner, RungPruner):
        return None
    columns = study.sweep.objectives or tuple(
        summary["monitor"] or "train_cost"
        for trial in trials
        if (run := RunFolder(study.folder_of(trial))).path.name in begun and (summary := run.finished()) is not None
    )
    if not columns:
        return None
    (objective,) = objectives_of(study.spec, columns[:1])
    rungs = pruner.rungs_before(study.spec.schedule.epochs)
    return Watch(objective, rungs, in_seconds=pruner.in_seconds)


def _result(study: Study, trial: Trial, watch: Watch | None, begun: set[str]) -> TrialResult:
    """The result of a trial. watch: its rungs, if any; begun: names in the sweep's folder when it was opened."""
    run = RunFolder(study.folder_of(trial))
    ended = ending_of(study.folder, trial.number)
    if ended is None:
        if run.path.name not in begun:
            return TrialResult(trial, str(run.path), "waiting")
        summary = run.finished()
        if summary is not None:
            return finished_result(trial, run, watch, summary)
    status: str = status_of(study.folder, trial.number) or "waiting"
    if study.away is not None and status == "stale":
        status = BEGUN
    if ended is None or ended["status"] != status:
        return TrialResult(trial, str(run.path), status)
    return result_of_ending(study, trial, watch, ended)
