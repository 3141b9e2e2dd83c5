"""`nnctl export`: a trained net in a file of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnctl.cli.options import Checkpoint, Force, RunArgument


def export(
    run: RunArgument,
    out: Annotated[
        Path,
        typer.Argument(
            help="The file; its ending says the format: .onnx, .safetensors, .py.", metavar="OUT", show_default=False
        ),
    ],
    checkpoint: Checkpoint = None,
    check: Annotated[
        bool | None,
        typer.Option(
            "--check/--no-check",
            help="Of .onnx and .py: run the file on rows of the run's data, and refuse it where it answers otherwise; "
            "done if absent.",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="torch|keras|nnctl",
            help="Of .safetensors: whose names, shapes and order the weights have; ours if absent.",
        ),
    ] = None,
    encoded: Annotated[
        bool | None,
        typer.Option(
            "--encoded",
            help="Of .onnx and .py: the net alone, which takes the numbers that training made of a table's columns.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Export a trained net to a file that other tools read.

    model.onnx holds the whole way from raw inputs to answers, as predict gives them: it needs the extra `onnx`.
    The file is run in onnxruntime on rows of the run's data in batches of 1, 7 and 64; where an answer differs by
    more than 1e-5 of the largest, there is no file, and the exit code is 5. model.safetensors holds the weights, with
    a table of names beside it, model.names.csv; net.py is a program that needs NumPy alone, with its arrays beside
    it, and is checked as well. What a file holds, in a row each: a table on a terminal, JSON Lines in a pipe.
    """
    import sys

    from nnctl.cli.printing import print_rows
    from nnctl.exchange.export import export as write
    from nnctl.exchange.formats import Options

    exported = write(
        run, out, Options(check=check, layout=layout, encoded=encoded or None), checkpoint=checkpoint, force=force
    )
    for note in exported.notes:
        print(note, file=sys.stderr)
    print_rows(exported.rows)
