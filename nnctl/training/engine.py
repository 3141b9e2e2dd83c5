"""A compiled spec, loaded on a backend with its parameters and its data: what the training loop drives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nnctl.spec.document import Spec
from nnctl.spec.signature import DataSignature


@dataclass(frozen=True)
class Steps:
    """What a stretch of training steps measured.

    completed: how many steps updated the parameters; fewer than asked for where the
        cost of the next one was not finite (its update did not happen).
    metrics: "cost", "weight" (the batch's share in a mean) and each metric's name,
        float64 arrays of shape (completed,).
    """

    completed: int
    metrics: dict[str, NDArray[Any]]


class Engine:
    """The compiled net.

    seed: of initial weights and of the randomness inside the net.
    examples: size of the training set, the n in λ/n.
    backend: overrides the spec's.
    """

    backend_name: str
    backend_reason: str

    def __init__(
        self, spec: Spec, signature: DataSignature, *, seed: int, examples: int, backend: str | None = None
    ) -> None:
        raise NotImplementedError

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shape of every trained array by name, e.g. {"dense1.weight": (784, 30)}."""
        raise NotImplementedError

    @property
    def metric_names(self) -> tuple[str, ...]:
        """"cost", then the metrics, e.g. ("cost", "accuracy")."""
        raise NotImplementedError

    def higher_is_better(self, metric: str) -> bool:
        """Direction of a metric; False for the cost."""
        raise NotImplementedError

    def normalize(self, shift: NDArray[Any], scale: NDArray[Any]) -> None:
        """Set the statistics of the inputs (part of `state()` from then on)."""
        raise NotImplementedError

    def bind(self, split: str, inputs: NDArray[Any], targets: NDArray[Any]) -> None:
        """Make a split ("train", "validation", "test", or any name) known under its name."""
        raise NotImplementedError

    def train(self, indices: NDArray[Any], scheduled: Mapping[str, NDArray[Any]], first_step: int) -> Steps:
        """Run len(indices) steps on the rows `indices` (steps, batch) of the split "train".

        scheduled: per step values (steps,) of the optimizer's scheduled fields, e.g. "learning_rate".
        first_step: steps done before, from 0; it keys dropout and Adam's t.
        """
        raise NotImplementedError

    def evaluate(self, split: str, indices: NDArray[Any] | None = None) -> dict[str, float]:
        """Mean cost (without penalty) and metrics over a split, or over the rows `indices` of it."""
        raise NotImplementedError

    def penalty(self) -> float | None:
        """The regularizers' part of the objective at the present weights; None without regularizer."""
        raise NotImplementedError

    def outputs(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """The net's output for raw inputs (n, …), n arbitrary."""
        raise NotImplementedError

    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of everything that training changes, plus the input statistics, by name."""
        raise NotImplementedError

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `state()`. Raises RunError where names or shapes differ."""
        raise NotImplementedError

    def diagnose(self, indices: NDArray[Any], scheduled: Mapping[str, float], step: int) -> str:
        """Words on the first tensor of this step that is not finite: its layer, name, where, how many."""
        raise NotImplementedError
