"""One process a contestant, rounds interleaved so that noise meets all alike.

While one works the others are stopped by signal: idle pools of threads spin,
and would take cores from whoever runs next.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.contestants import CONTESTANTS
from benchmarks.workloads import Workload, steps_within


def race(workload: Workload, names: list[str], *, threads: int, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds a step of each contestant, one figure a round. A contestant that fails has none."""
    context = multiprocessing.get_context("spawn")
    workers: dict[str, tuple[Any, Connection]] = {}
    for name in names:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, name, workload, threads, seconds), daemon=True)
        process.start()
        if ours.recv() == "ready":
            workers[name] = (process, ours)
            os.kill(process.pid or 0, signal.SIGSTOP)
    figures: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, (process, connection) in workers.items():
            os.kill(process.pid, signal.SIGCONT)
            connection.send("go")
            figures[name].append(connection.recv())
            os.kill(process.pid, signal.SIGSTOP)
    for process, connection in workers.values():
        os.kill(process.pid, signal.SIGCONT)
        connection.send("stop")
        process.join()
    return figures


def _work(connection: Connection, name: str, workload: Workload, threads: int, seconds: float) -> None:
    try:
        run = CONTESTANTS[name](workload, threads)
        steps = _rehearsed(run, workload, seconds)
    except (ImportError, RuntimeError) as error:
        print(f"{name}: {error}", flush=True)
        connection.send("failed")
        return
    connection.send("ready")
    while connection.recv() == "go":
        began = time.perf_counter()
        run(steps)
        connection.send((time.perf_counter() - began) / steps)


def _rehearsed(run: Any, workload: Workload, seconds: float) -> int:
    """Compile and warm up; how many steps make a round."""
    # The machine's limit is about 0.4 TFLOP/s: a first guess that errs on the side of too few steps.
    length = steps_within(seconds, max(workload.flops / 4e11, 1e-5) * 4)
    if getattr(run, "fixed_length", False):
        run(length)
        run(length)
        return length
    run(2)
    began = time.perf_counter()
    run(10)
    steps = steps_within(seconds, (time.perf_counter() - began) / 10)
    run(steps)
    return steps
