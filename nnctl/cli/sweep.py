"""`nnctl sweep`: many trainings of one spec, to find the settings that serve best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nnctl.cli.branching import Branching
from nnctl.cli.groups import grouped
from nnctl.cli.options import Overrides, Quiet, SpecArgument
from nnctl.cli.sweep_fetch import fetch
from nnctl.cli.sweep_options import ExecutionOptions, RankingOptions, SearchOptions, StudyOptions
from nnctl.cli.sweep_show import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nnctl.sweep.ensemble import Ensemble
    from nnctl.sweep.results_file import Ranked
    from nnctl.sweep.study import Study
    from nnctl.sweep.trial_result import TrialResult


@grouped
def sweep(
    spec: SpecArgument,
    *,
    search: SearchOptions,
    by: RankingOptions,
    execution: ExecutionOptions,
    set_: Overrides = None,
    asked: StudyOptions,
    quiet: Quiet = False,
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
    from functools import partial

    from nnctl.errors import Interrupted, RunError
    from nnctl.sweep import runner
    from nnctl.sweep.away import opened
    from nnctl.sweep.executors.choice import open_executor
    from nnctl.sweep.results_file import write_results
    from nnctl.sweep.study import read_study
    from nnctl.training.signals import stop_on_signals

    overrides = [*(set_ or ()), *search.overrides(), *by.overrides()]
    source = asked.source()
    with opened(asked.out, new=True) as (folder, found):
        study = read_study(spec, overrides, folder, source, found)
        if study.sweep.ensemble is not None:
            # Here and not above: the process that hands out trials has no use for what trains and judges nets.
            from nnctl.sweep.ensemble import require_one_split

            require_one_split(study)
        if asked.export is not None:
            from nnctl.sweep.optuna_export import require_writable

            require_writable(asked.export)
        executor = open_executor(execution.on, study, execution.jobs, None if quiet else partial(typer.echo, err=True))
        if not quiet and execution.jobs is not None:
            _tell_of_lag(study, execution.jobs)
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
        if ranked is not None and asked.export is not None:
            _export(study, asked.export, quiet=quiet)
        _settle(study, results)
        if ranked is not None and ranked.ranking[0].status == "failed":
            columns = " and ".join(objective.column for objective in ranked.objectives)
            raise RunError(
                f"{study.shown(str(study.folder))}: no trial has a number in {columns}, so none is the best\n  "
                "rank by another column: --monitor"
            )


def _tell_of_lag(study: Study, jobs: int) -> None:
    """Say so where fewer trials are under way at a time than are asked for."""
    if study.at_once is not None and jobs > study.at_once:
        most = f"{study.at_once} trial{'s are' if study.at_once > 1 else ' is'} under way at a time"
        words = f"each waits for the results of those further before it than sweep.lag, {study.sweep.lag}"
        typer.echo(f"-j {jobs}: at most {most}, for {words}", err=True)


def _export(study: Study, url: str, *, quiet: bool) -> None:
    from nnctl.sweep.optuna_export import export
    from nnctl.sweep.stored_sweep import read_sweep

    name = export(read_sweep(study.folder, study.away), url)
    if not quiet:
        typer.echo(f"exported as the study {name}", err=True)


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
    from nnctl.sweep.trial_rows import trial_object

    for result in in_order(results):
        if not sys.stdout.isatty():
            # Where nobody reads, a signal ends the sweep all the same, and every trial is saved.
            with leavable(noted=False):
                print_json(trial_object(result, study.sweep.objectives, study.shown))
        if result.error is not None and not quiet:
            settings = ", ".join(result.trial.overrides)
            typer.echo(f"trial {result.trial.number} ({settings}) {result.status}: {result.error}", err=True)
        yield result


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


def _conclude(study: Study, ranked: Ranked, *, table: bool, quiet: bool) -> None:
    """Show the ranking on a terminal, and say whether the seeds support it."""
    from nnctl.cli.printing import print_rows
    from nnctl.sweep.ranking_rows import conclusions, ranking_rows

    objectives, ranking = ranked.objectives, ranked.ranking
    if table:
        print_rows(ranking_rows(ranking, objectives, several=study.several))
    if not quiet:
        for sentence in conclusions(ranking, objectives, study.shown(str(study.folder))):
            typer.echo(sentence, err=True)


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


app = typer.Typer(cls=Branching, invoke_without_command=True, subcommand_metavar="")
app.callback()(sweep)
app.command("show")(show)
app.command("fetch")(fetch)
