"""`nnctl predict`: a trained net's answers for new inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def predict(
    run: Annotated[Path, typer.Argument(help="The run's folder.", metavar="RUN", show_default=False)],
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Files: .csv, .tsv, .npy, .npz, images; - is CSV on stdin.", metavar="INPUT...", show_default=False
        ),
    ],
    top_k: Annotated[
        int | None, typer.Option("--top-k", metavar="K", help="Only the K largest outputs of each example.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="best|last", help="The weights; those the run ended with if absent."),
    ] = None,
) -> None:
    """Predict with a trained net.

    One line an example: JSON in a pipe, the most probable answers on a terminal.
    """
    import json
    import sys

    from nnctl.metrics.terminal import show
    from nnctl.training.evaluation import open_run
    from nnctl.training.prediction import predict as answers

    for row in answers(open_run(run, checkpoint), inputs, top_k=top_k):
        if not sys.stdout.isatty():
            print(json.dumps(row, allow_nan=False))
        elif "values" in row:
            print(f"{row['input']}[{row['index']}]  {'  '.join(map(str, row['values']))}")
        else:
            ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])[: top_k or 3]
            rest = "  ".join(f"{name} {show(value)}" for name, value in ranked)
            print(f"{row['input']}[{row['index']}]  {row['prediction']}  ({rest})")
