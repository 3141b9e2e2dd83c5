"""Right before fast: the tests that need a device, the sanitizer over them, and the parity of every spec.

All of it goes on side by side, as it is about what comes out and not about how long that takes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.record import cores

ROOT = Path(__file__).parents[2]
# pytest-benchmark, where it is installed, refuses to be beside xdist.
_PYTEST = (sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:benchmark")
_TESTS = "tests/backends"
_SMALL = "tests/backends/cuda/test_on_device.py::test_kernels_agree_with_their_reference_bodies"
"""The test whose shapes are small enough for the sanitizer. It has a case an op."""
_TOOLS = ("memcheck", "racecheck")
_PARTS = 3
"""Processes of each of the sanitizer's tools: what they run is slow."""
_STARTING = 4.0
"""Seconds that a process takes before a spec is compared."""
_THREADS = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}

Outcome = dict[str, Any]


def judged(seconds: float) -> Iterator[tuple[str, Any]]:
    """All of it within so many seconds: "kernels", "parity" and "sanitizer", and what was found, each when it is."""
    tasks: dict[str, Callable[[float], Any]] = {"kernels": kernels, "parity": parity, "sanitizer": sanitized}
    with ThreadPoolExecutor(len(tasks)) as pool:
        waiting = {pool.submit(task, seconds): name for name, task in tasks.items()}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


def kernels(seconds: float) -> Outcome:
    """Every kernel on the device against its reference body, on fresh inputs and poisoned outputs."""
    processes = str(min(6, cores()))
    return _run([*_PYTEST, "-n", processes, "--maxprocesses", processes, _TESTS], seconds)


def sanitized(seconds: float) -> dict[str, Outcome]:
    """The same on small shapes under the sanitizer's tools; "absent" where it is not on the path."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        return {tool: {"outcome": "absent"} for tool in _TOOLS}
    parts = _parts()
    runs = [(tool, part) for tool in _TOOLS for part in parts]

    def one(run: tuple[str, Sequence[str]]) -> Outcome:
        tool, part = run
        return _run([program, "--tool", tool, "--error-exitcode", "9", *_PYTEST, "-n", "0", *part], seconds)

    with ThreadPoolExecutor(len(runs)) as pool:
        outcomes = list(pool.map(one, runs))
    return {tool: _together([o for (of, _), o in zip(runs, outcomes) if of == tool]) for tool in _TOOLS}


def _parts() -> list[list[str]]:
    """The cases that the sanitizer watches, shared out."""
    from nnctl.backends.cuda.kernels import EMITTERS

    cases = [f"{_SMALL}[{name}]" for name in sorted(EMITTERS)]
    return [cases[first::_PARTS] for first in range(_PARTS)]


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of several processes as that of one: "passed" where all have."""
    said = [line for outcome in outcomes for line in outcome["said"]]
    bad = [outcome["outcome"] for outcome in outcomes if outcome["outcome"] != "passed"]
    return {
        "outcome": ", ".join(sorted(set(bad))) or "passed",
        "seconds": max(outcome["seconds"] for outcome in outcomes),
        "said": said,
    }


def _run(command: Sequence[str], seconds: float, variables: dict[str, str] | None = None) -> Outcome:
    """The outcome of a process: "passed", or "failed" or "out of time" with the end of what it said.

    What it has started ends with it.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | (variables or {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        said, errors = process.communicate(timeout=seconds)
        outcome = "passed" if process.returncode == 0 else f"failed with {process.returncode}"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, errors = process.communicate()
        outcome = "out of time"
    lines = [line for line in said.splitlines() if line.strip()]
    return {
        "outcome": outcome,
        "seconds": round(time.monotonic() - began, 1),
        "said": lines[-1:] if outcome == "passed" else [*lines[-30:], *errors.splitlines()[-10:]],
    }


def parity(seconds: float) -> list[dict[str, Any]]:
    """Training steps of every spec on the device against the reference, a row a spec, a process each.

    Each spec has an equal part of the time, and as many steps as fit, a hundred at most.
    """
    specs = sorted((ROOT / "specs").glob("*.yaml"))
    end, jobs = time.monotonic() + seconds, max(1, cores() // 2)
    each = max(1.0, seconds * jobs / len(specs) - _STARTING)

    def one(path: Path) -> dict[str, Any]:
        left = end - time.monotonic()
        if left < _STARTING:
            return _not_run(path, "no time was left")
        given = min(each, left - _STARTING)
        command = [sys.executable, "-m", "benchmarks.gpu.one_spec", str(path), f"{given:.1f}"]
        found = _run(command, left, _THREADS)
        if found["outcome"] != "passed":
            return _not_run(path, f"{found['outcome']}: {' '.join(found['said'][-3:])}")
        row: dict[str, Any] = json.loads(found["said"][-1])
        return row

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, specs))


def _not_run(path: Path, why: str) -> dict[str, Any]:
    return {"spec": path.stem, "steps": 0, "worst": None, "left": None, "said": why}
