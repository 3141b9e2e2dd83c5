"""`nnctl train`: a spec becomes a trained net."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnctl.cli.options import BackendOfSpec, Overrides, Quiet, Seed


def train(
    spec: Annotated[
        Path, typer.Argument(help="The spec: a YAML file, or - for stdin.", metavar="SPEC", show_default=False)
    ],
    set_: Overrides = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The run's folder; runs/<name>/<next id> if absent.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, or with the latest; start if there is none.")
    ] = False,
    backend: BackendOfSpec = None,
    seed: Seed = None,
    epochs: Annotated[int | None, typer.Option("--epochs", metavar="N", help="Instead of the spec's epochs.")] = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", metavar="FILE", help="Write the rows to FILE as well.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="jsonl|csv", help="Of the rows; a table on a terminal if absent, else jsonl."),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write scalars for TensorBoard into the run's folder as well.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train the net of a spec.

    Rows of metrics go to stdout: a table on a terminal, JSON Lines in a pipe.
    Everything is kept in the run's folder; Ctrl-C saves, --resume goes on exactly.
    When the reader of a pipe leaves, the run is saved and ends quietly with 141.
    """
    import signal
    import sys

    from nnctl.errors import Interrupted, UsageError
    from nnctl.process.streams import BROKEN_PIPE
    from nnctl.reporting.follow import RunSink, follow
    from nnctl.reporting.formats import FORMATS, format_named
    from nnctl.reporting.sinks import FileSink, Sink, StreamSink
    from nnctl.runs.find import is_run
    from nnctl.runs.folder import is_sweep
    from nnctl.training import session
    from nnctl.training.signals import stop_on_signals
    from nnctl.training.specs import open_spec

    chosen = format_named(form) if form is not None else None
    shortcuts = {"backend": backend, "seed": seed, "schedule.epochs": epochs}
    overrides = [*(set_ or ()), *(f"{path}={value}" for path, value in shortcuts.items() if value is not None)]
    if is_sweep(spec):
        raise UsageError(
            f"{spec}: is a sweep's folder, and not a spec\n  "
            f"{spec / '0000' / 'spec.yaml'} as SPEC trains its first trial anew; nnctl evaluate {spec} takes the best"
        )
    if is_run(spec):
        raise UsageError(
            f"{spec}: is a run, and not its spec\n"
            f"  SPEC --resume --out {spec} goes on with it; {spec / 'spec.yaml'} as SPEC trains a new one"
        )
    loaded = open_spec(spec, overrides)
    table = chosen is None and sys.stdout.isatty()
    sinks: list[Sink] = [RunSink()]
    if metrics is not None:
        by_suffix = metrics.suffix.removeprefix(".").lower()
        form_of_file = chosen or format_named(by_suffix if by_suffix in FORMATS else "jsonl")
        resumed = resume and session.begun_folder(loaded.spec.name or "run", out) is not None
        sinks.append(FileSink(metrics, form_of_file, resumed=resumed))
    if tensorboard:
        from nnctl.reporting.tensorboard import TensorBoardSink

        sinks.append(TensorBoardSink())
    if not table:
        sinks.append(StreamSink(sys.stdout, chosen or format_named("jsonl")))
    if table or not quiet:
        from nnctl.reporting.terminal import terminal_sinks

        sinks += terminal_sinks(sys.stdout, sys.stderr, rows=table, quiet=quiet)

    # Windows has no SIGPIPE; its number is the same everywhere else.
    pipe = int(getattr(signal, "SIGPIPE", 13))
    with stop_on_signals() as stop:
        try:
            events = session.train(loaded, out=out, resume=resume, stop=stop)
            follow(events, sinks, reader_gone=lambda: stop.request(pipe))
        except Interrupted as interrupted:
            if interrupted.signal_number == pipe:
                raise typer.Exit(BROKEN_PIPE) from None
            raise
