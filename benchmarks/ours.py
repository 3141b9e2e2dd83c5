"""This project: the compiled step, costs and accuracy of each batch included."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import Text
from benchmarks.nets import placed
from benchmarks.trainer import Trainer
from benchmarks.workloads import Workload, orders
from nnctl.components.signature import DataSignature
from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine
from nnctl.spec.load import load_text


def spec(workload: Workload, backend: str) -> str:
    """The workload as a user would write it, but for its data, which `signature` describes."""
    layers = [f"  - {{name: {name}, {layer.spec}}}\n" for name, layer, _ in placed(workload.net, workload.data.shape)]
    if isinstance(workload.data, Text):
        layers.insert(0, "  - one_hot\n")
    return (
        f"data: {{type: mnist}}\nlayers:\n{''.join(layers)}  - {{type: activation, activation: softmax}}\n"
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
    return on_backend(workload, f"{{type: cpu, threads: {threads}}}")


def on_backend(workload: Workload, backend: str) -> Trainer:
    """The same on a backend as a spec has it."""
    engine = Engine(
        load_text(spec(workload, backend)).spec, signature(workload), seed=0, examples=workload.data.examples
    )
    if isinstance(workload.data, Text):
        engine.assign(workload.weights())
    else:
        scale = {"data.shift": np.zeros((), np.float32), "data.scale": np.full((), 1 / 255, np.float32)}
        engine.assign(workload.weights() | scale)
    engine.feed.bind("train", *workload.data.arrays())
    optimizer = engine.network.spec.optimizer
    done = 0

    def train(order: NDArray[Any]) -> NDArray[Any]:
        nonlocal done
        scheduled = {name: np.full(len(order), getattr(optimizer, name)) for name in optimizer.scheduled}
        steps = engine.train(Chunk(engine.feed["train"].examples, order), scheduled, done)
        if steps.completed < len(order):
            raise RuntimeError(f"the cost of step {done + steps.completed} is not finite")
        done += steps.completed
        return steps.metrics["cost"]

    def run(steps: int) -> None:
        train(orders(workload, steps))

    return Trainer(lambda rows: float(train(rows[None])[0]), run)
