"""`nnctl sweep show`: what a sweep's folder knows, running, stopped or done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnctl.cli.options import Force, Limit, Quiet, RowFormat, require_file, row_format, rows_at_most

if TYPE_CHECKING:
    from nnctl.sweep.stored_sweep import StoredSweep


def show(
    folder: Annotated[
        str,
        typer.Argument(
            help="The sweep's folder, runs/<name>/sweep-<key>, or its address.", metavar="DIR|URL", show_default=False
        ),
    ],
    form: RowFormat = None,
    limit: Limit = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a row a trial, with all that is known; - is stdout."),
    ] = None,
    export: Annotated[
        str | None, typer.Option("--export", metavar="FILE|URL", help="Write it to a database, as a study of Optuna.")
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Show the ranking of a sweep again, from its folder alone.

    The sweep may be running, stopped or done: what has finished is ranked, and
    stderr counts the trials. Where seeds or folds repeat a combination, ± 95 %
    is the half width of a t-interval of the mean. Of ten combinations and more
    it tells how important each setting was, by PED-ANOVA. A table on a terminal;
    in a pipe one JSON object a combination, then the importance, and the
    objectives along every setting and over pairs of them. The exit code is 2 where DIR holds no
    sweep, or one of its files is damaged.
    """

    from nnctl.cli.modes import refuse
    from nnctl.cli.printing import print_lines
    from nnctl.reporting.csv_table import csv_lines
    from nnctl.reporting.new_file import new_file, require_new
    from nnctl.sweep.away import opened
    from nnctl.sweep.stored_sweep import read_sweep
    from nnctl.sweep.trial_rows import trial_rows

    chosen = row_format(form)
    require_file(table, "--csv", force=force)
    to_stdout = table == Path("-")
    if to_stdout:
        refuse(
            "--csv -", {"--format": form, "--limit": limit}, "they are of the ranking; --csv FILE leaves stdout to it"
        )
    if table is not None and not to_stdout:
        require_new(table, "--csv", force=force)
    with opened(folder, new=False) as (here, found):
        assert here is not None
        stored = read_sweep(here, found)
        if not quiet:
            for sentence in _sentences(stored):
                typer.echo(sentence, err=True)
        if table is not None and not to_stdout:
            with new_file(table, "--csv", force=force) as file:
                for text in csv_lines(trial_rows(stored.results, stored.study.shown)):
                    file.write(text.encode("utf-8", "surrogateescape"))
        if export is not None:
            from nnctl.sweep.optuna_export import export as write_study

            name = write_study(stored, export)
            if not quiet:
                typer.echo(f"exported as the study {name}", err=True)
        if to_stdout:
            print_lines(csv_lines(trial_rows(stored.results, stored.study.shown)))
        else:
            _show(stored, chosen, limit)


def _sentences(stored: StoredSweep) -> Iterator[str]:
    from nnctl.sweep.ranking_rows import conclusions
    from nnctl.sweep.stored_sweep import BEGUN

    counts = ", ".join(f"{count:,} {status}" for status, count in stored.counts.items())
    total = stored.study.count
    yield f"{total:,} trial{'' if total == 1 else 's'}: {counts}"
    if BEGUN in stored.counts:
        yield f"{BEGUN}: trained at this time, or left by a process that died; nothing at an address tells which"
    if stored.ranking:
        yield from conclusions(stored.ranking, stored.objectives, stored.study.shown(str(stored.study.folder)))
    else:
        yield "no trial has finished, so there is no ranking yet"


def _show(stored: StoredSweep, form: str, limit: int | None) -> None:
    from nnctl.cli.printing import head, print_json, print_lines
    from nnctl.cli.tables import Column, print_table
    from nnctl.reporting.csv_table import csv_lines
    from nnctl.sweep.analysis import contours, slices
    from nnctl.sweep.ranking_rows import ranking_rows

    most = rows_at_most(limit, form, len(stored.ranking))
    if form == "jsonl":
        for standing in stored.ranking[:most]:
            print_json({"event": "combination", **standing.as_json(), "intervals": standing.intervals})
        for column, shares in stored.importance.items():
            print_json({"event": "importance", "objective": column, "shares": shares})
        for each in slices(*stored.ranked):
            print_json(each.as_json())
        for contour in contours(*stored.ranked, stored.importance):
            print_json(contour.as_json())
        return
    several = stored.study.several
    rows = ranking_rows(stored.ranking[:most], stored.objectives, several=several, intervals=several)
    if form == "csv":
        print_lines(csv_lines(rows))
    elif rows:
        print_table([Column(head(name), [row[name] for row in rows]) for name in rows[0]])
        if len(stored.ranking) > most:
            typer.echo(
                f"… and {len(stored.ranking) - most:,} more combinations; --limit N shows more of them", err=True
            )
        if stored.importance:
            paths = list(next(iter(stored.importance.values())))
            columns = [Column(head(name), [round(of[p], 3) for p in paths]) for name, of in stored.importance.items()]
            print_table([Column("setting", paths), *columns], "importance, as shares of one")
