"""A softmax regression in twenty lines of NumPy: an engine to test the training loop with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.registry import reference_backend
from nnctl.components.metrics.accuracy import Accuracy
from nnctl.data.batches import Order
from nnctl.engine.chunks import Chunk, PlacedExamples, PlacedOrder
from nnctl.engine.engine import Engine, Steps
from nnctl.engine.measures import Measures
from nnctl.engine.readers import ResidentReader
from nnctl.errors import RunError
from nnctl.process.together import Work


class SplitsInMemory(dict[str, ResidentReader]):
    """As much of a feed as the loop needs, float64."""

    closed = 0

    def bind(self, split: str, inputs: NDArray[Any], targets: NDArray[Any], order: Order) -> None:
        examples = PlacedExamples(len(inputs), {"data.inputs": inputs, "data.targets": targets})
        self[split] = ResidentReader(examples, PlacedOrder(reference_backend(), order))

    def close(self) -> None:
        self.closed += 1


class SoftmaxEngine(Engine):
    """W (features, classes), plain SGD. `poison_at`: the cost of that step is not finite."""

    backend_name = "fake"
    backend_reason = "a test"
    threads = 1

    def __init__(self, features: int = 2, classes: int = 3, *, poison_at: int | None = None) -> None:
        self.weight = np.zeros((features, classes))
        self.feed: Any = SplitsInMemory()
        self.poison_at = poison_at
        self.calls: list[tuple[int, int]] = []

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"dense1.weight": self.weight.shape}

    @property
    def metric_names(self) -> tuple[str, ...]:
        return ("cost", "accuracy")

    @property
    def step_metric_names(self) -> tuple[str, ...]:
        return ()

    def measures(self) -> Measures:
        return Measures({"accuracy": Accuracy()})

    def higher_is_better(self, metric: str) -> bool:
        return metric == "accuracy"

    def _measure(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[float, float, NDArray[Any]]:
        a = self.outputs(x)
        cost = float(-np.log(a[np.arange(len(y)), y]).mean())
        delta = a.copy()
        delta[np.arange(len(y)), y] -= 1
        return cost, float((a.argmax(1) == y).mean()), x.T @ delta / len(y)

    def begin(self, *arguments: Any) -> Callable[[], Steps]:
        steps = self.train(*arguments)
        return lambda: steps

    def longest_step(self, *arguments: Any) -> float | None:
        return None

    def train(self, chunk: Chunk, scheduled: Mapping[str, NDArray[Any]], first_step: int) -> Steps:
        self.calls.append(chunk.indices.shape)
        x, y = chunk.examples.arrays.values()
        rows: list[tuple[float, float, float]] = []
        for k, batch in enumerate(chunk.indices):
            if first_step + k == self.poison_at:
                break
            cost, accuracy, gradient = self._measure(x[batch], y[batch])
            self.weight -= scheduled["learning_rate"][k] * gradient
            rows.append((cost, len(batch), accuracy * len(batch)))
        columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        return Steps(len(rows), dict(zip(("cost", "weight", "accuracy"), columns)))

    def evaluate(self, split: str, indices: NDArray[Any] | None = None) -> dict[str, float]:
        x, y = self.feed[split].examples.arrays.values()
        rows = slice(None) if indices is None else indices
        cost, accuracy, _ = self._measure(x[rows], y[rows])
        return {"cost": cost, "accuracy": accuracy}

    def evaluating(self, split: str, indices: NDArray[Any] | None = None) -> Work[dict[str, float]]:
        yield
        return self.evaluate(split, indices)

    def penalty(self) -> float | None:
        return None

    def outputs(self, inputs: NDArray[Any]) -> NDArray[Any]:
        e = np.exp(inputs @ self.weight)
        return e / e.sum(1, keepdims=True)

    def state(self) -> dict[str, NDArray[Any]]:
        return {"dense1.weight": self.weight.copy()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        if set(state) != {"dense1.weight"}:
            raise RunError("other parameters")
        self.weight = state["dense1.weight"].copy()


class ScriptedEngine(SoftmaxEngine):
    """Evaluates to given numbers, one after the other: for early stopping and plateaus."""

    def __init__(self, accuracies: list[float]) -> None:
        super().__init__()
        self.accuracies = accuracies
        self.evaluations = 0

    def evaluate(self, split: str, indices: NDArray[Any] | None = None) -> dict[str, float]:
        if split == "test":
            return {"cost": 1.0, "accuracy": 0.5}
        self.evaluations += 1
        return {"cost": 1.0, "accuracy": self.accuracies[self.evaluations - 1]}


def blobs(n: int, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """n points around three centres, and their labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n, dtype=np.int64) % 3
    centres = np.array([[2.0, 0.0], [-1.0, 2.0], [-1.0, -2.0]])
    return centres[y] + rng.standard_normal((n, 2)), y
