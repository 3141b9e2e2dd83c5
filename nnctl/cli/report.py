"""`nnctl report`: a page on runs and sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnctl.cli.options import Force, Quiet


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs or sweeps, or folders with such.", metavar="RUN...", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The page to write; - is stdout.")] = Path(
        "report.html"
    ),
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write a page on runs and sweeps, one HTML file for a browser.

    It needs no network. Several runs are compared: where their specs differ,
    their curves, the mean and the spread of those that differ by their seed
    alone. Of a folder all runs in it, at most 60, the newest. A run may be
    training; one that is damaged is named on the page. The exit code is 2
    where no run can be read.
    """
    import sys

    from nnctl.cli.modes import refuse
    from nnctl.report.report import report_on
    from nnctl.reporting.new_file import new_file, require_new
    from nnctl.screen.characters import word

    if out == Path("-"):
        refuse("--out -", {"--force": force}, "nothing on stdout is overwritten")
    else:
        require_new(out, "--out", force=force)
    page = report_on(runs).encode()
    if out == Path("-"):
        sys.stdout.buffer.write(page)
        return
    with new_file(out, "--out", force=force) as file:
        file.write(page)
    if not quiet:
        typer.echo(f"{word(str(out))}: {len(page) / 1000:,.0f} KB", err=True)
