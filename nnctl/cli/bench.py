"""`nnctl bench`: how long a step takes, launch by launch."""

from __future__ import annotations

from typing import Annotated

import typer

from nnctl.cli.options import BackendOfSpec, Batch, Overrides, SpecArgument


def bench(
    spec: SpecArgument,
    set_: Overrides = None,
    step: Annotated[str, typer.Option("--step", metavar="train|evaluate", help="Which step.")] = "train",
    steps: Annotated[
        int, typer.Option("--steps", metavar="N", min=1, help="Steps in each of five chunks; the fastest counts.")
    ] = 200,
    batch: Batch = None,
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", min=1, help="At most; the spec's, or one a core, if absent.")
    ] = None,
    backend: BackendOfSpec = None,
    retune: Annotated[
        bool, typer.Option("--retune", help="Measure again what this machine chose for the step: threads, owners.")
    ] = False,
) -> None:
    """Time one step of a spec, launch by launch.

    Needs no data: random examples of the right shapes serve. A row a launch with
    its time in a step on the first thread, GFLOP/s, GB/s, and GFLOP/s as a
    percentage of what matrix products reach on this machine with as many threads;
    then what threads wait and calls cost, and the whole step. A table on a
    terminal, JSON Lines in a pipe. Where the ways to run the step are measured on
    this machine, they are listed on stderr, each with its shortest time so far:
    this command and longer runs measure them four times in all. Last it says
    what trials of a sweep gain there by training several in one process.
    """
    import sys
    from dataclasses import asdict
    from pathlib import Path

    from nnctl.analysis.bench import bench as measure
    from nnctl.cli.printing import print_rows
    from nnctl.errors import require_choice
    from nnctl.sweep.executors.waiting import FLUSHES, SHARE, flush_seconds
    from nnctl.training.specs import open_spec

    require_choice("--step", step, ("train", "evaluate"))
    loaded = open_spec(spec, set_ or ())
    with loaded.pointing():
        measured = measure(
            loaded.spec,
            loaded.spec.data.signature(loaded.folder, loaded.spec.seed),
            step="evaluate" if step == "evaluate" else "train",
            batch=batch,
            steps=steps,
            threads=threads,
            backend=backend,
            retune=retune,
        )
    for way in measured.ways:
        taken = ", chosen" if way.chosen else ""
        print(f"{way.words}: {1e6 * way.seconds:,.1f} µs a step when measured{taken}", file=sys.stderr)
    print(
        f"backend {measured.backend}, {measured.resources}, batch {measured.batch}, {measured.steps} steps",
        file=sys.stderr,
    )
    if step == "train" and measured.together == 1:
        try:
            flush = 1e3 * flush_seconds(Path())
        except OSError as error:
            brief = f"no flush is timed, for nothing can be written here: {error.strerror}"
        else:
            least = FLUSHES * flush / SHARE
            brief = f"those under {least:,.0f} ms several of a process, for a flush takes {flush:.2g} ms"
        print(f"trials of a sweep do best in a process each, a core each; {brief}", file=sys.stderr)
    if measured.gain is not None:
        how = f"-j {measured.together}" if measured.together > 1 else f"sweep.together: {measured.beside}"
        gained = f"{measured.gain:.2f} × as many steps a second as one alone"
        print(f"{measured.beside} trials of a sweep in one process ({how}): {gained}", file=sys.stderr)
    print_rows([asdict(timing) for timing in measured.timings])
