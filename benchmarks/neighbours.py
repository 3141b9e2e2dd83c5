"""The suite `neighbours`: training steps beside busy processes on the same cores.

The processes spin, one thread each. A step's fair share is what it takes where each of its threads has a core that it
shares equally with whatever of these processes is there, and they are spread evenly. The median round of each counts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.arena import race
from benchmarks.contestants import CONTESTANTS, OURS
from benchmarks.cpu import BEFORE, add_race_options, keep_to
from benchmarks.record import keep, machine, versions, words_of
from benchmarks.workloads import CPU, Workload

_PEERS = {"torch eager": ("dense", "convolutional", "recurrent"), "JAX scan": ("dense", "recurrent")}
"""Peers, and the kinds of nets they are raced on. A scan over convolutions takes 50 times as long as this project: with
its rounds, of a fixed number of steps, an hour."""
WORKLOADS = tuple(CPU[i] for i in (1, 3, 7, 10))
"""A net of each kind, and a small one, whose steps take microseconds."""


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that spin, on the cores of this one."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def fair_share(threads: int, neighbours: int) -> float:
    """The factor by which a step on so many threads, a core each, takes longer where cores are shared fairly."""
    beside = [neighbours // threads + (core < neighbours % threads) for core in range(threads)]
    return threads / sum(1.0 / (1 + count) for count in beside)


def measure(
    workload: Workload,
    names: Sequence[str],
    *,
    most: int,
    threads: int,
    rounds: int,
    seconds: float,
    checkouts: Mapping[str, Path] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Rows of the results: from no neighbour to `most`, the seconds a step of each round.

    checkouts: other versions of this project by the name that they run under.
    """
    rows = []
    for neighbours in range(most + 1):
        with busy(neighbours):
            found = race(workload, names, threads=threads, rounds=rounds, seconds=seconds, checkouts=checkouts)
        rows.append({"neighbours": neighbours, "fair": fair_share(threads, neighbours), "step_s": found})
        figures = ", ".join(f"{name} {1e3 * statistics.median(times):.3g}" for name, times in found.items())
        print(f"{workload.name}, {neighbours} beside it: {figures}", flush=True)
    return rows


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table in Markdown: milliseconds a step, that over the quiet time, and this over the fair share."""
    names = list(rows[0]["step_s"])
    heads = " | ".join(f"{name}, ms | times quiet | over fair" for name in names)
    lines = [f"| busy processes | fair share | {heads} |", "|---|---|" + "---|" * (3 * len(names))]
    quiet = {name: statistics.median(times) for name, times in rows[0]["step_s"].items()}
    for row in rows:
        cells = []
        for name in names:
            taken = statistics.median(row["step_s"][name])
            cells += [f"{1e3 * taken:.3g}", f"{taken / quiet[name]:.2f}", f"{taken / quiet[name] / row['fair']:.2f}"]
        lines.append(f"| {row['neighbours']} | {row['fair']:.2f} | {' | '.join(cells)} |")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks neighbours", description=__doc__)
    parser.add_argument("--most", type=int, default=3, help="busy processes")
    parser.add_argument("--only", metavar="WORDS", help="nets whose name contains this; nothing is kept")
    add_race_options(parser, seconds=1.5)
    parser.add_argument("--alone", action="store_true", help="without the peers; nothing is kept")
    parser.add_argument("--no-save", action="store_true", help="print the tables alone")
    parser.add_argument("--quick", action="store_true", help="see that everyone runs: a small net, nothing kept")
    options = parser.parse_args(arguments)
    chosen = [w for w in WORKLOADS if (options.only or "").casefold() in w.name.casefold()]
    if not chosen:
        parser.error(f"no net's name contains {options.only!r}; there are:\n" + "\n".join(w.name for w in WORKLOADS))
    if options.quick:
        chosen, options.most, options.rounds, options.seconds = [CPU[0]], 1, 1, 0.0
    peers = [] if options.alone else [n for n in _PEERS if CONTESTANTS[n].installed]
    checkouts = {} if options.against is None else {BEFORE: options.against.resolve()}
    keep_to(options.threads)
    result = machine()
    nets = [
        {
            "workload": workload.name,
            "rows": measure(
                workload,
                [OURS, *(n for n in peers if workload.kind in _PEERS[n])],
                most=options.most,
                threads=options.threads,
                rounds=options.rounds,
                seconds=options.seconds,
                checkouts=checkouts,
            ),
        }
        for workload in chosen
    ]
    lines = [
        f"A step beside busy processes, median of {options.rounds} rounds, {options.threads} threads, "
        f"{words_of(result)}, load {result['load']} of other work, {result['date']}.",
    ]
    for net in nets:
        lines += ["", f"{net['workload']}:", "", *lines_of(net["rows"])]
    print("\n" + "\n".join(lines))
    if not (options.no_save or options.quick or options.alone or options.only or checkouts):
        packages = versions(("nnctl", "numpy", "torch", "jax"))
        kept = {"threads": options.threads, "versions": packages, "nets": nets}
        keep("neighbours", result | kept, "\n".join(lines))
