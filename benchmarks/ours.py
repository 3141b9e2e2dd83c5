"""This project: the compiled step, costs and accuracy of each batch included."""

from __future__ import annotations

import time
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import Text
from benchmarks.nets import fields
from benchmarks.trainer import DeviceTrainer, Trainer
from benchmarks.workloads import Workload, orders
from nnctl.backends.contract import Executable, Pending
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.backends.cpu.ways import SESSIONS
from nnctl.backends.cuda.component import Cuda
from nnctl.backends.cuda.persistent.steps import PersistentSteps
from nnctl.backends.cuda.persistent.trial import FastestSteps
from nnctl.components.signature import DataSignature
from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine
from nnctl.graph import interface
from nnctl.spec.load import load_text
from nnctl.training.chunk_length import CHUNK_SECONDS

_COMPILING = 60.0
"""Seconds that a persistent kernel may take to be compiled."""


def spec(workload: Workload, backend: str) -> str:
    """The workload as a user would write it, but for its data, which `signature` describes."""
    layers = "  - one_hot\n" if isinstance(workload.data, Text) else ""
    layers += fields(workload.net, workload.data.shape)
    return (
        f"data: {{type: mnist}}\nlayers:\n{layers}  - {{type: activation, activation: softmax}}\n"
        f"cost: log_likelihood\n"
        f"optimizer: {{type: {workload.optimizer}, learning_rate: {workload.learning_rate}}}\n"
        f"schedule: {{batch_size: {workload.batch}}}\nbackend: {backend}\n"
    )


def signature(workload: Workload) -> DataSignature:
    """The signature of the workload's data."""
    data = workload.data
    if isinstance(data, Text):
        symbols = tuple(map(str, range(data.vocabulary)))
        return DataSignature((data.time,), "index", symbols, target_shape=(data.time,), vocabulary=symbols)
    return DataSignature(data.shape, "uint8", tuple(map(str, range(data.classes))), statistics_shape=())


def nnctl(workload: Workload, threads: int) -> Trainer:
    """The engine that `nnctl train` drives, on so many cores."""
    net = _Net(workload, f"{{type: cpu, threads: {threads}}}")
    net.choose()
    return Trainer(net.step, lambda steps: net.run(orders(workload, steps)))


def nnctl_on_device(workload: Workload, precision: str) -> DeviceTrainer:
    """The same on a GPU, its products in `precision`."""
    net = _Net(workload, f"{{type: cuda, precision: {precision}}}")
    # What is drawn on the host is no part of a step.
    order = lru_cache(maxsize=1)(partial(orders, workload))

    def seconds(steps: int) -> float:
        pending = net.start(order(steps))
        net.finish(pending, steps)
        spent = pending.result().seconds
        assert spent is not None
        return spent

    def costs(order: NDArray[Any]) -> list[float]:
        first = [net.step(rows) for rows in order]
        net.wait_for_kernels()
        return first

    return DeviceTrainer(costs, seconds, way=net.way)


def open_device() -> None:
    """Begin with a GPU what takes a moment: its context."""
    Cuda().open()


class _Net:
    """The engine over the workload's data."""

    def __init__(self, workload: Workload, backend: str) -> None:
        self.engine = engine = Engine(
            load_text(spec(workload, backend)).spec, signature(workload), seed=0, examples=workload.data.examples
        )
        if isinstance(workload.data, Text):
            engine.assign(workload.weights())
        else:
            scale = {"data.shift": np.zeros((), np.float32), "data.scale": np.full((), 1 / 255, np.float32)}
            engine.assign(workload.weights() | scale)
        engine.feed.bind("train", *workload.data.arrays())
        self._batch = workload.batch
        self._done = 0
        self._chunk = 1

    @property
    def _executable(self) -> Executable:
        return self.engine.loaded_step(self.engine.feed["train"].examples, self._batch)

    def wait_for_kernels(self) -> None:
        """Have everything compiled that the trial of ways on a device needs, so that it is in the next long chunk.

        Raises RuntimeError where that takes too long, or nothing can be compiled beside.
        """
        end, steps = time.monotonic() + _COMPILING, self._executable
        while isinstance(steps, FastestSteps) and not steps.compiled(begin=True):
            if time.monotonic() > end:
                raise RuntimeError(f"a persistent kernel was not compiled within {_COMPILING:.0f} s")
            time.sleep(0.02)

    def way(self) -> str:
        """The way of the training step on a device: "one kernel" for all steps of a chunk, or "captured" launches."""
        loaded = self._executable
        steps = loaded.chosen if isinstance(loaded, FastestSteps) else loaded
        return "one kernel" if isinstance(steps, PersistentSteps) else "captured"

    def choose(self) -> None:
        """Let the backend measure its ways to run the step now, in as many sessions as first runs do together."""
        examples, backend = self.engine.feed["train"].examples, self.engine.backend
        graph = self.engine.network.training_step
        sizes = interface.sizes(self._batch, examples.rows)
        assert isinstance(backend, CpuBackend)
        plan, storage = backend.plan(graph, sizes), self.engine.storage_on_host(examples)
        for _ in range(SESSIONS):
            backend.choice(plan, storage)

    def step(self, rows: NDArray[Any]) -> float:
        """A training step; the cost before it."""
        return float(self.finish(self.start(rows[None]), 1)[0])

    def run(self, order: NDArray[Any]) -> None:
        """Train on these rows in chunks as `nnctl train` does: between them a run goes to other numbers of threads."""
        first = 0
        while first < len(order):
            rows = order[first : first + self._chunk]
            began = time.perf_counter()
            self.finish(self.start(rows), len(rows))
            first += len(rows)
            fitting = int(len(rows) * CHUNK_SECONDS / (time.perf_counter() - began))
            if len(rows) == self._chunk or fitting < self._chunk // 2:
                self._chunk = max(1, min(fitting, 2 * len(rows)))

    def start(self, order: NDArray[Any]) -> Pending:
        """Start steps over these rows, (steps, batch)."""
        optimizer = self.engine.network.spec.optimizer
        scheduled = {name: np.full(len(order), getattr(optimizer, name)) for name in optimizer.scheduled}
        return self.engine.start(Chunk(self.engine.feed["train"].examples, order), scheduled, self._done)

    def finish(self, pending: Pending, steps: int) -> NDArray[Any]:
        """Wait for the steps; their costs. Raises RuntimeError where one is not finite."""
        result = pending.result()
        self._done += result.completed
        if result.completed < steps:
            raise RuntimeError(f"the cost of step {self._done} is not finite")
        return result.outputs["cost"]
