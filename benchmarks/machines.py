"""The suite `machines`: what `cpu` and `gpu` keep of every machine, side by side; nothing is measured."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS
from benchmarks.record import RESULTS, words_of
from benchmarks.workloads import CPU, GPU

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

LATEST = {_ROOT / "README.md": 3}
"""The number of machines on a page, of those measured last; all of them where none is given."""

_GPU_HEAD = "| net, batch on a GPU |"
_GPU_PAGE = _ROOT / "docs" / "results.md"

Result = dict[str, Any]


def results(folder: Path = RESULTS) -> list[Result]:
    """The kept results of the suite `cpu`, by the names of their machines."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/cpu.json"))]


def latest(kept: Sequence[Result], count: int | None) -> list[Result]:
    """Results of so many machines, those measured last, or of all, in the order given. Of one day the first count."""
    chosen = sorted(kept, key=lambda result: str(result["date"]), reverse=True)[:count]
    return [result for result in kept if result in chosen]


def table(kept: Sequence[Result], names: Sequence[str]) -> list[str]:
    """Lines in Markdown, a row a workload: for each machine our milliseconds a step, and the best peer's over ours."""
    heads = " | ".join(f"{words_of(result)} | best peer / nnctl" for result in kept)
    rows = [{row["workload"]: row for row in result["rows"]} for result in kept]
    lines = [f"{_HEAD} {heads} |", "|---|" + "---|" * (2 * len(kept))]
    lines += [f"| {name} | {' | '.join(_cells(found.get(name)) for found in rows)} |" for name in names]
    return lines


def gpu_results(folder: Path = RESULTS) -> list[Result]:
    """The kept results of the suite `gpu`, by the names of their devices."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/gpu.json"))]


def gpu_table(kept: Sequence[Result]) -> list[str]:
    """Lines in Markdown, a row a workload and precision that any device has; a row that says so where none has any."""
    heads = "".join(f" {result['device']['name']} | best peer / nnctl | by |" for result in kept)
    found = [{(row["workload"], row["precision"]): row for row in result.get("timings", [])} for result in kept]
    lines = [f"{_GPU_HEAD} precision |{heads}", "|" + "---|" * (2 + 3 * len(kept))]
    names = [(workload.name, precision) for workload in GPU for precision in ("float32", "tf32")]
    rows = [(name, [rows.get(name) for rows in found]) for name in names]
    timed = [(name, of_devices) for name, of_devices in rows if any(of_devices)]
    lines += [f"| {' | '.join([*name, *map(_gpu_cells, of_devices)])} |" for name, of_devices in timed]
    return lines if timed else [*lines, "| none is kept yet | – |" + " – |" * 3 * len(kept)]


def renewed(page: str, lines: Sequence[str], head: str = _HEAD) -> str:
    """A page with these lines in the place of the table that begins so. Raises ValueError where it has none."""
    given = page.splitlines(keepends=True)
    first = next((i for i, line in enumerate(given) if line.startswith(head)), None)
    if first is None:
        raise ValueError(f"the page has no table that begins with {head!r}")
    last = next((i for i in range(first, len(given)) if not given[i].startswith("|")), len(given))
    return "".join([*given[:first], *(f"{line}\n" for line in lines), *given[last:]])


def _cells(row: Result | None) -> str:
    if row is None or OURS not in row["best_ms"]:
        return "– | –"
    peer = f"{row['ratio']:.2f} {row['best_peer']}" if row["best_peer"] else "–"
    return f"{format(row['best_ms'][OURS], '#.3g').rstrip('.')} | {peer}"


def _gpu_cells(row: Result | None) -> str:
    if row is None or OURS not in row["median_ms"]:
        return "– | – | –"
    peer = f"{row['ratio']:.2f} {row['best_peer']}" if row["best_peer"] else "–"
    return f"{format(row['median_ms'][OURS], '#.3g').rstrip('.')} | {peer} | {row['way']}"


def page_with_figures(page: Path) -> str:
    """The text of a page with its tables as what is kept makes them."""
    text = renewed(page.read_text(encoding="utf-8"), table(latest(results(), LATEST.get(page)), PAGES[page]))
    return renewed(text, gpu_table(gpu_results()), _GPU_HEAD) if page == _GPU_PAGE else text


def main(arguments: Sequence[str]) -> None:
    """Print the table of all workloads, and renew those of the pages if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks machines", description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew the tables of README.md and docs/results.md")
    options = parser.parse_args(arguments)
    print("\n".join([*table(results(), [workload.name for workload in CPU]), "", *gpu_table(gpu_results())]))
    if options.write:
        for page in PAGES:
            page.write_text(page_with_figures(page), encoding="utf-8")
