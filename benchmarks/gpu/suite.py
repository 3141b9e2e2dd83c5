"""The suite: right first, then fast; one table last, everything kept as JSON."""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu import judgement
from benchmarks.gpu.budget import Budget
from benchmarks.gpu.timing import CONTESTANTS, GROUPS, OURS, timings
from benchmarks.record import RESULTS, cores, versions
from benchmarks.workloads import GPU

_PACKAGES = ("nnctl", "numpy", "cupy-cuda13x", "cupy-cuda12x", "torch", "triton", "jax")
_JUDGED = 0.25
"""The share of the time within which everything is judged."""


def main(arguments: Sequence[str]) -> None:
    """Run the suite."""
    from nnctl.errors import UsageError

    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="within which it ends")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that keeps them under the device's name")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    names = [name for name in CONTESTANTS if name != OURS]
    parser.add_argument("--without", action="append", default=[], choices=names, help="a peer that takes no part")
    options = parser.parse_args(arguments)
    try:
        run(options.minutes, None if options.no_save else options.results, options.without)
    except UsageError as error:
        raise SystemExit(f"benchmarks: {error}") from None


def run(minutes: float, results: Path | None, without: Collection[str] = ()) -> None:
    """Run the suite in so many minutes.

    results: the folder that keeps it under the device's name; None to print alone. without: peers that take no part.
    Raises UsageError where there is no device.
    """
    budget = Budget(60.0 * minutes)
    device = facts_of_device()
    result: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "device": device,
        "cores": cores(),
        "python": platform.python_version(),
        "versions": versions(_PACKAGES),
    }
    folder = None if results is None else results / device["name"].replace(" ", "-")

    def keep(stage: str, found: Any, said: str) -> None:
        """A stage of the result, written at once: the machine may be taken away."""
        result[stage] = found
        print(f"{60.0 * minutes - budget.left:5.0f} s  {said}", flush=True)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(result, indent=1, ensure_ascii=False)
            (folder / "gpu.json").write_text(text + "\n", encoding="utf-8")
            (folder / "gpu.md").write_text(rendered(result) + "\n", encoding="utf-8")

    for stage, found in judgement.judged(_JUDGED * budget.left):
        keep(stage, found, f"{stage} judged")
    rows: list[dict[str, Any]] = []
    for row in timings(budget, without):
        rows.append(row)
        best = f"{_number(row['ratio'], '.2f')} {row['best_peer'] or ''}"
        keep("timings", rows, f"{row['workload']}, {row['precision']}: {best} {', '.join(row['left_out'])}")
    print(f"\n{rendered(result)}")


def rendered(result: Mapping[str, Any]) -> str:
    """The result as Markdown, or what there is of it: what is right in lines, what is fast as a table."""
    device = result["device"]
    lines = [
        f"{device['name']}, {result['date']}: medians of milliseconds a training step, by events in the device's",
        "stream; under *host* by the host's clock around the same steps. JAX has no events: its figure is the host's",
        "clock around one call of many steps, and its ratio is to ours by that clock. TFLOP/s are by events.",
        "",
    ]
    lines += _judgement(result)
    rows = result.get("timings", [])
    by = [(name, kind) for name in CONTESTANTS for kind in ("median_ms", "host_ms") if _stands(rows, name, kind)]
    heads = [name if kind == "median_ms" else _host(rows, name) for name, kind in by]
    lines += [
        "",
        f"| {' | '.join(['workload', 'precision', *heads, 'best peer / ours', 'goal', 'ours by', 'TFLOP/s'])} |",
    ]
    lines.append("|---|" + "---|" * (len(heads) + 5))
    for row in sorted(rows, key=_place):
        cells = [_number(row[kind].get(name), ".4g") for name, kind in by]
        best = f"{_number(row['ratio'], '.2f')} {row['best_peer'] or ''}".strip()
        ends = (best, _number(row["goal"], ".1f"), row["way"] or "–", _number(row["teraflops"], ".2f"))
        lines.append(f"| {' | '.join([row['workload'], row['precision'], *cells, *ends])} |")
    reasons = _reasons(rows)
    installed = ", ".join(f"{package} {number}" for package, number in result["versions"].items())
    return "\n".join([*lines, *([""] if reasons else []), *reasons, "", f"{installed}, Python {result['python']}."])


def _judgement(result: Mapping[str, Any]) -> list[str]:
    """Lines about what is right."""
    lines = [f"- kernels against reference bodies: {_outcome(result.get('kernels', {}))}"]
    lines += [f"- {tool}: {_outcome(found)}" for tool, found in result.get("sanitizer", {}).items()]
    compared = result.get("parity", [])
    good = [row for row in compared if row["left"] is None and row["steps"]]
    steps = sorted(row["steps"] for row in good)
    of_steps = f", {steps[0]} to {steps[-1]} steps each" if steps else ""
    lines.append(f"- parity with the reference: {len(good)} of {len(compared)} specs within rounding{of_steps}")
    bad: dict[str, list[str]] = {}
    for row in compared:
        if row not in good:
            where = "not run" if row["left"] is None else f"left in step {row['left']}"
            bad.setdefault(f"{where}: {' '.join(row['said'].split())}", []).append(row["spec"])
    return [*lines, *(f"  - {', '.join(specs)}: {why}" for why, specs in bad.items())]


def _outcome(found: Mapping[str, Any]) -> str:
    """An outcome in words, with the last words of what passed."""
    outcome: str = found.get("outcome", "not run")
    return f"{outcome}: {'; '.join(found['said'])}" if outcome == "passed" and found.get("said") else outcome


def _stands(rows: Sequence[Mapping[str, Any]], name: str, kind: str) -> bool:
    """True for a contestant's column that has a figure."""
    return any(name in row[kind] for row in rows)


def _host(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """The head of a column by the host's clock: the contestant's name stands there if it has no other column."""
    return "*host*" if _stands(rows, name, "median_ms") else f"{name}, *host*"


def _place(row: Mapping[str, Any]) -> tuple[int, str]:
    """A row's place in the table: workloads in their order, float32 first."""
    names = [workload.name for workload in GPU]
    return (names.index(row["workload"]) if row["workload"] in names else len(names), row["precision"])


def _reasons(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines about who is missing in which rows, and which rows are missing."""
    said: dict[str, list[str]] = {}
    for row in rows:
        for name, why in row["left_out"].items():
            said.setdefault(f"{name}: {why}", []).append(f"{row['workload']}, {row['precision']}")
    lines = [f"- {where[0] if len(where) == 1 else f'{len(where)} rows'}: {why}" for why, where in said.items()]
    missing = sum(map(len, GROUPS)) - len(rows)
    return [*lines, *([f"- {missing} rows: no time was left for them"] if rows and missing > 0 else [])]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def facts_of_device() -> dict[str, str]:
    """Facts of the device in words, by what they are of. Raises UsageError without one."""
    from nnctl.backends.registry import available
    from nnctl.errors import UsageError

    for component, opened in available():
        if component.type == "cuda":
            if isinstance(opened, str):
                raise UsageError(f"this suite needs a CUDA device: {opened}")
            facts = {finding.what: finding.value for finding in opened.describe()}
            return {"name": next(value for what, value in facts.items() if what.startswith("device "))} | facts
    raise UsageError("this suite needs the cuda backend")
