"""The suite `predicting`: `nnctl predict` for a large table, and for one row, as a user runs it.

A net is trained on the first rows of a made table of 38 columns of numbers and two of names, then asked for the answers
to a million rows as CSV and as JSON Lines, and to one row. Each is a process of its own, start-up included. Its seconds
of the clock and of the processor, and its greatest resident memory, count.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import nnctl
from benchmarks.record import keep, machine

_BLOCK = 100_000
_SPEC = """
data: {type: table, path: first.csv, target: label, validation: 500}
layers: [{type: dense, units: 64, activation: relu}, {type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2}
"""

Row = dict[str, Any]


def measure(folder: Path, rows: int, rounds: int) -> list[Row]:
    """Rows of the table, one a case: the best of so many rounds."""
    # By another process: one that is started counts the memory of the one that starts it.
    make = "import sys; from pathlib import Path; from benchmarks.files.predicting import write_table"
    call = f"{make}; write_table(Path(sys.argv[1]), {rows})"
    subprocess.run([sys.executable, "-c", call, str(folder / "all.csv")], check=True)
    with (folder / "all.csv").open(encoding="ascii") as file:
        head = [next(file) for _ in range(3_001)]
    (folder / "first.csv").write_text("".join(head), encoding="ascii")
    (folder / "one.csv").write_text("".join(head[:2]), encoding="ascii")
    (folder / "spec.yaml").write_text(_SPEC, encoding="utf-8")
    _run(folder, "train", "spec.yaml", "--out", "run", "--quiet")
    cases = {
        f"{rows:,} rows × 40 columns, as CSV": ("all.csv", "--out", "answers.csv"),
        f"{rows:,} rows × 40 columns, as JSON Lines": ("all.csv", "--out", "answers.jsonl"),
        "one row": ("one.csv", "--out", "one.jsonl"),
    }
    found = []
    for what, arguments in cases.items():
        times = [_run(folder, "predict", "run", *arguments, "--force") for _ in range(rounds)]
        found.append({"case": what} | {name: min(each[name] for each in times) for name in times[0]})
    for name, lines in (("answers.csv", rows + 1), ("answers.jsonl", rows)):
        with (folder / name).open(encoding="utf-8") as file:
            if sum(1 for _ in file) != lines:
                raise RuntimeError(f"{name}: {lines:,} lines are expected")
    return found


def write_table(path: Path, rows: int) -> None:
    """A table of numbers of four decimals and of names; the label hangs on two of the numbers."""
    import pyarrow as pa
    import pyarrow.csv as pacsv

    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        for first in range(0, rows, _BLOCK):
            count = min(_BLOCK, rows - first)
            columns: dict[str, Any] = {f"x{i}": rng.normal(size=count).round(4) for i in range(38)}
            columns["city"] = np.array(["Berlin", "Paris", "Rome", "Oslo"])[rng.integers(0, 4, count)]
            columns["plan"] = np.array(["basic", "more", "all"])[rng.integers(0, 3, count)]
            columns["label"] = np.where(columns["x0"] + columns["x1"] > 0, "yes", "no")
            pacsv.write_csv(pa.table(columns), file, pacsv.WriteOptions(include_header=first == 0))


def _run(folder: Path, *arguments: str) -> dict[str, float]:
    """Seconds and megabytes of a command, which must end well."""
    spent = nnctl(folder, *arguments)
    return {
        "clock_s": round(spent.clock, 2),
        "processor_s": round(spent.processor, 2),
        "memory_mb": spent.memory,
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks predicting", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the large table, at least 5,000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    options = parser.parse_args(arguments)
    result = machine()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), options.rows, options.rounds)
    lines = [
        f"`nnctl predict`, best of {options.rounds}, start-up included, {result['machine']}, {result['cores']} cores, "
        f"load {result['load']} of other work, {result['date']}.",
        "",
        "| case | seconds | seconds of processor | memory, MB |",
        "|---|---|---|---|",
        *(f"| {r['case']} | {r['clock_s']} | {r['processor_s']} | {r['memory_mb']} |" for r in rows),
    ]
    print("\n".join(lines))
    if not options.no_save:
        keep("predicting", result | {"rows": rows}, "\n".join(lines))
