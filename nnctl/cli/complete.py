"""`nnctl complete`, which the completion scripts call for what they cannot know by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnctl.cli.completion.tree import Kind


def complete(
    kind: Annotated[Kind, typer.Argument(help="What to complete.")],
    prefix: Annotated[str, typer.Argument(help="The word so far.")] = "",
    spec: Annotated[Path | None, typer.Option(help="The spec that the line names.")] = None,
) -> None:
    """Print candidates that begin with PREFIX, one a line, each with a tab and what it is."""
    from nnctl.cli.completion.candidates import candidates

    for value, words in candidates(kind, prefix, spec):
        typer.echo(f"{value}\t{words}" if words else value)
