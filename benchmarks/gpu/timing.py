"""Milliseconds a training step on a device: ours beside the three forms that PyTorch's users write.

Figures are medians by events in the device's stream, around a round of steps. The host's clock around the same round
is kept beside them: it has what the host does before the first step and after the last, too.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from benchmarks.arena import check_agreement
from benchmarks.gpu.budget import Budget
from benchmarks.trainer import DeviceTrainer
from benchmarks.workloads import GPU, Workload, orders, steps_within

FORMS = ("eager", "compile", "graph")
PRECISIONS = ("float32", "tf32")
GOALS = {
    "MLP 784-30-10, batch 10": 4.0,
    "MLP 784-100-10, batch 10": 4.0,
    "MLP 784-100-10, batch 128": 2.0,
    "MLP 784-2048-2048-10, batch 1024, Adam": 1.0,
    "CNN 5×5×20-P-5×5×40-P-100-10, batch 128": 1.5,
    "VGG-BN 32-32-P-64-64-P-128-128-GAP-10, batch 128": 0.8,
    "char LSTM 256, time 64, batch 64": 1.2,
}
"""The ratio to the best of PyTorch's forms that is asked for."""
_ROUNDS = 7
_SECONDS = 0.15
"""About how long a round takes."""
_COMPILING = 40.0
"""Seconds that compiling a step may take PyTorch: with less left that form is left out, and said to be."""


def timings(budget: Budget) -> Iterator[dict[str, Any]]:
    """A row a workload and precision, in the order of the table, until the time is over."""
    planned = [(workload, precision) for workload in GPU for precision in PRECISIONS]
    for workload, precision in planned:
        if budget.left < 5.0:
            return
        yield _row(workload, precision, budget)


def _row(workload: Workload, precision: str, budget: Budget) -> dict[str, Any]:
    contestants: dict[str, Callable[[], DeviceTrainer]] = {"nnctl": lambda: _ours(workload, precision)}
    left_out: dict[str, str] = {}
    if find_spec("torch") is None:
        left_out["torch"] = "not installed"
    else:
        for form in FORMS:
            if form == "compile" and budget.left < _COMPILING:
                left_out[f"torch {form}"] = "no time left to compile"
                continue
            contestants[f"torch {form}"] = lambda form=form: _torch(workload, form, precision)
    costs: dict[str, list[float]] = {}
    median: dict[str, float] = {}
    host: dict[str, float] = {}
    for name, prepare in contestants.items():
        try:
            costs[name], median[name], host[name] = _measured(prepare(), workload)
        except Exception as error:  # noqa: BLE001 — what a contestant raises is its result
            left_out[name] = f"{type(error).__name__}: {str(error)[:200]}"
        gc.collect()
    if precision == "float32":
        check_agreement(workload, costs)
    ours, peers = median.get("nnctl"), [value for name, value in median.items() if name != "nnctl"]
    return {
        "workload": workload.name,
        "precision": precision,
        "median_ms": {name: 1e3 * seconds for name, seconds in median.items()},
        "host_ms": {name: 1e3 * seconds for name, seconds in host.items()},
        "costs": costs,
        "left_out": left_out,
        "ratio": min(peers) / ours if ours and peers else None,
        "goal": GOALS.get(workload.name),
        "teraflops": workload.flops / ours / 1e12 if ours else None,
    }


def _measured(trainer: DeviceTrainer, workload: Workload) -> tuple[list[float], float, float]:
    """First costs, and medians over the rounds of the seconds a step: by the device's events, by the host's clock."""
    costs = [trainer.step(rows) for rows in orders(workload, trainer.comparable)]
    if not all(map(math.isfinite, costs)):
        raise RuntimeError(f"first costs are {costs}")
    trainer.seconds(20)
    steps = steps_within(_SECONDS, trainer.seconds(20) / 20)
    trainer.seconds(steps)
    by_events, by_clock = [], []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        by_events.append(trainer.seconds(steps) / steps)
        by_clock.append((time.perf_counter() - began) / steps)
    return costs, statistics.median(by_events), statistics.median(by_clock)


def _ours(workload: Workload, precision: str) -> DeviceTrainer:
    from benchmarks.ours import nnctl_on_device

    return nnctl_on_device(workload, precision)


def _torch(workload: Workload, form: str, precision: str) -> DeviceTrainer:
    from benchmarks.peer_torch import torch_on_device

    return torch_on_device(workload, form, precision)
