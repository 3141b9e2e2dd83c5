"""The suite: right first, then fast; one table last, everything kept as JSON."""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu import judgement
from benchmarks.gpu.budget import Budget
from benchmarks.gpu.timing import FORMS, timings
from benchmarks.record import RESULTS, versions

_PACKAGES = ("nnctl", "numpy", "cupy-cuda13x", "cupy-cuda12x", "torch")


def main(arguments: Sequence[str]) -> None:
    """Run the suite."""
    from nnctl.errors import UsageError

    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="within which it ends")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    options = parser.parse_args(arguments)
    try:
        run(options.minutes, None if options.no_save else RESULTS)
    except UsageError as error:
        raise SystemExit(f"benchmarks: {error}") from None


def run(minutes: float, results: Path | None) -> None:
    """Run the suite in so many minutes. results: the folder that keeps it under the device's name; None to print alone.

    Raises UsageError where there is no device.
    """
    device = facts_of_device()
    budget = Budget(60.0 * minutes)
    result: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "device": device,
        "python": platform.python_version(),
        "versions": versions(_PACKAGES),
    }
    folder = None if results is None else results / device["name"].replace(" ", "-")

    def keep(stage: str, found: Any) -> None:
        """A stage of the result, written at once: the machine may be taken away."""
        result[stage] = found
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "gpu.json").write_text(json.dumps(result, indent=1) + "\n")

    keep("kernels", judgement.kernels(budget))
    print("kernels:", result["kernels"]["outcome"], flush=True)
    keep("parity", judgement.parity(budget))
    print("parity:", sum(row["left"] is None and row["steps"] > 0 for row in result["parity"]), "specs", flush=True)
    keep("sanitizer", judgement.sanitized(budget))
    rows: list[dict[str, Any]] = []
    for row in timings(budget):
        rows.append(row)
        keep("timings", rows)
        print(row["workload"], row["precision"], row["median_ms"], row["left_out"] or "", flush=True)
    table = rendered(result)
    print(f"\n{table}")
    if folder is not None:
        (folder / "gpu.md").write_text(table + "\n")


def rendered(result: dict[str, Any]) -> str:
    """The result as Markdown: what is right in lines, what is fast as a table."""
    device = result["device"]
    lines = [
        f"{device['name']}, {result['date']}: medians of milliseconds a training step, by events in the device's",
        "stream; under *host* by the host's clock around the same steps. Ratios and TFLOP/s are by events.",
        "",
    ]
    lines.append(f"- kernels against reference bodies: {result['kernels']['outcome']}")
    lines += [f"- {tool}: {found['outcome']}" for tool, found in result.get("sanitizer", {}).items()]
    compared = result.get("parity", [])
    good = [row for row in compared if row["left"] is None and row["steps"]]
    lines.append(f"- parity with the reference: {len(good)} of {len(compared)} specs within rounding")
    for row in compared:
        if row not in good:
            where = "not run" if row["left"] is None else f"left in step {row['left']}"
            lines.append(f"  - {row['spec']}: {where}: {row['said']}")
    names = ["nnctl", *(f"torch {form}" for form in FORMS)]
    heads = " | ".join(f"{name} | *host*" for name in names)
    lines += ["", f"| workload | precision | {heads} | best torch / ours | goal | TFLOP/s |"]
    lines.append("|---|" + "---|" * (2 * len(names) + 4))
    for row in result.get("timings", []):
        cells = [_number(row[by].get(name), ".4g") for name in names for by in ("median_ms", "host_ms")]
        ends = (_number(row["ratio"], ".2f"), _number(row["goal"], ".1f"), _number(row["teraflops"], ".2f"))
        lines.append(f"| {row['workload']} | {row['precision']} | {' | '.join([*cells, *ends])} |")
    said = [f"{row['workload']}, {row['precision']}: {name}: {why}" for row in result.get("timings", [])
            for name, why in row["left_out"].items()]  # fmt: skip
    installed = ", ".join(f"{package} {number}" for package, number in result["versions"].items())
    return "\n".join([*lines, *([""] if said else []), *said, "", f"{installed}, Python {result['python']}."])


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
