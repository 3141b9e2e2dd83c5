"""The suite `cpu`: training steps raced against the peers that are installed."""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.instructions import limit_everyone

# Before any BLAS is loaded: everyone, us included, chooses kernels for this processor.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.pop(_name, None)
limit_everyone()

from benchmarks.arena import race  # noqa: E402
from benchmarks.contestants import CONTESTANTS, OURS  # noqa: E402
from benchmarks.record import cores, keep, machine, versions  # noqa: E402
from benchmarks.workloads import CPU, Workload  # noqa: E402

BEFORE = "before"
"""Another checkout of this project, as it is called in the table."""
RATIOS = {"ratio_before": BEFORE, "ratio": "best peer", "ratio_torch_eager": "torch eager"}
"""Entries of a row, and whose time over ours they are."""


def add_race_options(parser: argparse.ArgumentParser, *, seconds: float) -> None:
    """The options of a race: how long, with how many threads, and against what else. seconds: of a round, if absent."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=seconds, help="about how long a round of one contestant takes")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="another checkout of this project, raced in the same rounds as 'before'; nothing is kept",
    )


def main(arguments: Sequence[str]) -> None:
    """Race all contestants that are installed over the chosen workloads."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks cpu", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        metavar="WORDS",
        help="workloads whose name contains this, or another --only; case is ignored",
    )
    add_race_options(parser, seconds=0.5)
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    parser.add_argument("--quick", action="store_true", help="see that everyone runs: a few steps, nothing kept")
    options = parser.parse_args(arguments)
    checkouts = {} if options.against is None else {BEFORE: options.against.resolve()}
    options.no_save = options.no_save or options.alone or bool(checkouts)
    if options.quick:
        options.rounds, options.seconds, options.no_save = 1, 0.0, True
    chosen = [w for w in CPU if options.only is None or any(o.casefold() in w.name.casefold() for o in options.only)]
    if not chosen:
        parser.error(f"no workload's name contains {' or '.join(map(repr, options.only))}; there are:\n"
                     + "\n".join(w.name for w in CPU))  # fmt: skip
    keep_to(options.threads)
    rows = []
    for workload in chosen:
        names = [
            n
            for n, contestant in CONTESTANTS.items()
            if contestant.installed and workload.kind in contestant.kinds and (n == OURS or not options.alone)
        ]
        figures = race(
            workload,
            names,
            threads=options.threads,
            rounds=options.rounds,
            seconds=options.seconds,
            checkouts=checkouts,
        )
        rows.append(_row(workload, figures))
        print(_line(rows[-1]), flush=True)
    result = machine() | {
        "threads": options.threads,
        "rounds": options.rounds,
        "versions": versions(("nnctl", "numpy", "scipy", "llvmlite", "torch", "jax", "scikit-learn")),
        "rows": rows,
    }
    table = _table(result)
    print(f"\n{table}")
    if not options.no_save:
        keep("cpu", result, table)


def _row(workload: Workload, figures: dict[str, list[float]]) -> dict[str, object]:
    """Best and median milliseconds a step; ratios from the best of each."""
    best = {name: min(times) * 1e3 for name, times in figures.items() if times}
    peers = {name: value for name, value in best.items() if name not in (OURS, BEFORE)}
    ours = best.get(OURS)
    return {
        "workload": workload.name,
        "flops": workload.flops,
        "best_ms": best,
        "median_ms": {name: statistics.median(times) * 1e3 for name, times in figures.items() if times},
        "gflops": workload.flops / ours / 1e6 if ours else None,
        "best_peer": min(peers, key=peers.__getitem__) if peers else None,
        "ratio": min(peers.values()) / ours if peers and ours else None,
        "ratio_before": best[BEFORE] / ours if BEFORE in best and ours else None,
        "ratio_torch_eager": best["torch eager"] / ours if "torch eager" in best and ours else None,
    }


def _line(row: dict[str, object]) -> str:
    best = row["best_ms"]
    assert isinstance(best, dict)
    return f"{row['workload']}: " + ", ".join(f"{name} {value:.4g}" for name, value in best.items())


def _table(result: dict[str, object]) -> str:
    rows = result["rows"]
    assert isinstance(rows, list)
    names = [n for n in (BEFORE, *CONTESTANTS) if any(n in row["best_ms"] for row in rows)]
    lines = [
        f"Milliseconds a training step, best of {result['rounds']} interleaved rounds, float32, "
        f"{result['threads']} threads, {result['machine']}, {result['date']}.",
        "",
        "| workload | " + " | ".join([*names, *(f"{other} / ours" for other in RATIOS.values())]) + " | GFLOP/s |",
        "|---|" + "---|" * (len(names) + len(RATIOS) + 1),
    ]
    for row in rows:
        cells = [f"{row['best_ms'][n]:.4g}" if n in row["best_ms"] else "–" for n in names]
        ratios = [f"{row[k]:.2f}" if row[k] is not None else "–" for k in RATIOS]
        speed = f"{row['gflops']:.0f}" if row["gflops"] is not None else "–"
        lines.append(f"| {row['workload']} | {' | '.join([*cells, *ratios, speed])} |")
    installed = result["versions"]
    assert isinstance(installed, dict)
    lines += ["", ", ".join(f"{name} {v}" for name, v in installed.items()) + f", Python {result['python']}."]
    return "\n".join(lines)


def keep_to(threads: int) -> None:
    """Bind this process and those it starts to so many cores: JAX and scikit-learn have no other setting for all."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
