"""`nnctl trace`: one example forward and backward, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnctl.cli.options import Checkpoint, Example, Force, Overrides, require_file

if TYPE_CHECKING:
    from nnctl.analysis.trace.stages import Trace


def trace(
    spec: Annotated[
        Path,
        typer.Argument(help="The spec: a YAML file, a run, or - for stdin.", metavar="SPEC|RUN", show_default=False),
    ],
    set_: Overrides = None,
    example: Example = 0,
    split: Annotated[
        str, typer.Option("--split", metavar="train|validation|test", help="The examples it is one of.")
    ] = "train",
    checkpoint: Checkpoint = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="table|json|jsonl|html", help="A table on a terminal if absent, else jsonl."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the page of the format html there.")
    ] = None,
    force: Force = False,
    full: Annotated[bool, typer.Option("--full", help="In JSON every number of every array.")] = False,
    stepwise: Annotated[
        bool, typer.Option("--stepwise", help="A stage at a time: Enter or space goes on, q ends.")
    ] = False,
) -> None:
    """Show one example's training step with every number worked out.

    Forward, the cost, backward by the four equations of backpropagation, the
    regularizer's part, clipping and the update: each array of the training step's
    graph with its formula and the numbers put in. A spec has its first weights, a
    run those that it was trained to. Of large arrays the first numbers, norm and
    extremes. A batch of one example is traced, in float64. The format html is one
    page, with the net drawn where it is small; it needs no network and no script.
    """
    import sys

    from nnctl.cli.printing import print_json
    from nnctl.errors import UsageError, require_choice
    from nnctl.inference.tracing import traced
    from nnctl.reporting.new_file import new_file, require_new
    from nnctl.screen.keys import has_keys

    chosen = form or ("html" if out is not None else "table" if sys.stdout.isatty() or stepwise else "jsonl")
    require_choice("--format", chosen, ("table", "json", "jsonl", "html"))
    if stepwise and (chosen != "table" or not has_keys()):
        raise UsageError(
            "--stepwise waits for keys, and needs a terminal and the format table\n  leave it out to see all"
        )
    if full and chosen not in ("json", "jsonl"):
        raise UsageError(f"--full is for JSON: of a large array a {chosen} has the first numbers\n  add --format json")
    require_file(out, "--out", force=force)
    if out is not None:
        if chosen != "html":
            raise UsageError(f"--out {out}: is for the format html; others are written to stdout")
        require_new(out, "--out", force=force)
    found = traced(spec, example, split=split, checkpoint=checkpoint, overrides=set_ or ())
    if chosen == "json":
        print_json(found.data(whole=full))
    elif chosen == "jsonl":
        for row in found.rows(whole=full):
            print_json(row)
    elif chosen == "html":
        from nnctl.report.trace import trace_page

        page = trace_page(found)
        if out is None:
            print(page, end="")
            return
        with new_file(out, "--out", force=force) as file:
            file.write(page.encode())
    else:
        _show(found, stepwise=stepwise)


def _show(found: Trace, *, stepwise: bool) -> None:
    import sys
    from contextlib import nullcontext

    from nnctl.analysis.trace.text import heading, stage_lines
    from nnctl.screen.console import Console
    from nnctl.screen.keys import goes_on, single_keys

    console = Console(sys.stdout)
    for line in heading(found):
        console.say(line)
    with single_keys() if stepwise else nullcontext():
        for number, stage in enumerate(found.stages, 1):
            if stepwise and not goes_on():
                return
            first, *rest = stage_lines(stage, number, len(found.stages))
            console.say(f"\n{first}", "bold")
            for line in rest:
                console.say(line)
