"""`nnctl sweep`: many trainings of one spec, to find the settings that serve best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nnctl.sweep.ensemble import Ensemble
    from nnctl.sweep.objectives import Objective
    from nnctl.sweep.ranking import Standing
    from nnctl.sweep.result import TrialResult
    from nnctl.sweep.results import Results
    from nnctl.sweep.study import Study


def sweep(
    spec: Annotated[
        Path, typer.Argument(help="The spec, a YAML file; - reads it from stdin.", metavar="SPEC", show_default=False)
    ],
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", metavar="PATH=A,B,C", help="Try these values; repeatable, all combinations."),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--space", metavar="PATH=LOW:HIGH[:log|:STEP]", help="Draw from this range, or a distribution; repeatable."
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="Points of what --space names; more go on.")
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option("--sampler", metavar="NAME", help="random, qmc, grid; tpe, gp and cmaes learn from results."),
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option("--pruner", metavar="NAME", help="median, percentile, patience, halving, hyperband, wilcoxon."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", help="Train each combination with N seeds; ranks means.")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds", metavar="K", help="Cross-validate: K runs, each validated on its own part; ranks means."
        ),
    ] = None,
    monitor: Annotated[
        list[str] | None,
        typer.Option(
            "--monitor", metavar="COLUMN", help="Rank by this column, by several; what the runs monitor if absent."
        ),
    ] = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option("--constraint", metavar="COMPARISON", help="What a trial has to meet; repeatable."),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option("--ensemble", metavar="N", help="At the end judge the N best trials together, by vote and mean."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes at a time.")] = 1,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a value of the spec for all trials; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The sweep's folder; runs/<name>/sweep-<key> if absent.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.")] = False,
) -> None:
    """Train a spec with many settings and rank them.

    What is searched: the options, added to the spec's `sweep` section. The
    same line run again goes on where it stopped. In a pipe, stdout has one
    JSON object a trial, by number, and one more for an ensemble. A trial that
    fails is reported and ends nothing; if none finishes, the exit code is that
    of the first. Where the machine left trials undone, for want of memory or
    disk, it is 2: the same line again goes on with them.
    """
    import sys
    from contextlib import closing

    from nnctl.errors import Interrupted, RunError
    from nnctl.sweep import options, runner
    from nnctl.sweep.executors.local import LocalProcesses, require_processes
    from nnctl.sweep.results import write_results
    from nnctl.sweep.study import read_study
    from nnctl.training.signals import stop_on_signals

    shortcuts = {
        "sweep.sampler": sampler,
        "sweep.trials": trials,
        "sweep.pruner": pruner,
        "sweep.seeds": seeds,
        "sweep.folds": folds,
        "sweep.monitor": options.listing(monitor),
        "sweep.constraints": options.listing(constraint, always=True),
        "sweep.ensemble": ensemble,
    }
    overrides = [
        *(set_ or ()),
        *map(options.grid, grid or ()),
        *map(options.space, space or ()),
        *(f"{path}={value}" for path, value in shortcuts.items() if value is not None),
    ]
    study = read_study(spec, overrides, out)
    if study.sweep.ensemble is not None:
        # Here and not above: the process that hands out trials has no use for what trains and judges nets.
        from nnctl.sweep.ensemble import require_one_split

        require_one_split(study)
    require_processes(jobs, study.count)
    executor = LocalProcesses(study.base, jobs)
    with stop_on_signals() as stop, closing(runner.run(study, executor, stop)) as running:
        results = list(_report(study, _watched(study, running, quiet), quiet))
    if stop.signal_number is not None:
        raise Interrupted(
            stop.signal_number,
            f"stopped with {len(results)} of {study.count} trials; the same line again goes on with the rest",
        )
    ranked = write_results(study, results)
    if ranked is not None:
        _conclude(study, ranked, table=sys.stdout.isatty(), quiet=quiet)
    if ranked is not None and study.sweep.ensemble is not None:
        _judge(study, study.sweep.ensemble, line=sys.stdout.isatty(), quiet=quiet)
    _settle(study, results)
    if ranked is not None and ranked.ranking[0].status == "failed":
        columns = " and ".join(objective.column for objective in ranked.objectives)
        raise RunError(
            f"{study.folder}: no trial has a number in {columns}, so none is the best\n  "
            "rank by another column: --monitor"
        )


def _settle(study: Study, results: list[TrialResult]) -> None:
    """End with an exit code where trials are missing, or none finished."""
    failed = [result for result in results if result.again]
    missing = len(failed) + study.count - len(results)
    if missing:
        of_all = f"{missing} of {study.count} trials"
        typer.echo(f"{of_all} could not be trained; the same line again goes on with them", err=True)
        raise typer.Exit(failed[0].exit_code)
    if all(result.status != "finished" for result in results):
        raise typer.Exit(next((result.exit_code for result in results if result.exit_code), 0))


def _report(study: Study, results: Iterable[TrialResult], quiet: bool) -> Iterator[TrialResult]:
    """Each result by number: an object a line in a pipe, and words for people where a trial failed."""
    import sys

    from nnctl.cli.printing import print_json
    from nnctl.process.signals import leavable
    from nnctl.sweep.runner import in_order

    for result in in_order(results):
        if not sys.stdout.isatty():
            # Where nobody reads, a signal ends the sweep all the same, and every trial is saved.
            with leavable(noted=False):
                print_json(_row(study, result))
        if result.error is not None and not quiet:
            settings = ", ".join(result.trial.overrides)
            typer.echo(f"trial {result.trial.number} ({settings}) {result.status}: {result.error}", err=True)
        yield result


def _row(study: Study, result: TrialResult) -> dict[str, Any]:
    own = () if result.monitored is None else (result.monitored,)
    columns = (study.sweep.objectives or own) if own else ()
    values = [result.value(column) for column in columns]
    several = len(study.sweep.objectives) > 1
    return {
        "trial": result.trial.number,
        "combination": result.trial.combination,
        "seed": result.trial.seed,
        "fold": None if result.trial.fold is None else result.trial.fold[0],
        "settings": dict(result.trial.settings),
        "status": result.status,
        "rung": result.rung,
        "monitor": list(columns) if several else next(iter(columns), None),
        "value": values if several else next(iter(values), None),
        "metrics": dict(result.metrics),
        "seconds": result.seconds,
        "error": result.error,
        "folder": result.folder,
    }


def _watched(study: Study, results: Iterator[TrialResult], quiet: bool) -> Iterator[TrialResult]:
    """The results as they come, with a progress bar where stderr is a terminal."""
    import sys

    if quiet or not sys.stderr.isatty():
        yield from results
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from nnctl.screen.console import Bar, Console

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Bar(*columns, console=Console(sys.stderr)) as progress:
        bar = progress.add_task("trials", total=study.count)
        for result in results:
            progress.advance(bar)
            yield result


def _conclude(study: Study, results: Results, *, table: bool, quiet: bool) -> None:
    """Show the ranking on a terminal, and say whether the seeds support it."""
    from nnctl.cli.printing import print_rows
    from nnctl.sweep.ranking import within_noise

    objectives, ranking = results.objectives, results.ranking
    several = study.sweep.seeds > 1 or study.sweep.folds is not None
    if table:
        pruned = any(standing.status == "pruned" for standing in ranking)
        print_rows([_standing(standing, objectives, several, pruned) for standing in ranking])
    if quiet:
        return
    best, first = ranking[0], objectives[0]
    if len(objectives) > 1 and best.front == 0:
        count = sum(standing.front == 0 for standing in ranking)
        others = "one combination is" if count == 1 else f"{count} combinations are"
        typer.echo(f"{others} worse than no other in every objective: front 0", err=True)
    elif best.means is not None and best.standard_errors is not None:
        mean, error = best.means[first.column], best.standard_errors[first.column]
        runs = len(best.trials) - best.failed
        typer.echo(f"best {first.column}: {mean:.4g} ± {error:.2g} over {runs} runs", err=True)
    if best.means is not None and not best.feasible:
        typer.echo("no trial meets every constraint; the first breaks them least", err=True)
    typer.echo(f"results in {study.folder}", err=True)
    if len(objectives) == 1 and (close := len(within_noise(ranking, first))):
        others = f"{close} other combination{'s' if close > 1 else ''}"
        typer.echo(f"the best is within two standard errors of {others}: more seeds would tell", err=True)


def _judge(study: Study, count: int, *, line: bool, quiet: bool) -> None:
    """The ensemble of the best trials: a line under the table on a terminal, an object in a pipe."""
    from nnctl.cli.printing import print_json
    from nnctl.sweep.ensemble import judge_best

    ensemble = judge_best(study, count)
    members = 0 if ensemble is None else len(ensemble.trials)
    if members < count and not quiet:
        typer.echo(f"an ensemble of {members} trials, not of {count}: no more of them finished", err=True)
    if ensemble is None:
        return
    if line:
        typer.echo(_sentence(ensemble))
    else:
        print_json(ensemble.as_json())


def _sentence(ensemble: Ensemble) -> str:
    """The accuracy, or the mean squared error, of all together and of the best alone."""
    name = next(iter(ensemble.mean))
    reached = {"by mean": ensemble.mean, "by vote": ensemble.vote, "the best alone": ensemble.members[0]}
    words = ", ".join(f"{measured[name]:.4g} {how}" for how, measured in reached.items() if name in measured)
    trials = ", ".join(map(str, ensemble.trials))
    return f"ensemble of trials {trials}: {ensemble.split} {name.replace('_', ' ')} {words}"


def _standing(standing: Standing, objectives: Sequence[Objective], several: bool, pruned: bool) -> dict[str, Any]:
    row: dict[str, Any] = dict(standing.settings)
    for objective in objectives:
        row[objective.column] = standing.reached if standing.means is None else standing.means[objective.column]
        if several:
            name = "standard error" if len(objectives) == 1 else f"error of {objective.column}"
            row[name] = standing.standard_errors and standing.standard_errors[objective.column]
    if len(objectives) > 1:
        row["front"] = standing.front
    if standing.excesses:
        row["meets constraints"] = standing.feasible
    if pruned:
        row["pruned after"] = standing.step if standing.status == "pruned" else None
    return {**row, "failed": standing.failed, "trials": list(standing.trials)}
