"""`nnctl evaluate`: what trained nets reach on a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnctl.cli.options import Checkpoint, RunArguments, Split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnctl.inference.evaluation import EvaluationResult


def evaluate(
    runs: RunArguments,
    split: Split = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Labelled examples of a file or folder, instead of a split.",
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", metavar="K", help="Also count answers among the K largest outputs.")
    ] = None,
    best: Annotated[
        int | None,
        typer.Option("--best", metavar="N", min=1, help="The N best runs of each sweep folder that RUN names."),
    ] = None,
    augment: Annotated[
        int,
        typer.Option("--augment", metavar="N", min=0, help="Mean outputs over N augmented copies and the original."),
    ] = 0,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="AUGMENTATION", help="For --augment, instead of the run's own; repeatable."),
    ] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="NAME", help="What runs the nets; each run's own if absent.")
    ] = None,
    confusion: Annotated[
        bool, typer.Option("--confusion", help="Also show which classes are taken for which.")
    ] = False,
) -> None:
    """Measure trained nets on a split, or on new labelled data.

    Several runs are also judged together: by vote, and by the mean of their outputs.
    With --augment each answers by its mean over changed copies of an example.
    A table on a terminal, one JSON object a line in a pipe.
    """
    import sys

    from nnctl.cli.printing import print_json
    from nnctl.errors import UsageError
    from nnctl.inference import evaluation
    from nnctl.inference.opened import open_run

    if split is not None and data is not None:
        raise UsageError("--split names a part of the run's own data, --data other examples: give one of them")
    if with_ and not augment:
        raise UsageError("--with says how to augment, and nothing is augmented\n  --augment 10 makes ten copies")
    if best is not None:
        from nnctl.runs.sweeps import best_runs

        runs = [run for folder in runs for run in best_runs(folder, best)]
    opened = [open_run(path, checkpoint, with_ or None, backend) for path in runs]
    if confusion and any(run.classes is None for run in opened):
        raise UsageError("--confusion: this net predicts values, not classes")
    if confusion and (most := max(len(run.classes or ()) for run in opened)) > evaluation.MOST_CONFUSED:
        raise UsageError(f"--confusion: {most:,} classes are too many for a table of all pairs")
    results = evaluation.evaluate(opened, split, data=data, top_k=top_k, copies=augment)
    if split is None and data is None and (taken := results[0].row["split"]) != "test":
        print(f"there is no test split: measured on {taken}, by which training may have chosen", file=sys.stderr)
    if sys.stdout.isatty():
        _show(results, opened[0].classes if confusion else None)
        return
    for result in results:
        row = dict(result.row)
        if confusion and result.confusion is not None:
            row |= {"classes": list(opened[0].classes or ()), "confusion": result.confusion.tolist()}
        print_json(row)


def _show(results: Sequence[EvaluationResult], classes: Sequence[str] | None) -> None:
    from nnctl.cli.confusion import print_confusion
    from nnctl.cli.printing import head
    from nnctl.cli.tables import Column, print_table
    from nnctl.screen.characters import word

    first = results[0].row
    hidden = ("step", "split", "data", "examples")
    names = [n for n in dict.fromkeys(n for result in results for n in result.row) if n not in hidden]
    where = f"{first['split']} split" if "split" in first else word(first["data"])
    title = f"{where}, {first['examples']:,} examples"
    print_table([Column(head(name), [result.row.get(name) for result in results]) for name in names], title)
    for result in results if classes is not None else ():
        if result.confusion is not None and classes is not None:
            print_confusion(result.row["run"], classes, result.confusion.tolist())
