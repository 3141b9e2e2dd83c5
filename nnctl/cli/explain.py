"""`nnctl explain`: every value of a spec, and why it is what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def explain(
    spec: Annotated[Path, typer.Argument(help="The spec, a YAML file.", metavar="SPEC", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a value of the spec; repeatable."),
    ] = None,
    under: Annotated[
        str, typer.Option("--under", metavar="PATH", help="Only what lies at or under this path, e.g. layers.2.")
    ] = "",
) -> None:
    """Show every value of a spec and where it came from.

    A table on a terminal, one JSON object a line in a pipe.
    """
    from nnctl.cli.printing import print_rows
    from nnctl.errors import UsageError
    from nnctl.spec.load import load_spec
    from nnctl.spec.origins import origins

    loaded = load_spec(spec, set_ or ())
    shown = [o for o in origins(loaded) if not under or o.path == under or o.path.startswith(f"{under}.")]
    if not shown:
        raise UsageError(f"the spec has nothing at {under!r}")
    print_rows(
        [
            {"path": o.path, "value": o.value, "from": o.words, "about": o.description, "formula": o.formula}
            for o in shown
        ]
    )
