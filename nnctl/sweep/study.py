"""The study of a sweep: its spec, its space, its trials, and the folder of its results."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nnctl.components.kinds.pruning import BracketPruner, JudgingPruner, RungPruner, SeriesPruner
from nnctl.components.kinds.running import LearningSampler
from nnctl.errors import RunError, UsageError
from nnctl.late import dataclass
from nnctl.runs.durable import is_leftover, make_folder, read_file, remove_leftovers
from nnctl.runs.folder import RUNS, STUDY, RunFolder, file_name
from nnctl.runs.records import Known, Search
from nnctl.runs.sealed import digest, encoded, read_record, write_record
from nnctl.runs.sweeps import ASKED, KNOWN, trial_folder
from nnctl.spec.document import Spec, Sweep
from nnctl.spec.dump import to_data
from nnctl.spec.load import Loaded, load_tree, spec_to_dict
from nnctl.spec.yaml.tree import MappingNode
from nnctl.sweep.combinations import combinations_asked, drawn, listed, runs, runs_of_each
from nnctl.sweep.formula import Formula
from nnctl.sweep.learning import require_package
from nnctl.sweep.objectives import objectives_ahead, read_constraints
from nnctl.sweep.optuna_import import read_known
from nnctl.sweep.section_checks import require_distinct, require_rungs, require_sense
from nnctl.sweep.space import Point, Space
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_checks import require_sound
from nnctl.training.specs import open_spec

if TYPE_CHECKING:
    from nnctl.sweep.away import Away

_NO_TRIALS = ("grid", "space", "only", "derived", "sampler", "constraints")
"""Keys of the sweep that its trials' specs do not have."""
_SAMPLES = 100
"""Points of a space that are checked where nobody knows yet which will be tried."""
_MANY = 10_000
"""Trials whose check takes so long that it is said."""
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Study:
    """A sweep, checked. `folder` need not exist yet.

    base: the spec that the trials' overrides apply to, read once: a file that is edited
    while the sweep runs changes none of them.
    points: of every combination; where proposals learn, random ones, to check the space by.
    combinations: how many there will be.
    known: the fields of `Known`, results that a sampler which learns begins with; None where there are none.
    away: the place that `folder` stands for, where that is an address.
    """

    base: Loaded
    spec: Spec
    sweep: Sweep
    space: Space
    constraints: tuple[Formula, ...]
    points: Sequence[Point]
    combinations: int
    folder: Path
    known: Mapping[str, Any] | None = None
    away: Away | None = None

    @property
    def learns(self) -> bool:
        """True where proposals depend on results."""
        return isinstance(self.sweep.sampler, LearningSampler)

    @property
    def count(self) -> int:
        """The number of trials."""
        return self.combinations * runs_of_each(self.sweep)

    @property
    def key(self) -> str:
        """The key of what decides the trials, in the name of the folder where no other is given."""
        return _key(self.spec, self.sweep, self.known)

    @property
    def several(self) -> bool:
        """True where a combination is trained more than once."""
        return runs_of_each(self.sweep) > 1

    @property
    def at_once(self) -> int | None:
        """The number of trials that can be under way at a time; None where only `-j` bounds it."""
        pruner = self.sweep.pruner
        compares = isinstance(pruner, SeriesPruner) or (isinstance(pruner, JudgingPruner) and pruner.compares)
        if isinstance(pruner, BracketPruner) or not (self.learns or compares):
            return None
        return (self.sweep.lag + 1) * (1 if isinstance(pruner, SeriesPruner) else runs_of_each(self.sweep))

    def runs(self, combination: int, point: Point) -> Sequence[Trial]:
        """The trials of a combination."""
        return runs(self.sweep, self.spec.seed, combination, point, self.space.variables)

    def samples(self) -> Iterable[Trial]:
        """Every trial; where proposals learn, trials at the points that the space is checked by."""
        for index, point in enumerate(self.points):
            yield from self.runs(index, point)

    def folder_of(self, trial: Trial) -> Path:
        """The run folder of a trial."""
        return trial_folder(self.folder, trial.number)

    def shown(self, text: str) -> str:
        """A path in the folder, or a text with such paths, as people know it."""
        return text if self.away is None else self.away.shown(text)

    def unsure(self) -> Iterable[Trial]:
        """Of `samples`, a trial of each combination that has one without a result; with one its spec needs no check.

        What fits one trial of a combination fits all: seed and fold are none that the search chooses.
        """
        begun = not self.learns and os.path.lexists(self.folder)
        for index, point in enumerate(self.points):
            for trial in self.runs(index, point):
                if not (begun and os.path.lexists(RunFolder(self.folder_of(trial)).summary)):
                    yield trial
                    break

    def claim(self) -> None:
        """Make the folder, or go on with the study in it. Raises RunError where neither is possible."""
        # In this order: another process may begin the study between two looks, and its file comes first.
        free = not os.path.lexists(self.folder) or self._is_free()
        if os.path.lexists(self.folder / STUDY):
            self.require_claimed()
            remove_leftovers(self.folder)
            self._note()
            return
        if not free:
            what = "not empty and not a sweep" if self.folder.is_dir() else "a file"
            raise RunError(f"{self.folder}: is in the way: it is {what}\n  choose another --out")
        make_folder(self.folder)
        remove_leftovers(self.folder)
        write_record(self.folder / STUDY, self._content)
        self._note()

    def _note(self) -> None:
        """Write what the line asks for, and what was known before."""
        write_record(self.folder / ASKED, self._asked)
        if self.known is not None:
            write_record(self.folder / KNOWN, self.known)

    def require_there(self) -> None:
        """Raise RunError where the folder is gone."""
        if not os.path.lexists(self.folder / STUDY):
            raise RunError(
                f"{self.folder}: the sweep's folder was moved or deleted while it ran\n"
                "  where it was moved to, the same line with --out goes on"
            )

    def require_claimed(self) -> None:
        """Raise RunError where the folder is gone, or is another study's."""
        self.require_there()
        path = self.folder / STUDY
        # Mostly it is as it was written, and what checks it by its types takes a twentieth of a second to load.
        if read_file(path) != encoded(self._content) and read_record(path, Search) != self._content:
            raise RunError(
                f"{self.folder}: holds another sweep, of a different spec or search\n"
                f"  choose another folder with --out, or leave --out away"
            )

    def _is_free(self) -> bool:
        return self.folder.is_dir() and all(is_leftover(name) for name in os.listdir(self.folder))

    @cached_property
    def _content(self) -> dict[str, Any]:
        return {"nnctl": "sweep", **_search(self.spec, self.sweep, self.known)}

    @property
    def _asked(self) -> dict[str, Any]:
        return {
            "name": self.spec.name,
            "trials": self.sweep.trials,
            "objectives": list(self.sweep.objectives),
            "constraints": list(self.sweep.constraints),
        }


