"""`nnctl show`: the curves of runs in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from nnctl.cli.options import Columns, RunArguments, split_columns


def show(
    runs: RunArguments,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Follow runs that are training, until they end.")
    ] = False,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="epoch|step|seconds", help="Draw the curves over this column; epoch if absent."),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Draw costs on a logarithmic axis.")] = False,
    columns: Columns = None,
) -> None:
    """Draw the curves of runs: cost, metric, learning rate.

    Above them stand the state of each run, its best row, and while it trains
    the time that is left at most. Several runs are drawn over one another. In a
    pipe stdout has the rows instead, one JSON object a line, of --columns these
    alone, with --watch as they come. With --watch it ends with the run;
    Ctrl-C ends it with 130 and leaves the run alone.
    """
    import sys

    from nnctl.cli.modes import refuse
    from nnctl.cli.printing import print_json
    from nnctl.errors import require_choice
    from nnctl.overview import showing
    from nnctl.overview.panels import AXES
    from nnctl.runs.find import find
    from nnctl.runs.following import Followed
    from nnctl.screen.console import Console, columns_of

    if by is not None:
        require_choice("--by", by, AXES, "axis")
    names = split_columns(columns)
    if not sys.stdout.isatty():
        refuse("the rows in a pipe", {"--by": by, "--log": log}, "curves are drawn on a terminal")
    followed = [Followed(find(path)) for path in runs]
    if not sys.stdout.isatty():
        for row in showing.rows_of(followed, names, until_end=watch):
            print_json(row)
        return
    view = showing.View(by or "epoch", log, tuple(names))
    # Whose width is the terminal's at each moment.
    seen = showing.watch(followed, view, Console(sys.stdout)) if watch else [run.look() for run in followed]
    showing.show(seen, view, Console(sys.stdout, columns_of(sys.stdout)))
