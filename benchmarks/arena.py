"""One process a contestant, rounds interleaved so that noise meets all alike.

While one works the others are stopped by signal: idle pools of threads spin,
and would take cores from whoever runs next.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import MappingProxyType

from benchmarks.contestants import CONTESTANTS, OURS
from benchmarks.trainer import Trainer
from benchmarks.workloads import Workload, orders, steps_within

TOLERANCE = 5e-5
"""Relative, of first costs. In float32 they differ by some 1e-6; even another ε in Adam shows at 2e-4."""
_PATIENCE = 10.0
"""Seconds that a contestant has to end by itself."""


class DisagreementError(Exception):
    """Contestants do not do the same work."""


def race(
    workload: Workload,
    names: Sequence[str],
    *,
    threads: int,
    rounds: int,
    seconds: float,
    checkouts: Mapping[str, Path] = MappingProxyType({}),
) -> dict[str, list[float]]:
    """Seconds a step of each contestant, one figure a round. A contestant that fails has none.

    checkouts: other versions of this project by the name that they run under.
    Raises DisagreementError where the costs of first steps differ.
    """
    workers = {name: _Worker(name, workload, threads, seconds) for name in names}
    workers |= {name: _Worker(OURS, workload, threads, seconds, root) for name, root in checkouts.items()}
    try:
        costs = {name: costs for name, worker in workers.items() if (costs := worker.first_costs()) is not None}
        check_agreement(workload, costs)
        ready = [name for name in costs if workers[name].rehearse()]
        figures: dict[str, list[float]] = {name: [] for name in ready}
        for _ in range(rounds):
            for name in ready:
                figures[name].append(workers[name].round())
        return figures
    finally:
        for worker in workers.values():
            worker.end()


def check_agreement(workload: Workload, costs: dict[str, list[float]], tolerance: float = TOLERANCE) -> None:
    """Compare everyone's first costs with the first contestant's. Raises DisagreementError.

    tolerance: relative.
    """
    standard = next(iter(costs.values()), [])
    for others in costs.values():
        if not all(math.isclose(a, b, rel_tol=tolerance) for a, b in zip(others, standard)):
            lines = "".join(f"\n  {name}: {', '.join(map(str, values))}" for name, values in costs.items())
            raise DisagreementError(f"{workload.name}: the first steps from the same weights cost{lines}")


class _Worker:
    """A contestant's process, stopped except while it answers a request."""

    def __init__(
        self, name: str, workload: Workload, threads: int, seconds: float, checkout: Path | None = None
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._name = name
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_work, args=(theirs, name, workload, threads, seconds, checkout), daemon=True
        )
        self._process.start()
        # With this end closed here too, the end of the process is the end of what is received.
        theirs.close()
        self._signal(signal.SIGSTOP)

    def first_costs(self) -> list[float] | None:
        """Costs of the steps that are compared; None where the process fails, and prints why."""
        return self._ask("costs")

    def rehearse(self) -> bool:
        """Compile and warm up. False where that fails."""
        return self._ask("rehearse") is not None

    def round(self) -> float:
        """Seconds a step of one round. Raises RuntimeError where it fails: figures would be missing."""
        figures = self._ask("round")
        if figures is None:
            raise RuntimeError(f"{self._name} failed in a round")
        return figures[0]

    def end(self) -> None:
        """End the process, whatever it does."""
        self._signal(signal.SIGCONT)
        # Where it waits it ends by itself, and with it what it has started: compilers' helpers.
        self._connection.close()
        self._process.join(_PATIENCE)
        self._process.kill()
        self._process.join()

    def _ask(self, what: str) -> list[float] | None:
        self._signal(signal.SIGCONT)
        try:
            self._connection.send(what)
            answer: list[float] = self._connection.recv()
        except (EOFError, ConnectionError):
            return None
        self._signal(signal.SIGSTOP)
        return answer

    def _signal(self, number: int) -> None:
        # One that has ended is a child of this process until it is joined: there is always someone to signal.
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


def _work(
    connection: Connection, name: str, workload: Workload, threads: int, seconds: float, checkout: Path | None
) -> None:
    """Answer what a `_Worker` asks, until it closes its end."""
    if checkout is None:
        trainer = CONTESTANTS[name].prepare(workload, threads)
    else:
        trainer = _of(checkout, name, workload.name, threads)
    steps = 0
    while (request := _received(connection)) is not None:
        if request == "costs":
            answer = [trainer.step(rows) for rows in orders(workload, trainer.comparable)]
        elif request == "rehearse":
            steps = _rehearsed(trainer, workload, seconds)
            answer = []
        else:
            began = time.perf_counter()
            trainer.run(steps)
            answer = [(time.perf_counter() - began) / steps]
        connection.send(answer)


def _of(checkout: Path, name: str, workload: str, threads: int) -> Trainer:
    """A contestant as another checkout has it, its own benchmarks included: the interfaces between them may differ."""
    for module in [m for m in sys.modules if m.partition(".")[0] in ("benchmarks", "nnctl")]:
        del sys.modules[module]
    sys.path.insert(0, str(checkout))
    contestants, workloads = import_module("benchmarks.contestants"), import_module("benchmarks.workloads")
    trainer: Trainer = contestants.CONTESTANTS[name].prepare(
        next(w for w in workloads.CPU if w.name == workload), threads
    )
    return trainer


def _received(connection: Connection) -> str | None:
    try:
        request: str = connection.recv()
    except EOFError:
        return None
    return request


def _rehearsed(trainer: Trainer, workload: Workload, seconds: float) -> int:
    """Steps of a round, once the trainer is compiled and warm."""
    # The machine's limit is about 0.4 TFLOP/s: a first guess that errs on the side of too few steps.
    length = steps_within(seconds, max(workload.flops / 4e11, 1e-5) * 4)
    if trainer.fixed_length:
        trainer.run(length)
        trainer.run(length)
        return length
    trainer.run(2)
    steps = 10
    # Of ten small steps most is the beginning of threads, beside busy processes above all: a round tells how many fit.
    for _ in range(2):
        began = time.perf_counter()
        trainer.run(steps)
        steps = steps_within(seconds, (time.perf_counter() - began) / steps)
    return steps