def read_study(
    given: Path,
    overrides: Sequence[str],
    out: Path | None = None,
    source: tuple[str, str | None] | None = None,
    away: Away | None = None,
) -> Study:
    """The study of a spec, given as `open_spec` takes it: its trials are listed.

    The spec of each is checked, unless it has finished.

    source: a database and the name of a study in it, if several, whose results a sampler that learns begins with.
    What was read of it lies in the sweep's folder: with that as `out` it is not needed again.
    away: the place that `out` stands for, where that is an address.
    Raises SpecError with the problems of all trials, UsageError where there is nothing to search.
    """
    loaded = open_spec(given, overrides)
    spec = loaded.spec
    sweep = spec.sweep or Sweep()
    require_sense(sweep)
    require_rungs(loaded, sweep)
    require_distinct(loaded, sweep)
    space = Space(loaded, sweep)
    constraints = read_constraints(loaded, (*sweep.grid, *sweep.space, *sweep.derived))
    if isinstance(sweep.sampler, LearningSampler):
        require_package(sweep.sampler)
    points, combinations = combinations_of(space, sweep, spec.seed)
    known = _known(loaded, sweep, space, len(constraints), source, out)
    base = _without_settings(loaded)
    folder = out or RUNS / file_name(spec.name or given.stem) / f"sweep-{_key(spec, sweep, known)}"
    study = Study(base, spec, sweep, space, constraints, points, combinations, folder, known, away)
    if sweep.ensemble is not None and sweep.ensemble > study.count:
        few = f"the sweep has {study.count} trial{'' if study.count == 1 else 's'}"
        raise loaded.error("sweep.ensemble", f"there is no ensemble of the {sweep.ensemble} best: {few}")
    if (asked := combinations_asked(sweep)) > combinations:
        words = "of %s combinations only %s differ, and none is tried twice; --seeds trains each several times"
        _LOGGER.info(words, f"{asked:,}", f"{combinations:,}")
    if study.count > _MANY and not study.learns:
        _LOGGER.info("checking the settings of %s trials, which takes a while", f"{study.count:,}")
    require_sound(base, study.unsure(), loaded, space)
    return study


