"""The study of a sweep: its spec, its trials, and the folder of its results."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnctl.errors import Diagnostic, RunError, SpecError
from nnctl.runs.durable import make_folder
from nnctl.runs.folder import RUNS, file_name
from nnctl.runs.records import Search
from nnctl.runs.sealed import read_record, write_record
from nnctl.spec.document import Spec, Sweep
from nnctl.spec.dump import to_data
from nnctl.spec.load import Loaded, load_spec, spec_to_dict
from nnctl.spec.override_syntax import ORIGIN
from nnctl.sweep.space import Trial, trials

FILE = "sweep.json"
"""The file of the search and its spec, in the sweep's folder: no other study writes its trials there."""


@dataclass(frozen=True)
class Study:
    """A sweep with its trials, each of them checked. `folder` need not exist yet."""

    spec_file: Path
    overrides: tuple[str, ...]
    spec: Spec
    sweep: Sweep
    trials: tuple[Trial, ...]
    folder: Path

    def folder_of(self, trial: Trial) -> Path:
        """The run folder of a trial."""
        return self.folder / f"{trial.number:04d}"

    def overrides_of(self, trial: Trial) -> tuple[str, ...]:
        """All overrides of a trial, those of the command line first."""
        return (*self.overrides, *trial.overrides)

    def claim(self) -> None:
        """Make the folder, or resume the study in it. Raises RunError where neither is possible."""
        path = self.folder / FILE
        content = {"nnctl": "sweep", **_content(self.spec, self.sweep)}
        if os.path.lexists(path):
            if read_record(path, Search) != content:
                raise RunError(
                    f"{self.folder}: holds another sweep, of a different spec or search\n"
                    f"  choose another folder with --out, or leave --out away"
                )
            return
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            what = "not empty and not a sweep" if self.folder.is_dir() else "a file"
            raise RunError(f"{self.folder}: is in the way: it is {what}\n  choose another --out")
        make_folder(self.folder)
        write_record(path, content)


def read_study(spec_file: Path, overrides: Sequence[str], out: Path | None = None) -> Study:
    """The study of a spec: its trials are listed, and the spec of each is checked.

    Raises SpecError with the problems of all trials, UsageError where there is nothing to search.
    """
    loaded = load_spec(spec_file, overrides)
    spec = loaded.spec
    sweep = spec.sweep or Sweep()
    listed = trials(sweep, spec.seed)
    if sweep.ensemble is not None and sweep.ensemble > len(listed):
        few = f"the sweep has {len(listed)} trial{'' if len(listed) == 1 else 's'}"
        raise loaded.error("sweep.ensemble", f"there is no ensemble of the {sweep.ensemble} best: {few}")
    folder = out or RUNS / file_name(spec.name or spec_file.stem) / f"sweep-{_key(spec, sweep)}"
    study = Study(spec_file, tuple(overrides), spec, sweep, listed, folder)
    problems: dict[tuple[str, str], Diagnostic] = {}
    for trial in listed:
        try:
            load_trial(spec_file, study.overrides_of(trial))
        except SpecError as error:
            for diagnostic in map(_relabelled, error.diagnostics):
                problems.setdefault(_identity(diagnostic), diagnostic)
    if problems:
        raise SpecError(list(problems.values()))
    return study


def load_trial(spec_file: Path, overrides: Sequence[str]) -> Loaded:
    """The spec of one trial; it sweeps no more. Raises SpecError."""
    loaded = load_spec(spec_file, overrides)
    return replace(loaded, spec=replace(loaded.spec, sweep=None))


def _identity(diagnostic: Diagnostic) -> tuple[str, str]:
    """A key that is equal for the problems of one path, or of one value, in many trials."""
    where = diagnostic.location
    said = "" if where is None else f"{where.path}:{where.line}:{where.text[: where.column - 1 + where.width]}"
    return diagnostic.message, said


def _relabelled(diagnostic: Diagnostic) -> Diagnostic:
    """The problem, with a setting's location named after the sweep, not after an option that nobody gave."""
    if diagnostic.location is None or diagnostic.location.path != ORIGIN:
        return diagnostic
    return replace(diagnostic, location=replace(diagnostic.location, path="sweep"))


def _content(spec: Spec, sweep: Sweep) -> dict[str, Any]:
    """The content of `FILE`: all that decides what trial k is. Draws may grow in number in the same folder."""
    base = spec_to_dict(replace(spec, name=None, description="", sweep=None))
    # The order of the grid's paths is the order of its trials.
    grid = [[path, to_data(values)] for path, values in sweep.grid.items()]
    content = {"grid": grid, "random": to_data(sweep.random), "seeds": sweep.seeds, "folds": sweep.folds, "spec": base}
    return dict(json.loads(json.dumps(content)))


def _key(spec: Spec, sweep: Sweep) -> str:
    text = json.dumps(_content(spec, sweep), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
