"""Kinds that say how a net is trained: optimizers, bounds on gradients, learning rates in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nnctl.components.builder import Builder
from nnctl.components.fields import Unit
from nnctl.components.kinds.formulas import Array, Namespace
from nnctl.components.registry import Component, Problem


class Clipping(Component):
    """A bound on the gradients, applied before the update."""

    kind: ClassVar[str] = "clipping"
    in_steps: ClassVar[bool] = True
    of_number: ClassVar[str] = "{type: global_norm, limit: …}"

    def build(self, builder: Builder, gradients: Sequence[Any]) -> list[Any]:
        """The bounded gradients, in the same order."""
        raise NotImplementedError


class Optimizer(Component):
    """A first-order rule w ← w − …, written once for one weight.

    `state` is what it keeps of each weight from step to step. `scheduled`
    names the fields that vary from step to step and so reach `update` as
    arguments (0-d arrays) and not as constants. `inertia` is the one of them that
    a schedule moves as momentum, where it is not 0.
    """

    kind: ClassVar[str] = "optimizer"
    of_number: ClassVar[str] = "{type: sgd, learning_rate: …}"
    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    inertia: ClassVar[str] = "momentum"

    def state(self) -> tuple[tuple[str, float], ...]:
        """Names and first values of what it keeps of each weight, e.g. (("m", 0.0), ("v", 0.0))."""
        return ()

    def update(
        self, xp: Namespace, w: Array, g: Array, t: Array, scheduled: dict[str, Array], *state: Array
    ) -> tuple[Array, ...]:
        """(new w, its new state…). t: the step, counted from 1."""
        raise NotImplementedError

    @property
    def clipping(self) -> Clipping | None:
        """The bound on all gradients before the update; None for none."""
        return None

    def rates(self) -> dict[str, float]:
        """Values of the scheduled fields as the spec has them, which a schedule starts from."""
        return {name: float(getattr(self, name)) for name in self.scheduled}

    def for_bias(self) -> Optimizer:
        """The rule for biases, where weight decay may not hold."""
        return self


class Schedule(Component):
    """The learning rate as a factor of the optimizer's, a pure function of time counted from 0."""

    kind: ClassVar[str] = "schedule"

    @property
    def unit(self) -> Unit:
        """Unit of time, of t and of total."""
        return "epoch"

    def factor_at(self, t: int, total: int) -> float:
        """The factor at time t of a run of `total` units."""
        raise NotImplementedError

    def rate_at(self, rate: float, t: int, total: int) -> float:
        """The learning rate at time t, the optimizer's being `rate`."""
        return rate * float(self.factor_at(t, total))

    def doubts_about(self, rate: float) -> Sequence[Problem]:
        """Reasons to ask what is meant, where the optimizer's learning rate is `rate`; the spec is refused."""
        return ()

    def momentum_at(self, t: int, total: int) -> float | None:
        """The optimizer's inertia at time t, None to leave its own."""
        return None

    def advice(self, total: int) -> tuple[str, ...]:
        """A sentence for each doubt about a run of `total` units."""
        return ()


class MonitoredSchedule(Schedule):
    """A schedule that answers to a metric. Its memory is a JSON mapping, kept in the checkpoint.

    `memory["factor"]` multiplies the learning rate; `memory["stop"]` true asks training to end.
    """

    @property
    def monitored(self) -> str | None:
        """The column that it answers to; None for what early stopping monitors."""
        return None

    def initial(self) -> dict[str, Any]:
        """The memory before the first evaluation; holds at least {"factor": 1.0, "stop": False}."""
        raise NotImplementedError

    def observe(self, memory: Mapping[str, Any], value: float, higher_is_better: bool) -> dict[str, Any]:
        """The memory after an evaluation that measured `value`."""
        raise NotImplementedError
