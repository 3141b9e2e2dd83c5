"""The suite `machines`: what `python -m benchmarks cpu` keeps of every machine, side by side; nothing is measured."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS
from benchmarks.record import RESULTS, words_of
from benchmarks.workloads import CPU

_ROOT = Path(__file__).parents[1]
_HEAD = "| net, batch |"
PAGES = {
    _ROOT / "docs" / "results.md": tuple(workload.name for workload in CPU),
    _ROOT / "README.md": (
        "MLP 784-100-10, batch 10",
        "MLP 784-512-256-10, batch 128, Adam",
        "CNN 5×5×20-P-5×5×40-P-100-10, batch 128",
        "VGG-BN 32-32-P-64-64-P-128-128-GAP-10, batch 64",
        "char LSTM 128, time 64, batch 32",
    ),
}
"""The pages that hold the table, and the workloads that stand there."""

Result = dict[str, Any]


def results(folder: Path = RESULTS) -> list[Result]:
    """The kept results of the suite `cpu`, by the names of their machines."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/cpu.json"))]


def table(kept: Sequence[Result], names: Sequence[str]) -> list[str]:
    """Lines in Markdown, a row a workload: for each machine our milliseconds a step, and the best peer's over ours."""
    heads = " | ".join(f"{words_of(result)} | best peer / nnctl" for result in kept)
    rows = [{row["workload"]: row for row in result["rows"]} for result in kept]
    lines = [f"{_HEAD} {heads} |", "|---|" + "---|" * (2 * len(kept))]
    lines += [f"| {name} | {' | '.join(_cells(found.get(name)) for found in rows)} |" for name in names]
    return lines


def renewed(page: str, lines: Sequence[str]) -> str:
    """A page with these lines in the place of the table that it has. Raises ValueError where it has none."""
    given = page.splitlines(keepends=True)
    first = next((i for i, line in enumerate(given) if line.startswith(_HEAD)), None)
    if first is None:
        raise ValueError(f"the page has no table that begins with {_HEAD!r}")
    last = next((i for i in range(first, len(given)) if not given[i].startswith("|")), len(given))
    return "".join([*given[:first], *(f"{line}\n" for line in lines), *given[last:]])


def _cells(row: Result | None) -> str:
    if row is None or OURS not in row["best_ms"]:
        return "– | –"
    peer = f"{row['ratio']:.2f} {row['best_peer']}" if row["best_peer"] else "–"
    return f"{format(row['best_ms'][OURS], '#.3g').rstrip('.')} | {peer}"


def main(arguments: Sequence[str]) -> None:
    """Print the table of all workloads, and renew those of the pages if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks machines", description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew the tables of README.md and docs/results.md")
    options = parser.parse_args(arguments)
    kept = results()
    print("\n".join(table(kept, [workload.name for workload in CPU])))
    if options.write:
        for page, names in PAGES.items():
            page.write_text(renewed(page.read_text(encoding="utf-8"), table(kept, names)), encoding="utf-8")
