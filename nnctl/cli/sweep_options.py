"""The options of `nnctl sweep`, grouped by what they say: what is tried, what is best, where it runs, what is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from nnctl.late import dataclass


@dataclass(frozen=True)
class SearchOptions:
    """Settings to try, in how many runs, and what ends early."""

    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", metavar="PATH=A,B,C", help="Try these values; repeatable, all combinations."),
    ] = None
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--space", metavar="PATH=LOW:HIGH[:log|:STEP]", help="Draw from this range, or a distribution; repeatable."
        ),
    ] = None
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="Points of what --space names; more go on.")
    ] = None
    sampler: Annotated[
        str | None,
        typer.Option("--sampler", metavar="SAMPLER", help="random, qmc, grid; tpe, gp and cmaes learn from results."),
    ] = None
    pruner: Annotated[
        str | None,
        typer.Option("--pruner", metavar="PRUNER", help="median, percentile, patience, halving, hyperband, wilcoxon."),
    ] = None
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", help="Train each combination with N seeds; ranks means.")
    ] = None
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds", metavar="K", help="Cross-validate: K runs, each validated on its own part; ranks means."
        ),
    ] = None

    def overrides(self) -> Iterator[str]:
        """The options as overrides of the spec's sweep section. Raises UsageError."""
        from nnctl.sweep import section_overrides

        yield from map(section_overrides.grid, self.grid or ())
        yield from map(section_overrides.space, self.space or ())
        yield from section_overrides.fields(
            sampler=self.sampler, trials=self.trials, pruner=self.pruner, seeds=self.seeds, folds=self.folds
        )


@dataclass(frozen=True)
class RankingOptions:
    """Measures by which trials are ranked and judged."""

    monitor: Annotated[
        list[str] | None,
        typer.Option(
            "--monitor", metavar="COLUMN", help="Rank by this column, by several; what the runs monitor if absent."
        ),
    ] = None
    constraint: Annotated[
        list[str] | None,
        typer.Option("--constraint", metavar="COMPARISON", help="What a trial has to meet; repeatable."),
    ] = None
    ensemble: Annotated[
        int | None,
        typer.Option("--ensemble", metavar="N", help="At the end judge the N best trials together, by vote and mean."),
    ] = None

    def overrides(self) -> Iterator[str]:
        """The options as overrides of the spec's sweep section."""
        from nnctl.sweep import section_overrides

        yield from section_overrides.fields(
            monitor=section_overrides.listing(self.monitor),
            constraints=section_overrides.listing(self.constraint, always=True),
            ensemble=self.ensemble,
        )


@dataclass(frozen=True)
class ExecutionOptions:
    """The machines that trials run on, and how many run at a time."""

    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            metavar="N",
            min=1,
            help="Trials at a time; as many as do best if absent; all a cluster takes.",
        ),
    ] = None
    on: Annotated[
        str, typer.Option("--on", metavar="WHERE", help="local, a Dask scheduler dask://HOST:8786, or slurm.yaml.")
    ] = "local"


@dataclass(frozen=True)
class StudyOptions:
    """The place of a study, what it knows before it begins, and where it is told at the end."""

    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="DIR|URL", help="The sweep's folder, or s3://…; runs/<name>/sweep-<key> if absent."
        ),
    ] = None
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FILE|URL", help="A database with a study of Optuna, known results to begin with."
        ),
    ] = None
    from_study: Annotated[
        str | None, typer.Option("--from-study", metavar="NAME", help="Of --from, where it holds several.")
    ] = None
    export: Annotated[
        str | None,
        typer.Option("--export", metavar="FILE|URL", help="At the end write it to a database, as a study of Optuna."),
    ] = None

    def source(self) -> tuple[str, str | None] | None:
        """The database and the study's name in it, if that is said; None without. Raises UsageError."""
        from nnctl.cli.modes import refuse

        if self.from_ is None:
            refuse("a sweep that begins with no study", {"--from-study": self.from_study}, "--from says the database")
            return None
        return self.from_, self.from_study
