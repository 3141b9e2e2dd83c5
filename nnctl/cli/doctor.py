"""`nnctl doctor`: this machine's state, and a net's on its first batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnctl.cli.options import Overrides


def doctor(
    spec: Annotated[
        Path | None,
        typer.Argument(help="The spec: a YAML file, a run, or - for stdin.", metavar="[SPEC]", show_default=False),
    ] = None,
    set_: Overrides = None,
) -> None:
    """Show what this machine computes with and how a net starts.

    The machine: versions, processor, BLAS and who chose its kernels, the
    measured limits of one core and of all, the cache of compiled code,
    each backend with its device, where it has one, and the data kept on disk.
    With a spec: its initial cost beside that of an even guess, what is wrong
    with a remedy for each, then for each layer with weights the size of its
    output and of its gradient, dead and saturated units, on up to 256 training
    examples. Tables on a terminal, JSON
    Lines in a pipe.
    """
    from dataclasses import asdict

    from nnctl.cli.modes import refuse
    from nnctl.cli.printing import print_rows

    if spec is None:
        refuse("the machine", {"--set": set_}, "give a spec, whose values it overrides")
        from nnctl.backends.contract import Finding
        from nnctl.backends.report import report
        from nnctl.data.stored.folder import cache_root, entries
        from nnctl.process.memory import in_bytes

        kept = in_bytes(sum(each.size for each in entries()))
        words = f"{cache_root()}: data that do not fit into memory; nnctl data kept lists and removes it"
        print_rows([asdict(finding) for finding in (*report(), Finding("data on disk", kept, words))])
        return
    from nnctl.analysis.diagnosis import diagnose
    from nnctl.data.dataset import load_dataset
    from nnctl.training.specs import open_spec

    loaded = open_spec(spec, set_ or ())
    with loaded.pointing():
        data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
        found = diagnose(loaded.spec, data, loaded.spec.seed)
    expected = "" if found.expected is None else f"an even guess costs {found.expected:.4g}"
    lines = [{"what": "initial cost", "value": f"{found.cost:.4g}", "words": expected, "remedy": ""}]
    lines += [{"what": "found", "value": "warning", **asdict(finding)} for finding in found.findings]
    print_rows(lines)
    print_rows([asdict(state) for state in found.layers])
