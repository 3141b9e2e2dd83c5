"""The suite `sweeps`: what sweeps cost beside the steps of their trials, and how that grows with their number.

Trials of XOR train in half a millisecond, so that their time is all but for the work around them: the best of the
rounds, and the greatest memory of any of the processes. Then a sweep whose trials have all been trained before: it is
defined, its trials are read, ranked and printed; and shown again. Their folders are copies of one.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import Spent, nnctl, unused
from benchmarks.record import keep, machine, versions, words_of

_SPEC = """
data: xor
layers:
  - {type: dense, units: 4, activation: tanh}
  - {type: dense, units: 1, activation: sigmoid}
initializer: glorot_normal
cost: cross_entropy
optimizer: {type: sgd, momentum: 0.9}
schedule: {epochs: 200, batch_size: full, evaluate_every: 40 epochs}
backend: cpu
"""
_FILES = ("spec.yaml", "origin.json", "summary.json")
"""The files of a trial by which it is known to be finished."""


def train(folder: Path, trials: int, rounds: int) -> dict[str, Any]:
    """A row: so many trials, trained, as many at a time as nnctl chooses."""
    spent: list[Spent] = []
    for _ in range(rounds):
        spent.append(_sweep(folder, unused(folder, "run"), trials))
    return _row(f"{trials:,} trials of XOR, trained", trials, spent)


def read(folder: Path, trials: int, rounds: int) -> list[dict[str, Any]]:
    """Rows: so many trials that were trained before, gone on with, and shown."""
    run = unused(folder, "run")
    _sweep(folder, run, 1)
    for number in range(1, trials):
        trial = run / f"{number:04d}"
        trial.mkdir()
        for name in _FILES:
            shutil.copy(run / "0000" / name, trial / name)
    gone_on = [_sweep(folder, run, trials) for _ in range(rounds)]
    shown = [nnctl(folder, "sweep", "show", run.name) for _ in range(rounds)]
    return [_row(f"{trials:,} trials trained before, gone on with", trials, gone_on),
            _row(f"{trials:,} trials trained before, shown", trials, shown)]  # fmt: skip


def _sweep(folder: Path, run: Path, trials: int) -> Spent:
    space = ("--space", "optimizer.learning_rate=0.5:5:log", "--trials", str(trials))
    return nnctl(folder, "sweep", "spec.yaml", *space, "--quiet", "--out", run.name)


def _row(what: str, trials: int, spent: Sequence[Spent]) -> dict[str, Any]:
    best = min(each.clock for each in spent)
    return {
        "what": what,
        "clock_s": [round(each.clock, 3) for each in spent],
        "ms_a_trial": round(1000 * best / trials, 2),
        "processor_s": [round(each.processor, 3) for each in spent],
        "memory_mb": max(each.memory for each in spent),
    }


def lines_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A table in Markdown."""
    lines = ["| sweep | seconds | ms a trial | memory, MB |", "|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row['what']} | {min(row['clock_s']):.2f} | {row['ms_a_trial']:.2f} | {row['memory_mb']} |")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sweeps", description=__doc__)
    parser.add_argument("--trials", type=int, action="append", metavar="N", help="of XOR; 200 and 2,000 if absent")
    parser.add_argument("--finished", type=int, default=10_000, metavar="N", help="trials that were trained before")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    parser.add_argument("--quick", action="store_true", help="see that it runs: few trials, nothing kept")
    options = parser.parse_args(arguments)
    counts = (2, 3) if options.quick else options.trials or (200, 2_000)
    result = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spec.yaml").write_text(_SPEC, encoding="utf-8")
        _sweep(folder, unused(folder, "run"), 1)  # what is compiled once for the machine
        rows = [train(folder, count, options.rounds) for count in counts]
        rows += read(folder, 3 if options.quick else options.finished, options.rounds)
    lines = [
        f"Whole commands, best of {options.rounds}, as many at a time as nnctl chooses; the greatest memory of any "
        f"process; {words_of(result)}, load {result['load']} of other work, {result['date']}.",
        "",
        *lines_of(rows),
    ]
    print("\n".join(lines))
    if not (options.no_save or options.quick):
        keep("sweeps", result | {"versions": versions(("nnctl", "numpy")), "rows": rows}, "\n".join(lines))