def _known(
    loaded: Loaded,
    sweep: Sweep,
    space: Space,
    constraints: int,
    source: tuple[str, str | None] | None,
    out: Path | None,
) -> Mapping[str, Any] | None:
    """The results to begin with: of a database, or those that the folder of the sweep has of one."""
    if source is None:
        kept = None if out is None else out / KNOWN
        return read_record(kept, Known) if kept is not None and os.path.lexists(kept) else None
    if not isinstance(sweep.sampler, LearningSampler):
        raise UsageError(
            f"--from: the sampler {sweep.sampler.type} learns from no results\n  --sampler tpe does; so do gp and cmaes"
        )
    url, name = source
    seconds = isinstance(sweep.pruner, RungPruner) and sweep.pruner.in_seconds
    unit: Literal["epochs", "seconds"] = "seconds" if seconds else "epochs"
    return read_known(url, name, space, objectives_ahead(loaded), constraints, unit)


def combinations_of(space: Space, sweep: Sweep, seed: int) -> tuple[Sequence[Point], int]:
    """The points of a study, as `Study` has them, and the number of its combinations. Raises UsageError, SpecError."""
    if isinstance(sweep.sampler, LearningSampler):
        asked = sweep.trials or 1
        most = space.most_points(asked)
        points = [point for index in range(_SAMPLES) for point in drawn(space, sweep, seed, index)]
        return points, asked if most is None else most
    points = listed(space, sweep, seed)
    return points, len(points)


def _without_settings(loaded: Loaded) -> Loaded:
    """The spec without the values to try, which a trial need not carry, and without what no trial depends on."""
    root = loaded.tree
    entry = root.entries.get("sweep") if isinstance(root, MappingNode) else None
    if not isinstance(root, MappingNode) or entry is None or not isinstance(entry.value, MappingNode):
        return loaded
    return load_tree(
        root.with_entry(entry.key, entry.value.without(*_NO_TRIALS)),
        loaded,
    )


def _search(spec: Spec, sweep: Sweep, known: Mapping[str, Any] | None) -> dict[str, Any]:
    """The content of `sweep.json`: all that decides what trial k is. Trials may grow in number in the same folder."""
    base = spec_to_dict(replace(spec, name=None, description="", sweep=None))
    content = {
        # The order of the paths is the order of the trials.
        **{kind: [[path, to_data(value)] for path, value in getattr(sweep, kind).items()]
           for kind in ("grid", "space", "only", "derived")},
        "sampler": to_data(sweep.sampler),
        "learning": {
            "lag": sweep.lag,
            "objectives": sweep.objectives,
            "constraints": sweep.constraints,
            "pruner": None if sweep.pruner is None else to_data(sweep.pruner),
            **({} if known is None else {"known": digest(known)}),
        }
        if isinstance(sweep.sampler, LearningSampler) or sweep.pruner is not None
        else None,
        "seeds": sweep.seeds,
        "folds": sweep.folds,
        "spec": base,
    }  # fmt: skip
    return dict(json.loads(json.dumps(content)))


def _key(spec: Spec, sweep: Sweep, known: Mapping[str, Any] | None) -> str:
    return digest(_search(spec, sweep, known))[:12]
