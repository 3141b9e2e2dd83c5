"""The suite `search`: the best validation that samplers find in so many trials, beside random search and Optuna alone.

Every repetition has data, weights and proposals by its own seed, the same for all samplers, and is compared in pairs.
Trials are those of `nnctl sweep`, trained in this suite's processes; Optuna alone calls the same training as its
objective, with its own settings.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.problems import PROBLEMS, Problem
from benchmarks.record import cores, keep, machine, versions, words_of

if TYPE_CHECKING:
    import optuna

    from nnctl.sweep.study import Study
    from nnctl.sweep.trial import Trial
    from nnctl.sweep.trial_result import TrialResult

RANDOM = "random"
_COLUMN = "validation_cost"


@dataclass(frozen=True)
class Contender:
    """A way to search. sampler: by the name that specs have for it. lag: see `sweep`; None for Optuna alone."""

    name: str
    sampler: str
    lag: int | None = 0

    @property
    def installed(self) -> bool:
        """True where it can take part here."""
        return self.sampler != "gp" or find_spec("torch") is not None


CONTENDERS = (
    Contender(RANDOM, "random"),
    Contender("tpe, lag 0", "tpe"),
    Contender("tpe, lag 4", "tpe", 4),
    Contender("Optuna's TPE", "tpe", None),
    Contender("gp, lag 0", "gp"),
    Contender("gp, lag 4", "gp", 4),
    Contender("Optuna's GP", "gp", None),
)
"""Those with a lag of 0 learn from every trial before, as Optuna alone does; 4 is the lag of a sweep that says none."""
PAIRS = (
    ("tpe, lag 0", RANDOM),
    ("tpe, lag 4", RANDOM),
    ("gp, lag 0", RANDOM),
    ("gp, lag 4", RANDOM),
    ("tpe, lag 0", "Optuna's TPE"),
    ("gp, lag 0", "Optuna's GP"),
)
"""Pairs, of which the best of the first is compared with that of the second."""


def found(problem: Problem, contender: Contender, seed: int, trials: int) -> list[float]:
    """The values (trials,) of a search, in the order of its trials; infinite where one diverged."""
    from nnctl.sweep.study import read_study

    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "spec.yaml"
        spec.write_text(f"{problem.spec}  monitor: {_COLUMN}\n", encoding="utf-8")
        overrides = [f"seed={seed}", f"sweep.trials={trials}", f"sweep.sampler={contender.sampler}"]
        if contender.lag is not None:
            overrides.append(f"sweep.lag={contender.lag}")
        study = read_study(spec, overrides, Path(folder) / "sweep")
        return _by_optuna(study, contender.sampler, seed) if contender.lag is None else _by_sweep(study)


def _by_sweep(study: Study) -> list[float]:
    """The values of a sweep, its trials one after the other in this process."""
    from nnctl.sweep.search import Search

    study.claim()
    search, values = Search(study), []
    while (trial := search.following()) is not None:
        result = _trained(study, trial)
        search.tell(result)
        values.append(_value(result))
    return values


def _by_optuna(study: Study, sampler: str, seed: int) -> list[float]:
    """The values of Optuna's own loop over the same training, by its sampler as it is without settings."""
    import optuna

    from nnctl.sweep.optuna_terms import suggested

    def objective(trial: optuna.Trial) -> float:
        (made,) = study.runs(trial.number, study.space.point(partial(suggested, trial)))
        value = _value(_trained(study, made))
        return value if math.isfinite(value) else math.nan

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    made = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}[sampler]
    search = optuna.create_study(sampler=made(seed=seed))
    search.optimize(objective, n_trials=study.combinations)
    return [math.inf if trial.value is None else trial.value for trial in search.trials]


def _trained(study: Study, trial: Trial) -> TrialResult:
    """The result of a trial, trained in this process."""
    from nnctl.sweep.executors.contract import Failed, Trained, TrialTask
    from nnctl.sweep.executors.worker import train
    from nnctl.sweep.trial_result import TrialResult
    from nnctl.training.signals import StopRequest

    task = TrialTask(trial.number, trial.overrides, study.folder_of(trial))
    outcome = train(study.base, task, StopRequest())
    if isinstance(outcome, Trained):
        return TrialResult.of_summary(trial, task.folder, outcome.summary)
    if not isinstance(outcome, Failed) or outcome.status != "diverged":
        raise RuntimeError(f"trial {trial.number}, {' '.join(trial.overrides)}: {outcome}")
    return TrialResult(trial, str(task.folder), outcome.status, error=outcome.message, exit_code=outcome.exit_code)


def _value(result: TrialResult) -> float:
    value = result.value(_COLUMN)
    return math.inf if value is None else float(value)


