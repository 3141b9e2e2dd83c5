"""Right before fast: the tests that need a device, the sanitizer over them, and the parity of every spec."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.budget import Budget

ROOT = Path(__file__).parents[2]
_TESTS = ("-m", "pytest", "-q", "-n", "0", "-m", "gpu", "tests/backends")
_SMALL = "agree_with_their_reference_bodies"
"""Tests whose shapes are small enough for the sanitizer."""
_STEPS = 100
"""Steps of every spec that are compared, where time allows."""
_FEWEST = 3


def kernels(budget: Budget) -> dict[str, Any]:
    """Every kernel on the device against its reference body, on fresh inputs and poisoned outputs."""
    return _run([sys.executable, *_TESTS], 0.3 * budget.left)


def sanitized(budget: Budget) -> dict[str, dict[str, Any]]:
    """The same on small shapes under the sanitizer's tools; "absent" where it is not on the path."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        return {tool: {"outcome": "absent"} for tool in ("memcheck", "racecheck")}
    found = {}
    for tool in ("memcheck", "racecheck"):
        command = [program, "--tool", tool, "--error-exitcode", "9", sys.executable, *_TESTS, "-k", _SMALL]
        found[tool] = _run(command, 0.12 * budget.left)
    return found


def _run(command: list[str], seconds: float) -> dict[str, Any]:
    """The outcome of a process: "passed", "failed" with the end of what it said, or "out of time"."""
    began = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"outcome": "out of time", "seconds": round(seconds, 1)}
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    outcome = "passed" if done.returncode == 0 else f"failed with {done.returncode}"
    said = lines[-1:] if done.returncode == 0 else [*lines[-30:], *done.stderr.splitlines()[-10:]]
    return {"outcome": outcome, "seconds": round(time.monotonic() - began, 1), "said": said}


def parity(budget: Budget, share: float = 0.35) -> list[dict[str, Any]]:
    """Training steps of every spec on the device against the reference, a row a spec.

    Each spec has an equal part of that share of the time, and as many steps as fit, a hundred at most.
    """
    from nnctl.analysis.parity import Parity
    from nnctl.errors import NnctlError
    from nnctl.spec.load import load_spec

    specs = sorted((ROOT / "specs").glob("*.yaml"))
    end = budget.left * (1.0 - share)
    rows: list[dict[str, Any]] = []
    for number, path in enumerate(specs):
        each = max(0.0, budget.left - end) / (len(specs) - number)
        try:
            loaded = load_spec(path)
            compared = Parity(loaded.spec, loaded.spec.data.signature(loaded.folder), backend="cuda")
            began = time.monotonic()
            result, ran = compared.run(_FEWEST), _FEWEST
            steps = min(_STEPS, int(each / max(1e-9, (time.monotonic() - began) / _FEWEST)))
            if result.left is None and steps > _FEWEST:
                result, ran = compared.run(steps), steps
        except NnctlError as error:
            rows.append({"spec": path.stem, "steps": 0, "worst": None, "left": None, "said": str(error)})
            continue
        rows.append(
            {
                "spec": path.stem,
                "steps": ran,
                "worst": max(tensor.relative for tensor in result.tensors),
                "left": result.left,
                "said": "" if result.origin is None else f"{result.origin.value} ({result.origin.op})",
            }
        )
    return rows
