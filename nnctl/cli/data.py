"""`nnctl data`: the data sets there are, fetched and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="List, fetch and show data sets.")


@app.command("list")
def list_() -> None:
    """List the types of data: shape, classes, examples, and where each is.

    A table on a terminal, one JSON object a line in a pipe.
    """
    from nnctl.data.summary import catalogue

    rows = catalogue(Path())
    shown = ("name", "input_shape", "classes", "examples", "where", "about")
    _print(rows, [{key: _cell(row[key]) for key in shown} for row in rows])


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


@app.command("show")
def show(
    what: Annotated[
        str, typer.Argument(help="A spec, or a type of data such as digits.", metavar="SPEC|NAME", show_default=False)
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a value of the spec; repeatable."),
    ] = None,
) -> None:
    """Load a data set and show its splits: sizes, classes, range of the inputs.

    A table on a terminal, one JSON object a line in a pipe.
    """
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
    rows = summarize(dataset)
    _print(rows, [{key: _cell(value) for key, value in row.items()} for row in rows])


def _print(rows: list[dict[str, Any]], table: list[dict[str, str]]) -> None:
    """`rows` as JSON Lines in a pipe, `table` on a terminal."""
    import json
    import sys

    if not sys.stdout.isatty():
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    printed = Table(box=box.SIMPLE)
    for name in table[0]:
        printed.add_column(name.replace("_", " "), overflow="fold")
    for line in table:
        printed.add_row(*line.values())
    # Names of classes and folders may look like markup or emoji codes.
    Console(markup=False, emoji=False).print(printed)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
        case list():
            return "×".join(map(str, value)) or "label"
        case dict():
            return " ".join(f"{key}:{count:,}" for key, count in value.items())
        case _:
            return str(value)