def measure(
    problems: Sequence[Problem], repetitions: Mapping[Contender, int], trials: int, processes: int, done: Path
) -> list[dict[str, Any]]:
    """Rows of the results, one a problem: by contender the values of each repetition's trials, in their order.

    done: a file of the searches made before, which are not made again; those made now are added to it.
    """
    from nnctl.process.variables import one_thread

    known = _read(done)
    with one_thread(), ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        wanted = [(c, seed, p) for c, count in repetitions.items() for seed in range(count) for p in problems]
        # One repetition after the other, and those that take longest last: what is stopped has whole ones.
        wanted.sort(key=lambda each: (each[0].sampler == "gp", each[1]))
        under_way = {
            pool.submit(found, problem, contender, seed, trials): key
            for contender, seed, problem in wanted
            if (key := (problem.name, contender.name, seed, trials)) not in known
        }
        for future in as_completed(under_way):
            key = under_way[future]
            known[key] = future.result()
            with done.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*key, known[key]]) + "\n")
            print(f"{key[0]}: {key[1]}, repetition {key[2]}: {min(known[key]):.4g}", flush=True)
    return [
        {
            "problem": problem.name,
            "values": {
                contender.name: [known[problem.name, contender.name, seed, trials] for seed in range(count)]
                for contender, count in repetitions.items()
            },
        }
        for problem in problems
    ]


def _read(done: Path) -> dict[tuple[str, str, int, int], list[float]]:
    """The searches of a file: values by problem, contender, repetition and number of trials."""
    lines = done.read_text(encoding="utf-8").splitlines() if done.exists() else []
    return {(problem, name, seed, trials): v for problem, name, seed, trials, v in map(json.loads, lines)}


def best(values: Sequence[Sequence[float]]) -> list[float]:
    """The best value of each repetition (repetitions,)."""
    return [min(each) for each in values]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean of some values and half of its 95 % interval, by Student's t; infinite for one value."""
    from scipy.stats import t

    count = len(values)
    if count < 2:
        return statistics.fmean(values), math.inf
    error = statistics.stdev(values) / math.sqrt(count)
    return statistics.fmean(values), float(t.ppf(0.975, count - 1)) * error


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """The geometric mean of ratios in pairs, and both ends of its 95 % interval: of the repetitions that both have."""
    mean, half = interval([math.log(a / b) for a, b in zip(ours, theirs)])
    return math.exp(mean), math.exp(mean - half), math.exp(min(mean + half, 700.0))


def _mean(values: Sequence[float]) -> str:
    mean, half = interval(values)
    return f"{mean:.3g} ± {half:.2g}"


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Two tables in Markdown: the mean of the best values, and their ratios, bold where 1 is outside the interval."""
    names = [contender.name for contender in CONTENDERS]
    lines = [f"| problem | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for row in rows:
        cells = [_mean(best(row["values"][name])) if name in row["values"] else "–" for name in names]
        lines.append(f"| {row['problem']} | {' | '.join(cells)} |")
    heads = " | ".join(f"{ours} / {theirs}" for ours, theirs in PAIRS)
    lines += ["", f"| problem | {heads} |", "|---|" + "---|" * len(PAIRS)]
    for row in rows:
        lines.append(f"| {row['problem']} | {' | '.join(_ratio_cell(row['values'], *pair) for pair in PAIRS)} |")
    return lines


def _ratio_cell(values: Mapping[str, Sequence[Sequence[float]]], ours: str, theirs: str) -> str:
    if ours not in values or theirs not in values:
        return "–"
    mean, low, high = ratio(best(values[ours]), best(values[theirs]))
    mark = "**" if high < 1.0 or low > 1.0 else ""
    return f"{mark}{mean:.2f}{mark} ({low:.2f}–{high:.2f})"


def main(arguments: Sequence[str]) -> None:
    """Search, print the tables and keep them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks search", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORDS", help="problems whose name contains this")
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--gp-repetitions", type=int, help="of those with gp, each proposal of which takes a while")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=cores(), help="processes")
    parser.add_argument("--done", type=Path, metavar="FILE", help="keep each search there, and make none again")
    parser.add_argument("--no-save", action="store_true", help="print the tables alone, as with --only")
    parser.add_argument("--quick", action="store_true", help="see that everyone runs: few trials, nothing kept")
    options = parser.parse_args(arguments)
    chosen = [p for p in PROBLEMS if any(words.casefold() in p.name.casefold() for words in options.only or ("",))]
    if options.quick:
        options.repetitions, options.trials, options.jobs = 2, 2, 1
    of_gp = options.repetitions if options.gp_repetitions is None else options.gp_repetitions
    counts = {c: of_gp if c.sampler == "gp" else options.repetitions for c in CONTENDERS if c.installed}
    repetitions = {contender: count for contender, count in counts.items() if count}
    result = machine()
    with tempfile.TemporaryDirectory() as folder:
        done = options.done or Path(folder) / "done.jsonl"
        rows = measure(chosen, repetitions, options.trials, options.jobs, done)
    lines = [
        f"The lowest cost on validation after {options.trials} trials, mean of {options.repetitions} repetitions, of "
        f"{of_gp} for gp, with its 95 % interval; below, ratios in pairs, below 1 where the first is better, geometric "
        f"mean with its 95 % interval; {words_of(result)}, {result['date']}.",
        "",
        *lines_of(rows),
    ]
    print("\n" + "\n".join(lines))
    if not (options.no_save or options.quick or options.only):
        kept = {"repetitions": options.repetitions, "gp_repetitions": of_gp, "trials": options.trials}
        packages = versions(("nnctl", "numpy", "optuna", "torch"))
        found_best = [
            {"problem": row["problem"], "best": {name: best(values) for name, values in row["values"].items()}}
            for row in rows
        ]
        keep("search", result | kept | {"versions": packages, "rows": found_best}, "\n".join(lines))
