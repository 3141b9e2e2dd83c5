"""`nnctl gradcheck`: is every derivative right?"""

from __future__ import annotations

from typing import Annotated

import typer

from nnctl.cli.options import Overrides, Seed, SpecArgument


def gradcheck(
    spec: SpecArgument,
    set_: Overrides = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", metavar="complex|central", help="The complex step, or central differences; complex if absent."
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", min=0, help="Components checked of each parameter; 0 for all.")
    ] = 50,
    eps: Annotated[
        float | None, typer.Option("--eps", metavar="EPS", help="The step of central differences; 1e-5 if absent.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", metavar="T", help="Largest relative error that passes; 1e-9, or 1e-5 for central."),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Random examples in the batch.")] = 8,
    seed: Seed = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Errors of central differences for eps from 1e-1 to 1e-12 instead.")
    ] = False,
) -> None:
    """Check the gradients of a spec numerically.

    Needs no data: random examples of the right shapes serve. A line a parameter
    with its worst component; a table on a terminal, JSON Lines in a pipe.
    KINK: left and right derivative differ there (a relu at 0), neither is wrong.
    Exits with 5 if any parameter FAILs.
    """
    from dataclasses import asdict

    from nnctl.analysis.gradcheck import GradientCheck
    from nnctl.cli.modes import refuse
    from nnctl.cli.printing import print_rows
    from nnctl.errors import GradcheckFailed, UsageError, require_choice
    from nnctl.training.specs import open_spec

    if method is not None:
        require_choice("--method", method, ("complex", "central"))
    if curve:
        given = {"--method": method, "--eps": eps, "--tolerance": tolerance}
        refuse("--curve", given, "it is central differences of many steps, and nothing has to pass")
    if method != "central":
        refuse("the complex step", {"--eps": eps}, "it is for --method central")
    if eps is not None and not eps > 0.0:
        raise UsageError(f"--eps must be above 0, got {eps:g}")
    loaded = open_spec(spec, set_ or ())
    with loaded.pointing():
        check = GradientCheck(
            loaded.spec, loaded.spec.data.signature(loaded.folder, loaded.spec.seed), batch=batch, seed=seed
        )
    if curve:
        print_rows([asdict(point) for point in check.curve([-e for e in range(1, 13)], samples=samples or None)])
        return
    results = list(
        check.run(
            method="central" if method == "central" else "complex",
            samples=samples or None,
            eps=1e-5 if eps is None else eps,
            tolerance=tolerance,
        )
    )
    print_rows([asdict(result) for result in results])
    failed = [result.parameter for result in results if result.verdict == "FAIL"]
    if failed:
        raise GradcheckFailed(f"{spec}: wrong derivative of {', '.join(failed)}")
