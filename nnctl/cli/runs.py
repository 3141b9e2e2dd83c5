"""`nnctl runs`: which runs there are, where two differ, which is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnctl.cli.branching import Branching
from nnctl.cli.options import Columns, Limit, Quiet, RowFormat, row_format, rows_at_most, split_columns

if TYPE_CHECKING:
    from nnctl.overview.listing import Listing

Folder = Annotated[
    Path, typer.Argument(help="Runs at and below it; runs/ if absent.", metavar="[FOLDER]", show_default=False)
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="PATH=VALUE",
        help="Only runs that meet it, or a formula as 'layers.0.units >= 30'; repeatable.",
    ),
]
Trials = Annotated[bool, typer.Option("--with-trials", help="Also the trials of sweeps below FOLDER.")]


def list_(
    folder: Folder = Path("runs"),
    where: Where = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="FIELD", help="Order by it: the best first of what was measured, else the least."
        ),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    columns: Columns = None,
    trials: Trials = False,
    limit: Limit = None,
    form: RowFormat = None,
    tensorboard_dir: Annotated[
        Path | None,
        typer.Option(
            "--tensorboard-dir", metavar="DIR", help="Write the scalars of each run below DIR, for TensorBoard."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """List runs: state, epochs, seconds and the monitored column.

    A field is a column of the rows (validation_accuracy: with the weights that
    the run ended with), a field of summary.json (best.epoch, parameters), a
    path of the spec (optimizer.type, layers.-1.units) or of origin.json
    (started). Trials of sweeps are left out below FOLDER, not where it is a
    sweep's own. Runs that cannot be read are named on stderr, and hide no
    other; where none can be read the exit code is 2.
    """
    from nnctl.overview import listing
    from nnctl.overview.fields import USUAL

    chosen = row_format(form)
    names = split_columns(columns)
    more = [*(name for text in where or () for name in listing.read_condition(text).names), *([sort] if sort else [])]
    found = listing.list_runs(folder, where or (), [*(names or USUAL), *more], trials=trials)
    _tell(found, quiet=quiet)
    runs = found.runs
    if runs and sort is not None:
        runs = listing.ordered(runs, sort, backwards=reverse)
    elif reverse:
        runs = runs[::-1]
    most = rows_at_most(limit, chosen, len(runs))
    _print(listing.rows_of(runs[:most], names, more) if runs else [], chosen)
    if len(runs) > most and not quiet:
        typer.echo(f"… and {len(runs) - most:,} more runs; --limit N shows more of them", err=True)
    if tensorboard_dir is not None:
        from nnctl.reporting.tensorboard import export

        for run in runs:
            export(run.run, tensorboard_dir)


def best(
    folder: Folder = Path("runs"),
    monitor: Annotated[
        str | None, typer.Option("--monitor", metavar="COLUMN", help="By this column; what the runs monitor if absent.")
    ] = None,
    where: Where = None,
    columns: Columns = None,
    trials: Trials = False,
    form: RowFormat = None,
    quiet: Quiet = False,
) -> None:
    """Show the best finished run, by its numbers with the weights it ended with."""
    from nnctl.overview import listing

    chosen, names = row_format(form), split_columns(columns)
    more = [monitor] if monitor else []
    found = listing.list_runs(folder, where or (), ["monitor", *names, *more], trials=trials)
    _tell(found, quiet=quiet)
    _print(listing.rows_of([listing.best_run(found.runs, monitor)], names, more), chosen)


def diff(
    a: Annotated[
        Path, typer.Argument(help="A run folder; of a sweep's the best trial.", metavar="A", show_default=False)
    ],
    b: Annotated[Path, typer.Argument(help="Another one.", metavar="B", show_default=False)],
    form: RowFormat = None,
) -> None:
    """Compare two runs: specs, numbers, versions, data.

    Of the spec those paths that differ, of versions and data too; of the
    numbers all, with b − a.
    """
    from nnctl.overview.comparison import compare
    from nnctl.runs.find import find
    from nnctl.runs.outline import outline

    chosen = row_format(form)
    runs = [outline(find(path)) for path in (a, b)]
    rows = compare(*runs)
    heads = {"a": runs[0].name, "b": runs[1].name} if chosen == "table" and runs[0].name != runs[1].name else {}
    _print([{heads.get(key, key): value for key, value in row.items()} for row in rows], chosen)
    if not any(row["part"] == "spec" for row in rows):
        typer.echo("the specs are equal", err=True)


def _tell(found: Listing, *, quiet: bool) -> None:
    import sys

    for error in found.broken:
        # Not by `echo`, which takes escapes out of names where stderr is no terminal, and so gives others.
        print(error, file=sys.stderr)
    if found.sweeps and not quiet:
        count = len(found.sweeps)
        typer.echo(
            f"without the trials of {count:,} sweep{'' if count == 1 else 's'}; --with-trials lists them", err=True
        )
    if not found.runs and not quiet:
        typer.echo("no run", err=True)


def _print(rows: Sequence[Mapping[str, Any]], form: str) -> None:
    from nnctl.cli.printing import head, print_json, print_lines
    from nnctl.cli.tables import Column, print_table
    from nnctl.reporting.csv_table import csv_lines

    if form == "csv":
        print_lines(csv_lines(rows))
    elif form == "jsonl":
        for row in rows:
            print_json(row)
    elif rows:
        print_table([Column(head(name), [row[name] for row in rows]) for name in rows[0]])


app = typer.Typer(cls=Branching, invoke_without_command=True, subcommand_metavar="")
app.callback()(list_)
app.command("list")(list_)
app.command("diff")(diff)
app.command("best")(best)
