"""Sweeps' folders: what lies there, and which of their trials did best.

runs/<name>/sweep-<key>/   `--out DIR` is exactly DIR
    sweep.json             the search and its spec: no other study writes its trials here
    asked.json             what the latest line asks for: how many trials, by which columns they are ranked
    known.json             results that were known before, of an existing study
    results.json           the ranking, there once all trials are done
    0000/, 0001/, …        a run folder a trial
    ended/                 how trials ended that did not finish
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnctl.errors import RunError, UsageError
from nnctl.late import dataclass
from nnctl.runs.folder import STUDY, RunFolder, is_sweep
from nnctl.runs.records import Results
from nnctl.runs.sealed import read_record

_LOGGER = logging.getLogger(__name__)

ASKED = "asked.json"
KNOWN = "known.json"
RESULTS = "results.json"


@dataclass(frozen=True)
class RankedTrial:
    """A finished trial with the number that ranks it.

    number: of the trial; value: of the ranking's column; feasible: False where its combination breaks a constraint.
    """

    number: int
    value: float
    run: RunFolder
    feasible: bool = True


@dataclass(frozen=True)
class RankedTrials:
    """The trials of a finished sweep that have a number in the column `monitor`, the best first.

    count: of all its trials, those without a number included.
    """

    folder: Path
    monitor: str
    count: int
    trials: tuple[RankedTrial, ...]

    def best(self, count: int) -> tuple[RankedTrial, ...]:
        """So many of them, or all. Which of these break constraints is logged."""
        taken = self.trials[:count]
        if breaking := [str(trial.number) for trial in taken if not trial.feasible]:
            which = f"trial {breaking[0]} breaks" if len(breaking) == 1 else f"trials {', '.join(breaking)} break"
            _LOGGER.info("%s: %s the sweep's constraints, and no other is left that meets them", self.folder, which)
        return taken


def trial_folder(folder: Path, number: int) -> Path:
    """The run folder of a trial."""
    return folder / f"{number:04d}"


def final_metrics(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers in a run's summary of the weights that it ended with, and how many of these there are."""
    row = summary["best" if summary["weights"] == "best" else "last"] or {}
    test = summary["test"] or {}
    tested = {name: value for name, value in test.items() if name.startswith("test_")}
    return measured(row) | tested | {"parameters": summary["parameters"]}


def measured(row: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers in a row of an evaluation that say what was reached."""
    return {name: value for name, value in row.items() if name.startswith(("train_", "validation_", "penalty"))}


def ranked_trials(folder: Path) -> RankedTrials:
    """The ranking of a finished sweep, trial by trial, whatever combination each belongs to.

    Of equal trials the earlier comes first. Raises RunError where `folder` is no finished sweep,
    or where its results are not those of the runs in it.
    """
    if not is_sweep(folder):
        raise RunError(f"{folder}: is not a sweep's folder: it has no {STUDY}\n  nnctl sweep says where it writes")
    path = folder / RESULTS
    if not path.is_file():
        raise RunError(
            f"{folder}: the sweep is not finished, or none of its trials is: it has no {RESULTS}\n"
            f"  run its line again to go on, or name one of its trials, as {trial_folder(folder, 0)}"
        )
    results = read_record(path, Results)
    columns = [objective["column"] for objective in results["objectives"]]
    first = results["objectives"][0]
    column, sign = first["column"], -1.0 if first["higher_is_better"] else 1.0
    ranked: list[tuple[tuple[Any, ...], RankedTrial]] = []
    count = 0
    for place, standing in enumerate(results["ranking"]):
        # Of what was pruned, some runs may have finished all the same.
        numbers = standing["trials"] if standing["status"] != "pruned" else []
        found = [t for number in numbers if (t := _trial(folder, number, columns)) is not None]
        # `statistics.fmean`, by which it was ranked, without what that module loads: every command loads this one.
        mean = math.fsum(t.value for t in found) / len(found) if found else None
        said = None if standing["means"] is None else standing["means"].get(column)
        if mean != said:
            raise RunError(
                f"{path}: does not fit the runs beside it: it has {column} {said} "
                f"for {_named(standing['trials'])}, whose summaries have {mean}\n"
                "  run the sweep's line again, which ranks what is there"
            )
        count += len(standing["trials"])
        # Of several objectives, the front goes before the value: a combination's front is that of its trials.
        front = (standing["front"] or 0) if len(columns) > 1 else 0
        # What breaks constraints stands in the ranking by how much it does.
        meets = standing["feasible"]
        order = (-1 if meets else place, front)
        ranked += [((*order, sign * t.value, t.number), replace(t, feasible=meets)) for t in found]
    return RankedTrials(folder, column, count, tuple(trial for _, trial in sorted(ranked, key=lambda each: each[0])))


def best_runs(folder: Path, count: int) -> list[Path]:
    """Folders of the `count` best trials. Raises RunError, and UsageError where fewer of them finished."""
    ranking = ranked_trials(folder)
    if len(ranking.trials) < count:
        raise UsageError(f"--best {count}: {len(ranking.trials)} trials of {folder} finished with a {ranking.monitor}")
    return [trial.run.path for trial in ranking.best(count)]


def _trial(folder: Path, number: int, columns: Sequence[str]) -> RankedTrial | None:
    """A trial with a finite number in every column, ranked by the first; else None."""
    run = RunFolder(trial_folder(folder, number))
    summary = run.finished()
    metrics = final_metrics(summary) if summary is not None else {}
    values = [v for column in columns if isinstance(v := metrics.get(column), int | float) and math.isfinite(v)]
    return RankedTrial(number, float(values[0]), run) if len(values) == len(columns) else None


def _named(trials: list[int]) -> str:
    return f"trial {trials[0]}" if len(trials) == 1 else f"the mean of trials {trials[0]} to {trials[-1]}"
