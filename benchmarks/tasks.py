"""The work of whole commands: a spec for nnctl, a script in each other library, and the data that all of them read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

DIGITS, ALL_DIGITS, MNIST = "digits.npz", "all-digits.npz", "mnist.npz"
"""Files in the folder that the commands run in. Inputs are float32 (n, pixels) from 0 to 1, targets int64 (n,)."""
_HELD_OUT = 360


@dataclass(frozen=True)
class Training:
    """A net with one hidden layer of relus, trained with Adam; accuracy on the test set counts."""

    name: str
    data: str
    units: int
    epochs: int
    batch: int
    rate: float

    script = "train"

    def spec(self, backend: str) -> str:
        """The spec, for `nnctl train`."""
        tests = "test_inputs: test_inputs, test_targets: test_targets"
        return _spec(
            f"{{type: npz, path: {self.data}, {tests}}}", self.units, self.rate, self.epochs, self.batch, backend
        )

    def command(self, out: str) -> tuple[str, ...]:
        """Arguments of nnctl."""
        return ("train", "spec.yaml", "--out", out, "--quiet")

    def arguments(self) -> tuple[str, ...]:
        """Arguments of the scripts."""
        return (self.data, *map(str, (self.units, self.epochs, self.batch, self.rate)))

    def accuracy(self, rows: list[dict[str, Any]]) -> float:
        """The accuracy among the rows that nnctl prints."""
        return float(rows[-1]["test_accuracy"])


@dataclass(frozen=True)
class Search:
    """Such nets for every width, rate and seed; the mean of all their accuracies on rows held out counts."""

    name: str
    widths: tuple[int, ...]
    rates: tuple[float, ...]
    seeds: int
    epochs: int
    batch: int
    jobs: int

    script = "sweep"

    def spec(self, backend: str) -> str:
        """The spec, for `nnctl sweep`."""
        data = f"{{type: npz, path: {ALL_DIGITS}, validation: {_HELD_OUT}, split: ordered}}"
        return _spec(data, self.widths[0], self.rates[0], self.epochs, self.batch, backend)

    def command(self, out: str) -> tuple[str, ...]:
        """Arguments of nnctl."""
        grids = (f"layers.0.units={','.join(map(str, self.widths))}",
                 f"optimizer.learning_rate={','.join(map(str, self.rates))}")  # fmt: skip
        line = ("sweep", "spec.yaml", "--out", out, "--quiet", "--seeds", str(self.seeds), "-j", str(self.jobs))
        return (*line, "--grid", grids[0], "--grid", grids[1])

    def arguments(self) -> tuple[str, ...]:
        """Arguments of the scripts."""
        numbers = (str(_HELD_OUT), str(self.epochs), str(self.batch))
        return (ALL_DIGITS, *numbers, json.dumps(self.widths), json.dumps(self.rates), str(self.seeds))

    def accuracy(self, rows: list[dict[str, Any]]) -> float:
        """The accuracy among the rows that nnctl prints: the mean of all trials."""
        return float(np.mean([row["metrics"]["validation_accuracy"] for row in rows]))


Task: TypeAlias = Training | Search
_RATES = (0.001, 0.002, 0.004, 0.008)


def tasks(jobs: int) -> tuple[Task, ...]:
    """The tasks that are timed. jobs: processes of the search."""
    ladder = (Training(f"MNIST, 784-30-10, epochs: {n}", MNIST, 30, n, 32, 0.001) for n in (1, 3, 10))
    search = Search("digits, 64 trials of 64-h-10, 10 epochs", (16, 24, 32, 48), _RATES, 4, 10, 32, jobs)
    return (Training("digits, 64-64-10, 30 epochs", DIGITS, 64, 30, 32, 0.003), *ladder, search)


def short_tasks(jobs: int) -> tuple[Task, ...]:
    """One of each kind, done at once."""
    return (Training("MNIST, 1 epoch", MNIST, 4, 1, 500, 0.001), Search("2 trials", (4,), (0.01,), 2, 1, 500, jobs))


def write_data(folder: Path, *, made: bool = False) -> str:
    """Write the files that tasks read; MNIST in words: of the user's files, or made where there are none or `made`."""
    from nnctl.data.sources.digits import Digits
    from nnctl.data.sources.mnist import FILES, Mnist

    digits = Digits().read(folder, 0)
    order = np.random.default_rng(0).permutation(len(digits.targets))
    x, y = _scaled(np.asarray(digits.inputs)[order], 16), digits.targets[order]
    np.savez(folder / ALL_DIGITS, inputs=x, targets=y)
    _write(folder / DIGITS, x[:-_HELD_OUT], y[:-_HELD_OUT], x[-_HELD_OUT:], y[-_HELD_OUT:])
    if not made and FILES.locate(None, folder):
        mnist = Mnist().read(folder, 0)
        test_x, test_y = _scaled(mnist.test_inputs, 255), mnist.test_targets
        _write(folder / MNIST, _scaled(mnist.inputs, 255), mnist.targets, test_x, test_y)
        return "MNIST"
    images, y = _like_mnist(2_000 if made else 70_000)
    x, tests = _scaled(images, 255), len(y) // 7
    _write(folder / MNIST, x[tests:], y[tests:], x[:tests], y[:tests])
    return "made images of MNIST's shape"


def _like_mnist(examples: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Ten random pictures, one a class, under noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, examples)
    pictures = rng.integers(0, 64, (10, 28, 28), np.uint8)
    return pictures[labels] + rng.integers(0, 192, (examples, 28, 28), np.uint8), labels


def _scaled(images: Any, scale: float) -> NDArray[np.float32]:
    return np.asarray(images).reshape(len(images), -1).astype(np.float32) / np.float32(scale)


def _write(path: Path, x: Any, y: Any, test_x: Any, test_y: Any) -> None:
    np.savez(path, inputs=x, targets=y, test_inputs=test_x, test_targets=test_y)


def _spec(data: str, units: int, rate: float, epochs: int, batch: int, backend: str) -> str:
    return (
        f"data: {data}\n"
        "layers:\n"
        f"  - {{type: dense, units: {units}, activation: relu}}\n"
        "  - {type: dense, units: 10, activation: softmax}\n"
        f"cost: log_likelihood\noptimizer: {{type: adam, learning_rate: {rate}}}\n"
        f"schedule: {{epochs: {epochs}, batch_size: {batch}}}\nbackend: {backend}\n"
    )
