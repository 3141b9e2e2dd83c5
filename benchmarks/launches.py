"""The suite `launches`: what takes long in a step, and how near it is to its limit.

Of every workload of the suite `cpu`, the launches over a tenth of the step. The limit of a launch is the longer of two
times: that of its arithmetic at the rate of BLAS's products, and that of its bytes at the rate of a copy of as many,
which lie where those of the launch would, in a cache or in memory. Both are measured on as many threads as a step has.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from nnctl.backends.blas import prepare_blas

# Before any BLAS is loaded: the limit of products is that of kernels for this processor.
prepare_blas()

from benchmarks.bandwidth import copy_rate  # noqa: E402
from benchmarks.ours import signature, spec  # noqa: E402
from benchmarks.record import cores, keep, machine, versions, words_of  # noqa: E402
from benchmarks.workloads import CPU, Workload, steps_within  # noqa: E402
from nnctl.analysis.bench import Bench, Timing  # noqa: E402
from nnctl.analysis.bench import bench as measured  # noqa: E402
from nnctl.spec.load import load_text  # noqa: E402

LARGE = 10.0
"""Percent of the step from which on a launch is listed."""
NEAR = 60.0
"""Percent of its limit from which on a launch needs no reason."""
_STEPS_A_SECOND = 1e11
"""Operations a second of a guess at a step's length."""


def rows_of(workload: Workload, threads: int, seconds: float) -> list[dict[str, Any]]:
    """Rows of the results: the launches that take most of a step, and what threads wait if that is as much."""
    steps = steps_within(seconds, workload.flops / _STEPS_A_SECOND)
    found = measured(
        load_text(spec(workload, "cpu")).spec, signature(workload), threads=threads, steps=steps, backend="cpu"
    )
    *launches, whole = found.timings
    return [_row(workload, found, timing, whole) for timing in launches if timing.percent >= LARGE]


def _row(workload: Workload, found: Bench, timing: Timing, whole: Timing) -> dict[str, Any]:
    moved = timing.gbytes * timing.microseconds * 1e3
    by_bytes = 100.0 * timing.gbytes * 1e9 / copy_rate(max(1, round(moved)), found.workers) if moved else 0.0
    by_products = timing.limit or 0.0
    return {
        "workload": workload.name,
        "step_us": whole.microseconds,
        "threads": found.workers,
        "launch": timing.launch,
        "layer": timing.layer,
        "op": timing.op,
        "microseconds": timing.microseconds,
        "percent": timing.percent,
        "of_limit": max(by_products, by_bytes) if timing.op else None,
        "bound": "products" if by_products >= by_bytes else "bytes",
    }


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table in Markdown; the share of the limit is bold where it is below `NEAR`."""
    lines = [
        "| workload | launch | op | µs | % of the step | % of its limit | which |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        share = row["of_limit"]
        cells = ["", ""] if share is None else [f"**{share:.0f}**" if share < NEAR else f"{share:.0f}", row["bound"]]
        launch = row["launch"].replace("|", "\\|")
        figures = f"{row['microseconds']:.3g} | {row['percent']:.0f}"
        lines.append(f"| {row['workload']} | {launch} | {row['op']} | {figures} | {' | '.join(cells)} |")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks launches", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORDS", help="workloads whose name contains this")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--seconds", type=float, default=0.2, help="about how long one of ten chunks takes")
    parser.add_argument("--no-save", action="store_true", help="print the table alone, as with --only and --threads")
    parser.add_argument("--quick", action="store_true", help="see that it runs: one workload, nothing kept")
    options = parser.parse_args(arguments)
    chosen = [w for w in CPU if options.only is None or any(o.casefold() in w.name.casefold() for o in options.only)]
    if options.quick:
        chosen, options.seconds = chosen[:1], 0.0
    result = machine()
    rows: list[dict[str, Any]] = []
    for workload in chosen:
        found = rows_of(workload, options.threads, options.seconds)
        rows += found
        print(f"{workload.name}: {', '.join(row['launch'] for row in found)}", flush=True)
    lines = [
        f"Launches over {LARGE:.0f} % of a step, on the first of {options.threads} threads at most, and their limits; "
        f"{words_of(result)}, load {result['load']} of other work, {result['date']}.",
        "",
        *lines_of(rows),
    ]
    print("\n" + "\n".join(lines))
    if not (options.no_save or options.quick or options.only or options.threads != cores()):
        kept = {"threads": options.threads, "versions": versions(("nnctl", "numpy", "scipy", "llvmlite")), "rows": rows}
        keep("launches", result | kept, "\n".join(lines))
