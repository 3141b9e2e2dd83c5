"""`nnctl inspect`: what a spec compiles to."""

from __future__ import annotations

from typing import Annotated

import typer

from nnctl.cli.options import Batch, Overrides, SpecArgument


def inspect(
    spec: SpecArgument,
    set_: Overrides = None,
    show: Annotated[
        str,
        typer.Option("--show", metavar="summary|spec|graph|plan|code", help="The layers, or a stage of compilation."),
    ] = "summary",
    step: Annotated[
        str, typer.Option("--step", metavar="train|evaluate|predict", help="Whose graph or plan.")
    ] = "train",
    fused: Annotated[bool, typer.Option("--fused", help="The graph after fusion, as the plan runs it.")] = False,
    batch: Batch = None,
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend", metavar="NAME", help="Whose plan or code; the plain plan, and the fastest's code, if absent."
        ),
    ] = None,
) -> None:
    """Show what a spec compiles to, without loading its data.

    summary: a row a layer, with shapes, parameters and FLOPs of one training step.
    spec: resolved, every default written out. graph: the training step as a
    textbook has it, backward pass included, or another --step. plan: the launches that run, of a backend
    with its order and with marks where it has no kernel. code: what a backend that
    compiles makes of the plan, many steps a call. Neither needs the backend's machine.
    """
    from nnctl.cli.modes import refuse
    from nnctl.cli.printing import print_rows
    from nnctl.errors import require_choice
    from nnctl.spec.load import dump_spec
    from nnctl.training.specs import open_spec

    require_choice("--show", show, ("summary", "spec", "graph", "plan", "code"), "stage")
    require_choice("--step", step, ("train", "evaluate", "predict"))
    for option, value, stages in (
        ("--backend", backend, ("plan", "code")),
        ("--batch", batch, ("summary", "plan", "code")),
        ("--fused", fused, ("graph",)),
        (f"--step {step}", step != "train", ("graph", "plan", "code")),
    ):
        if show not in stages:
            refuse(f"--show {show}", {option: value}, f"it is for --show {' or '.join(stages)}")
    loaded = open_spec(spec, set_ or ())
    if show == "spec":
        typer.echo(dump_spec(loaded.spec), nl=False)
        return
    from nnctl.backends.registry import planner
    from nnctl.graph import interface
    from nnctl.graph.network import Network
    from nnctl.graph.render import render as render_graph
    from nnctl.plan.lower import lower
    from nnctl.plan.render import render as render_plan
    from nnctl.plan.summary import summarize
    from nnctl.screen.characters import harmless

    given = loaded.spec.schedule.batch_size
    size = batch or (given if isinstance(given, int) else 32)
    with loaded.pointing():
        network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder, loaded.spec.seed))
        graph = network.fused(step) if fused or show in ("plan", "code") else network.textbook(step)
    if show == "graph":
        print(harmless(render_graph(graph)))
    elif show == "plan":
        sizes = interface.sizes(size, size)
        if backend is None:
            print(harmless(render_plan(lower(graph, sizes))))
        else:
            its = planner(loaded.spec.backend, backend)
            print(harmless(render_plan(its.plan(graph, sizes), its.missing(graph))))
    elif show == "code":
        from nnctl.backends.listing import listing

        print(harmless(listing(graph, interface.sizes(size, size), loaded.spec.backend, backend)))
    else:
        print_rows(summarize(network, size))
