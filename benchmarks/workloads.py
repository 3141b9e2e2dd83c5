"""Workloads: a net, the data that it reads, a batch size and an update rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import Data, Images, Text
from benchmarks.nets import Flatten, Net, Recurrent, Weights, characters, initial_weights, lenet, mlp, placed, vgg


@dataclass(frozen=True)
class Workload:
    """Training steps on batches of random examples."""

    name: str
    net: Net
    data: Data
    batch: int
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 0.01

    @property
    def flops(self) -> int:
        """Operations of the products of one step: forward, and backward but for the first layer's input."""
        counts = [layer.products(shape) for _, layer, shape in placed(self.net, self.data.shape)]
        # Of a first layer that reads characters only products with its state are counted, and those have a gradient.
        first = 0 if isinstance(self.net[0], Recurrent) else next(filter(None, counts))
        return 2 * self.batch * (3 * sum(counts) - first)

    @property
    def kind(self) -> Literal["dense", "convolutional", "recurrent"]:
        """The kind of its layers, and with that of its data."""
        if isinstance(self.data, Text):
            return "recurrent"
        return "dense" if isinstance(self.net[0], Flatten) else "convolutional"

    def weights(self) -> Weights:
        """Weights that training begins with."""
        return initial_weights(self.net, self.data.shape)


_DIGITS = Images((28, 28, 1))
_OBJECTS = Images((32, 32, 3), examples=4_000)
_TEXT = Text(time=64)

CPU = (
    Workload("MLP 784-30-10, batch 10", mlp(30, activation="sigmoid"), _DIGITS, 10),
    Workload("MLP 784-100-10, batch 10", mlp(100, activation="sigmoid"), _DIGITS, 10),
    Workload("MLP 784-100-10, batch 64", mlp(100, activation="sigmoid"), _DIGITS, 64),
    Workload("MLP 784-512-256-10, batch 128", mlp(512, 256, activation="relu"), _DIGITS, 128),
    Workload("MLP 784-2048-2048-10, batch 1024", mlp(2048, 2048, activation="relu"), _DIGITS, 1024),
    Workload("MLP 784-512-256-10, batch 128, Adam", mlp(512, 256, activation="relu"), _DIGITS, 128, "adam", 0.001),
    Workload("CNN 5×5×20-P-5×5×40-P-100-10, batch 10", lenet(), _DIGITS, 10, learning_rate=0.1),
    Workload("CNN 5×5×20-P-5×5×40-P-100-10, batch 128", lenet(), _DIGITS, 128, learning_rate=0.1),
    Workload("VGG-BN 32-32-P-64-64-P-128-128-GAP-10, batch 64", vgg(32, 64, 128), _OBJECTS, 64, learning_rate=0.1),
    Workload("char RNN 128, time 64, batch 32", characters("rnn", 128), _TEXT, 32, learning_rate=0.1),
    Workload("char LSTM 128, time 64, batch 32", characters("lstm", 128), _TEXT, 32, learning_rate=0.1),
    Workload("char GRU 128, time 64, batch 32", characters("gru", 128), _TEXT, 32, learning_rate=0.1),
    Workload("char LSTM 256, time 64, batch 64", characters("lstm", 256), _TEXT, 64, learning_rate=0.1),
)

GPU = (
    *CPU[:2],
    Workload("MLP 784-100-10, batch 128", mlp(100, activation="sigmoid"), _DIGITS, 128),
    Workload(
        "MLP 784-2048-2048-10, batch 1024, Adam", mlp(2048, 2048, activation="relu"), _DIGITS, 1024, "adam", 0.001
    ),
    Workload("CNN 5×5×20-P-5×5×40-P-100-10, batch 128", lenet(), _DIGITS, 128, learning_rate=0.1),
    Workload("VGG-BN 32-32-P-64-64-P-128-128-GAP-10, batch 128", vgg(32, 64, 128), _OBJECTS, 128, learning_rate=0.1),
    Workload("char LSTM 256, time 64, batch 64", characters("lstm", 256), _TEXT, 64, learning_rate=0.1),
)


def orders(workload: Workload, steps: int, seed: int = 1) -> NDArray[np.int64]:
    """Rows of each batch, (steps, batch)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, workload.data.examples, (steps, workload.batch))


def steps_within(seconds: float, a_step: float) -> int:
    """The number of steps that take about so long."""
    return max(2, min(20_000, int(seconds / max(a_step, 1e-7))))
