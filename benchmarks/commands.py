"""The suite `commands`: whole commands as people wait for them, beside the shortest usual scripts in other libraries.

Everyone reads the same arrays and trains the same net with the same rule for as many epochs of as large batches, in a
process of its own, start-up included; the accuracy that all reach shows that the work is the same. nnctl is timed with
its code compiled before, and in a folder that has none.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.command import Spent, nnctl, run, unused
from benchmarks.record import cores, keep, machine, versions, words_of
from benchmarks.tasks import Task, short_tasks, tasks, write_data

_SCRIPTS = Path(__file__).parent / "scripts"
OURS, FIRST = "nnctl", "nnctl, very first"


@dataclass(frozen=True)
class Library:
    """A library by the ending of its scripts' names, the packages that it needs, and its environment."""

    ending: str
    packages: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def installed(self) -> bool:
        """True where it can take part here."""
        return all(find_spec(package) is not None for package in self.packages)


LIBRARIES = {
    "scikit-learn": Library("sklearn", ("sklearn",)),
    "torch": Library("torch", ("torch",)),
    "Keras on JAX": Library("keras", ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
}
"""The libraries. Keras runs on the faster of its backends for nets like these."""


def measure(
    chosen: Sequence[Task], names: Sequence[str], rounds: int, folder: Path, backend: str = "auto"
) -> list[dict[str, Any]]:
    """Rows of the results, one a task. names: of those that take part, in this order; they take turns."""
    rows = []
    for task in chosen:
        spent: dict[str, list[Spent]] = {name: [] for name in names}
        accuracies: dict[str, list[float]] = {name: [] for name in names}
        for number in range(rounds):
            for name in names:
                took, accuracy = _done(task, name, folder, number, backend)
                spent[name].append(took)
                accuracies[name].append(accuracy)
        rows.append(
            {
                "task": task.name,
                "clock_s": {name: [round(each.clock, 3) for each in found] for name, found in spent.items()},
                "processor_s": {name: [round(each.processor, 3) for each in found] for name, found in spent.items()},
                "accuracy": accuracies,
            }
        )
        print(
            f"{task.name}: " + ", ".join(f"{n} {min(e.clock for e in found):.2f}" for n, found in spent.items()),
            flush=True,
        )
    return rows


def _done(task: Task, name: str, folder: Path, number: int, backend: str) -> tuple[Spent, float]:
    """The time of the task and the accuracy reached."""
    answer = folder / "answer"
    if name in LIBRARIES:
        library = LIBRARIES[name]
        line = [sys.executable, str(_SCRIPTS / f"{task.script}_{library.ending}.py"), *task.arguments()]
        spent = run(line, folder, library.environment, answer)
        said = json.loads(answer.read_text(encoding="utf-8"))
        return spent, statistics.fmean(said["accuracies"])
    (folder / "spec.yaml").write_text(task.spec(backend), encoding="utf-8")
    environment = {"NNCTL_CACHE": str(unused(folder, "cache") if name == FIRST else folder / "cache")}
    if name == OURS and number == 0:
        nnctl(folder, *task.command(unused(folder, "run").name), environment=environment)
    spent = nnctl(folder, *task.command(unused(folder, "run").name), environment=environment, output=answer)
    return spent, task.accuracy([json.loads(line) for line in answer.read_text(encoding="utf-8").splitlines()])


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table in Markdown: seconds, the best round and in brackets the median, and the mean accuracy in percent."""
    names = list(rows[0]["clock_s"])
    lines = [f"| command | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for row in rows:
        cells = [
            f"{min(row['clock_s'][n]):.2f} ({statistics.median(row['clock_s'][n]):.2f}), "
            f"{100 * statistics.fmean(row['accuracy'][n]):.1f} %"
            for n in names
        ]
        lines.append(f"| {row['task']} | {' | '.join(cells)} |")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks commands", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORDS", help="tasks whose name contains this, or another")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", default="auto", metavar="NAME", help="of nnctl's specs")
    parser.add_argument("--no-save", action="store_true", help="print the table alone, as with --only and --backend")
    parser.add_argument("--quick", action="store_true", help="see that everyone runs: little work, nothing kept")
    options = parser.parse_args(arguments)
    chosen = short_tasks(1) if options.quick else tasks(cores())
    chosen = tuple(
        t for t in chosen if options.only is None or any(o.casefold() in t.name.casefold() for o in options.only)
    )
    rounds = 1 if options.quick else options.rounds
    names = [OURS, *([] if options.quick else [FIRST]), *(n for n, library in LIBRARIES.items() if library.installed)]
    result = machine()
    with tempfile.TemporaryDirectory() as folder:
        what = write_data(Path(folder), made=options.quick)
        rows = measure(chosen, names, rounds, Path(folder), options.backend)
    lines = [
        f"Seconds until a command has ended, best of {rounds} interleaved rounds and in brackets the median, and the "
        f"accuracy reached, on {what}; {words_of(result)}, load {result['load']} of other work, {result['date']}.",
        "",
        *lines_of(rows),
    ]
    print("\n" + "\n".join(lines))
    if not (options.no_save or options.quick or options.only or options.backend != "auto"):
        packages = versions(("nnctl", "numpy", "scikit-learn", "torch", "keras", "jax"))
        keep(
            "commands", result | {"rounds": rounds, "data": what, "versions": packages, "rows": rows}, "\n".join(lines)
        )
