"""Arguments and options that several commands take, each with one name, one short form and one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SpecArgument = Annotated[
    Path, typer.Argument(help="The spec: a YAML file, a run, or - for stdin.", metavar="SPEC", show_default=False)
]
RunArgument = Annotated[
    Path, typer.Argument(help="The run's folder; of a sweep's the best trial.", metavar="RUN", show_default=False)
]
RunArguments = Annotated[
    list[Path], typer.Argument(help="Run folders; of a sweep's the best trial.", metavar="RUN...", show_default=False)
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a value of the spec; repeatable.")
]
Batch = Annotated[
    int | None, typer.Option("--batch", metavar="N", min=1, help="Examples a step; the spec's if absent.")
]
BackendOfSpec = Annotated[
    str | None, typer.Option("--backend", metavar="NAME", help="What runs the net; the spec's if absent.")
]
BackendOfRun = Annotated[
    str | None, typer.Option("--backend", metavar="NAME", help="What runs the net; the run's own if absent.")
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Instead of the spec's seed.")]
Checkpoint = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="best|last", help="The weights; those the run ended with if absent."),
]
Split = Annotated[
    str | None,
    typer.Option(
        "--split", metavar="train|validation|test", help="Whose examples; test if absent, or without one validation."
    ),
]
Example = Annotated[int, typer.Option("--example", metavar="N", min=0, help="The example, counted from 0.")]
RowFormat = Annotated[
    str | None,
    typer.Option("--format", metavar="table|jsonl|csv", help="A table on a terminal if absent, else jsonl."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="A,B,C", help="These columns instead of the usual ones; repeatable."),
]
_ROWS = 200
Limit = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help=f"Rows at most; {_ROWS} in a table if absent."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")]


def _silence(quiet: bool) -> bool:
    if quiet:
        from nnctl.cli import log_handler

        log_handler.silence()
    return quiet


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.", callback=_silence)]


def split_columns(columns: list[str] | None) -> list[str]:
    """The names that `Columns` says, in their order."""
    return [name.strip() for text in columns or () for name in text.split(",") if name.strip()]


def row_format(form: str | None) -> str:
    """The format that `RowFormat` says, or stdout where it is absent. Raises UsageError."""
    import sys

    from nnctl.errors import require_choice

    chosen = form or ("table" if sys.stdout.isatty() else "jsonl")
    require_choice("--format", chosen, ("table", "jsonl", "csv"))
    return chosen


def rows_at_most(limit: int | None, form: str, count: int) -> int:
    """The number of rows shown, of `count`: as many as `Limit` says; where it is absent all, but in a table."""
    return min(count, limit or (_ROWS if form == "table" else count))


def require_file(file: Path | None, option: str, *, force: bool) -> None:
    """Raise UsageError where `--force` has nothing to overwrite. option: the one that would name the file."""
    from nnctl.errors import UsageError

    if force and file is None:
        raise UsageError(f"--force lets {option} FILE overwrite a file, and there is no {option}")
