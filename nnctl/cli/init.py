"""`nnctl init`: a first spec for data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnctl.cli.options import Force, require_file


def init(
    data: Annotated[
        Path,
        typer.Argument(
            help="A table, a folder of pictures, .npz, .npy, idx or .txt.", metavar="FILE|FOLDER", show_default=False
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="NAME", help="The column to predict; of arrays the name or file of targets."),
    ] = None,
    sheet: Annotated[
        str | None, typer.Option("--sheet", metavar="NAME", help="The sheet of a workbook, where several have cells.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the spec to FILE instead of stdout.")
    ] = None,
    force: Force = False,
) -> None:
    """Look at data and write a spec that trains, with reasons.

    The spec goes to stdout, with paths from the working folder, or to --out, with
    paths from there. What was left out and what is doubtful is said on stderr.
    """
    from nnctl.proposals.propose import propose
    from nnctl.reporting.new_file import new_file

    require_file(out, "--out", force=force)
    proposal = propose(data, target, Path() if out is None else out.parent, sheet)
    if out is None:
        typer.echo(proposal.text, nl=False)
    else:
        with new_file(out, "--out", force=force) as file:
            file.write(proposal.text.encode())
    for sentence in proposal.advice:
        typer.echo(f"note: {sentence}", err=True)
