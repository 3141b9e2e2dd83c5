"""`nnctl sweep fetch`: a sweep at an address as a folder here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnctl.cli.options import Quiet


def fetch(
    url: Annotated[str, typer.Argument(help="The address of the sweep.", metavar="URL", show_default=False)],
    folder: Annotated[Path, typer.Argument(help="The folder to make.", metavar="DIR", show_default=False)],
    quiet: Quiet = False,
) -> None:
    """Copy a sweep from its address to a folder, which every command takes.

    Its trials are run folders there, with their checkpoints, as if they had been
    trained there; a sweep that is not done is copied as it is. The exit code is 2
    where URL holds no sweep, or DIR is there already.
    """
    from nnctl.errors import UsageError
    from nnctl.runs.addresses import Address, is_address, require_slashes
    from nnctl.sweep.away import fetch as copy

    require_slashes(url)
    if not is_address(url):
        raise UsageError(f"{url}: is no address\n  for example s3://bucket/name")
    count = copy(Address(url), folder)
    if not quiet:
        typer.echo(f"{folder}: {count:,} trial{'' if count == 1 else 's'}", err=True)
