"""What is timed: nets, batches and update rules, on random images of MNIST's shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXAMPLES = 20_000
CLASSES = 10
INPUTS = 784


@dataclass(frozen=True)
class Workload:
    """A multilayer perceptron of `hidden` units, a batch size and an optimizer."""

    name: str
    hidden: tuple[int, ...]
    batch: int
    optimizer: str = "sgd"
    activation: str = "relu"
    learning_rate: float = 0.01

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of every layer, input and output included."""
        return (INPUTS, *self.hidden, CLASSES)

    @property
    def flops(self) -> int:
        """Of the products of one step: forward, and backward but for the first layer's input."""
        pairs = list(zip(self.widths, self.widths[1:]))
        products = 3 * sum(a * b for a, b in pairs) - pairs[0][0] * pairs[0][1]
        return 2 * self.batch * products


CPU = (
    Workload("MLP 784-30-10, batch 10", (30,), 10, activation="sigmoid"),
    Workload("MLP 784-100-10, batch 10", (100,), 10, activation="sigmoid"),
    Workload("MLP 784-100-10, batch 64", (100,), 64, activation="sigmoid"),
    Workload("MLP 784-512-256-10, batch 128", (512, 256), 128),
    Workload("MLP 784-2048-2048-10, batch 1024", (2048, 2048), 1024),
    Workload("MLP 784-512-256-10, batch 128, Adam", (512, 256), 128, optimizer="adam", learning_rate=0.001),
)


def images() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Random bytes and labels, the same for everyone."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (EXAMPLES, 28, 28, 1), dtype=np.uint8)
    return pixels, rng.integers(0, CLASSES, EXAMPLES)


def floats(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The images as the peers like them: flat, float32, on the unit range."""
    return pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255.0)


def orders(workload: Workload, steps: int, seed: int = 1) -> NDArray[np.int64]:
    """Rows of each batch, (steps, batch)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, EXAMPLES, (steps, workload.batch))


def steps_within(seconds: float, a_step: float) -> int:
    """How many steps take about so long."""
    return max(2, min(20_000, int(seconds / max(a_step, 1e-7))))
