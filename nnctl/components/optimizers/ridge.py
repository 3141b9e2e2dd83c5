"""Ridge regression: the last layer solved in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from nnctl.components.base import Array
from nnctl.components.fields import NonNegativeFloat
from nnctl.components.optimizers.whole_objective import Objective, WholeObjectiveOptimizer
from nnctl.components.registry import register


@register("optimizer", "ridge")
class Ridge(WholeObjectiveOptimizer):
    """The weights of a linear last layer, everything before it frozen, by least squares (Hoerl & Kennard 1970).

    One step on the whole training set is the solution: epochs: 1, batch_size: full. The
    bias is not penalized. The strength is that of a sum over all rows, as the literature
    of reservoirs has it, and not divided by their number.
    """

    formula = "W = (XᵀX + λI)⁻¹XᵀY, X centered and Y too where there is a bias"
    example = "{type: ridge, strength: 1e-6}"
    solves_readout = True

    learning_rate: Annotated[float, "has no meaning here: the step is the solution"] = 1.0
    strength: Annotated[NonNegativeFloat, "λ"] = 1e-8

    def step(
        self, objective: Objective, w: Array, scheduled: Mapping[str, float], state: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        import numpy as np

        x, y = objective.readout()
        biased = len(w) > x.shape[1] * y.shape[1]
        x_mean, y_mean = (x.mean(axis=0), y.mean(axis=0)) if biased else (np.zeros(x.shape[1]), np.zeros(y.shape[1]))
        # The rows of √λ make it one least-squares problem, solved without forming XᵀX, whose condition is squared.
        penalty = np.sqrt(self.strength) * np.eye(x.shape[1])
        rows = np.vstack([x - x_mean, penalty])
        weight = np.linalg.lstsq(rows, np.vstack([y - y_mean, np.zeros((x.shape[1], y.shape[1]))]), rcond=None)[0]
        bias = y_mean - x_mean @ weight
        return objective.nearest(np.concatenate([weight.ravel(), *([bias] if biased else [])])), {}
