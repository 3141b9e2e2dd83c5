"""The suite `together`: 64 trials of a small net, a process each and several in one process.

Trials of 784-30-10 on batches of 10 made images of MNIST's shape differ in rate and seed; on a CPU others in λ and
seed. Every way trains the same trials, whole commands one after the other in each round; what they print must agree to
the last digit before anyone is told the best round.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.command import Spent, nnctl, unused
from benchmarks.gpu.suite import facts_of_device
from benchmarks.record import cores, keep, machine, versions, words_of
from benchmarks.tasks import MNIST, write_data

_SPEC = """
data: {{type: npz, path: {data}, test_inputs: test_inputs, test_targets: test_targets}}
layers:
  - {{type: dense, units: 30, activation: sigmoid}}
  - {{type: dense, units: 10, activation: softmax}}
cost: log_likelihood
schedule: {{epochs: {epochs}, batch_size: 10}}
backend: {backend}
"""
_VALUES = 16
_EPOCHS = 30
_RATES, _STRENGTHS = "optimizer.learning_rate", "regularizer.strength"


@dataclass
class Way:
    """A way to train the trials: so many at a time, so many of them in a process. rows: what it prints.

    jobs: None where nnctl chooses both. path: of the setting in which they differ beside their seeds.
    """

    jobs: int | None
    together: int = 1
    path: str = _RATES
    spent: list[Spent] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)

    @property
    def words(self) -> str:
        """The way in a table."""
        differ = "" if self.path == _RATES else ", that differ in λ"
        if self.jobs is None:
            return f"as nnctl chooses{differ}"
        if self.together == 1:
            return f"{self.jobs} at a time, a process each{differ}"
        processes = -(-self.jobs // self.together)
        return f"{self.jobs} at a time, in {processes} process{'' if processes == 1 else 'es'}{differ}"

    def sweep(self, folder: Path, trials: int) -> None:
        """Train the trials once more."""
        out = unused(folder, "run").name
        values = ",".join(f"{0.05 * (1 + number):g}" for number in range(min(trials, _VALUES)))
        line = ("--grid", f"{self.path}={values}", "--seeds", str(-(-trials // _VALUES)))
        if self.path == _STRENGTHS:
            line = (*line, "--set", "regularizer={type: l2, strength: 1.0}")
        if self.jobs is not None:
            line = (*line, "-j", str(self.jobs), "--set", f"sweep.together={self.together}")
        line = (*line, "--quiet", "--out", out)
        printed = folder / "rows.jsonl"
        self.spent.append(nnctl(folder, "sweep", "spec.yaml", *line, output=printed))
        self.rows = [json.loads(row)["metrics"] for row in printed.read_text(encoding="utf-8").splitlines()]


def ways_of(backend: str) -> list[Way]:
    """The ways that are raced."""
    if backend == "cuda":
        return [Way(1, 1), Way(8, 1), Way(8, 8), Way(16, 16), Way(32, 32)]
    count = cores()
    ways = [Way(None), Way(count, 1), Way(count, count), Way(4 * count, 4)]
    return [*ways, *(Way(count, n, _STRENGTHS) for n in (1, count))]


def table_of(ways: Sequence[Way], trials: int) -> list[dict[str, Any]]:
    """A row a way."""
    return [
        {
            "way": way.words,
            "clock_s": [round(each.clock, 3) for each in way.spent],
            "trials_a_second": round(trials / min(each.clock for each in way.spent), 2),
        }
        for way in ways
    ]


def lines_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A table in Markdown."""
    lines = ["| trials | trials a second | seconds |", "|---|---|---|"]
    for row in rows:
        lines.append(f"| {row['way']} | {row['trials_a_second']:.1f} | {min(row['clock_s']):.2f} |")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks together", description=__doc__)
    parser.add_argument("--backend", default="cpu", help="of the trials; cuda is measured in ways of its own")
    parser.add_argument("--trials", type=int, default=64, metavar="N")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    parser.add_argument("--quick", action="store_true", help="see that it runs: few trials, nothing kept")
    options = parser.parse_args(arguments)
    trials, rounds, epochs = (4, 1, 1) if options.quick else (options.trials, options.rounds, _EPOCHS)
    result, ways = machine(), ways_of(options.backend)
    device = facts_of_device()["name"] if options.backend == "cuda" else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = write_data(folder, made=True)
        spec = _SPEC.format(data=MNIST, epochs=epochs, backend=options.backend)
        (folder / "spec.yaml").write_text(spec, encoding="utf-8")
        Way(1, 1).sweep(folder, 1)  # what is compiled once for the machine
        for _ in range(rounds):
            for way in ways:
                way.sweep(folder, trials)
    first = {way.path: way for way in reversed(ways)}
    if any(way.rows != first[way.path].rows for way in ways):
        raise SystemExit("benchmarks: the ways do not train the same: see that the installation is whole")
    rows = table_of(ways, trials)
    lines = [
        f"{trials} trials of 784-30-10, batches of 10, {epochs} epochs of {data}; whole commands, best of {rounds}; "
        f"backend {options.backend}; {device or words_of(result)}, load {result['load']} of other work, "
        f"{result['date']}.",
        "",
        *lines_of(rows),
    ]
    print("\n".join(lines))
    if not (options.no_save or options.quick):
        keep("together", result | {"versions": versions(("nnctl", "numpy")), "rows": rows}, "\n".join(lines), device)
