"""Optimizers that look at all parameters at once, and what they may ask of a training step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from nnctl.components.base import Array, Optimizer


class Objective(Protocol):
    """The objective of one training step as a function of all trained parameters, on the host in float64.

    w and v: (parameters,), all parameters flat, one after the other. The batch and the
    masks of random layers are the same in every call of a step.
    """

    def nearest(self, w: Array) -> Array:
        """The weights nearest to w that the net can hold: its parameters are float32."""

    def value(self, w: Array) -> float:
        """C(w), penalties included."""

    def value_and_gradient(self, w: Array) -> tuple[float, Array]:
        """C(w) and ∇C(w)."""

    def hessian_products(self, w: Array, v: Array) -> Array:
        """∇²C(w)·v for each row of v, (rows, parameters), exact."""

    def gauss_newton_products(self, w: Array, v: Array) -> Array:
        """JᵀHJ·v for each row of v, exact: J of the net's output, H of the cost in that output; penalties as they are.

        It is positive semidefinite where the cost is convex in the output.
        """

    def readout(self) -> tuple[Array, Array]:
        """Inputs of the last layer, (rows, features), and the outputs that it should give, (rows, units).

        For optimizers that say `solves_readout`.
        """


class WholeObjectiveOptimizer(Optimizer):
    """A rule that looks at all parameters at once and may evaluate the objective several times a step.

    It has no formula for one weight, so it runs on the host, on functions that are
    compiled from the same graph as every other training step.
    """

    most_parameters: ClassVar[int | None] = None
    """The largest net that it takes; None: any."""
    solves_readout: ClassVar[bool] = False
    """True where it solves for a linear last layer alone; the net is refused where that is not all that trains."""

    def initial_state(self, parameters: int) -> dict[str, Array]:
        """First values of what it keeps from step to step, float64 arrays by name; parameters: how many there are."""
        return {}

    def step(
        self, objective: Objective, w: Array, scheduled: Mapping[str, float], state: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        """(new w, new state). The new w is one that `objective.nearest` gave, or the old one."""
        raise NotImplementedError
