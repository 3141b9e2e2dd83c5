"""`nnctl data`: the data sets there are, fetched and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nnctl.cli.options import Overrides

app = typer.Typer(no_args_is_help=True, help="List, fetch and show data sets.")


@app.command("list")
def list_() -> None:
    """List the types of data: shape, classes, examples, and where each is.

    A table on a terminal, one JSON object a line in a pipe.
    """
    from nnctl.cli.printing import print_rows
    from nnctl.data.summary import rows_of_sources

    rows = rows_of_sources(Path())
    shown = ("name", "input_shape", "classes", "examples", "where", "about")
    print_rows(rows, [{key: _cell(row[key]) for key in shown} for row in rows])


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="A type of data that is downloaded, such as mnist.", metavar="SOURCE")],
) -> None:
    """Download a data set to the user's cache, unless it is on this machine.

    Prints the folder where it is.
    """
    from nnctl.data.summary import source_named

    source = source_named(name)
    source.fetch(Path())
    typer.echo(source.where(Path()))


@app.command("kept")
def kept(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it; runs in progress go on.")] = False,
) -> None:
    """List what is kept of data that do not fit into memory.

    A table on a terminal, one JSON object a line in a pipe. It is made anew where it is needed.
    """
    from nnctl.cli.printing import print_rows
    from nnctl.data.stored.folder import entries, remove
    from nnctl.errors import UsageError
    from nnctl.process.memory import in_bytes

    found = entries()
    rows: list[dict[str, Any]] = [
        {"source": each.source, "what": each.what, "bytes": each.size, "folder": str(each.folder)} for each in found
    ]
    if clear:
        for each in found:
            try:
                remove(each)
            except OSError as error:
                raise UsageError(f"{each.folder} cannot be removed: {error.strerror or error}") from error
    print_rows(rows, [{**row, "bytes": in_bytes(row["bytes"])} for row in rows])


@app.command("show")
def show(
    what: Annotated[
        str, typer.Argument(help="A spec, or a type of data such as digits.", metavar="SPEC|NAME", show_default=False)
    ],
    set_: Overrides = None,
) -> None:
    """Load a data set and show its splits: sizes, classes, range of the inputs.

    A table on a terminal, one JSON object a line in a pipe.
    """
    from nnctl.cli.printing import print_rows
    from nnctl.data.dataset import load_dataset
    from nnctl.data.summary import source_named, summarize
    from nnctl.errors import UsageError
    from nnctl.training.specs import names_spec, open_spec

    if names_spec(what):
        loaded = open_spec(Path(what), set_ or ())
        with loaded.pointing():
            dataset = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    elif set_:
        raise UsageError("--set overrides values of a spec, and this is none")
    else:
        dataset = load_dataset(source_named(what), Path(), 0)
    for sentence in dataset.advice:
        typer.echo(f"note: {sentence}", err=True)
    rows = summarize(dataset)
    print_rows(rows, [{key: _cell(value) for key, value in row.items()} for row in rows])


def _cell(value: Any) -> Any:
    """A shape as people write it; any other value as it is."""
    return ("×".join(map(str, value)) or "label") if isinstance(value, list) else value
