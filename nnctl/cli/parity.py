"""`nnctl parity`: do two backends train a net alike?"""

from __future__ import annotations

from typing import Annotated

import typer

from nnctl.cli.options import Batch, Overrides, Seed, SpecArgument


def parity(
    spec: SpecArgument,
    set_: Overrides = None,
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="NAME", help="The one that is judged; the spec's if absent.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="NAME", help="The one it is compared with; the reference if absent."),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", metavar="N", min=1, help="Training steps.")] = 100,
    batch: Batch = None,
    seed: Seed = None,
) -> None:
    """Compare two backends, training step by training step.

    Needs no data: random examples of the right shapes serve. Every step begins from
    equal storage. A line a tensor with its worst difference, and the first step at
    which it was more than float32 rounding, if it ever was; rounding is measured by
    the reference in float32 and in float64. apart: how far the two are after all
    steps where each goes its own way. KINK: they part where a relu's input is 0
    within rounding, neither is wrong. A table on a terminal, JSON Lines in a pipe.
    Exits with 5 if any tensor LEFT rounding, and names the first value that did.
    """
    import sys
    from dataclasses import asdict

    from nnctl.analysis.parity import Parity
    from nnctl.cli.printing import print_rows
    from nnctl.errors import ParityFailed
    from nnctl.training.specs import open_spec

    loaded = open_spec(spec, set_ or ())
    with loaded.pointing():
        compared = Parity(
            loaded.spec,
            loaded.spec.data.signature(loaded.folder, loaded.spec.seed),
            backend=backend,
            against=against,
            batch=batch,
            seed=seed,
        )
        result = compared.run(steps)
    judged, other = compared.names
    print(f"backend {judged} against {other}, batch {compared.batch}, {steps} steps", file=sys.stderr)
    print_rows([asdict(tensor) for tensor in result.tensors])
    if result.left is not None:
        left = [tensor.tensor for tensor in result.tensors if tensor.left == result.left]
        where = result.origin
        origin = (
            f"\n  first in {where.value} ({where.op}): {where.relative:.1e} of its largest element" if where else ""
        )
        raise ParityFailed(f"{spec}: {', '.join(left)} left float32 rounding in step {result.left}{origin}")
