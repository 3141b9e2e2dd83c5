"""Optimizers that use curvature: Newton's method, Hessian-free optimization, L-BFGS.

They look at the whole objective at once, on the host in float64 (see
`WholeObjectiveOptimizer`). A step never raises the objective of its batch: where
nothing along its direction lowers it, the weights stay as they are. Give them
large batches, best `batch_size: full`: the curvature of a few examples says
little about the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from nnctl.components.base import Array
from nnctl.components.fields import NonNegativeFloat, PositiveFloat, PositiveInt, Share
from nnctl.components.optimizers.line_search import Point, WolfeSearch, backtrack
from nnctl.components.optimizers.whole_objective import Objective, WholeObjectiveOptimizer
from nnctl.components.registry import register

_FIRST_LENGTH = "η, the length that is tried first along each direction; 1 is the method's own"


@register("optimizer", "newton")
class Newton(WholeObjectiveOptimizer):
    """Newton's method with the whole Hessian, which is made a product at a time: for small nets.

    Where ∇²C + damping·I is not positive definite, as near a saddle, a larger
    multiple of I is added, doubled until it is (Nocedal & Wright 2006, algorithm
    3.3); then backtracking from η. Memory grows with the square of the number of
    parameters and time with its cube.
    """

    formula = "Δw = −η·(∇²C + μI)⁻¹∇C"
    example = "{type: newton, damping: 0.1}"
    most_parameters = 2000

    learning_rate: Annotated[PositiveFloat, _FIRST_LENGTH] = 1.0
    damping: Annotated[NonNegativeFloat, "μ, at least this multiple of I is added to the Hessian"] = 0.0

    def step(
        self, objective: Objective, w: Array, scheduled: Mapping[str, float], state: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        import numpy as np
        from scipy.linalg import cho_solve

        value, gradient = objective.value_and_gradient(w)
        products = objective.hessian_products(w, np.eye(len(w)))
        direction = -cho_solve((self._factor(0.5 * (products + products.T)), True), gradient)
        slope = float(gradient @ direction)
        return backtrack(objective, w, value, slope, direction, scheduled["learning_rate"]), {}

    def _factor(self, hessian: Array) -> Array:
        """The Cholesky factor of the Hessian plus the least multiple of I tried that makes it positive definite."""
        import numpy as np

        size = float(np.linalg.norm(hessian)) or 1.0
        least = float(np.min(np.diag(hessian)))
        added = self.damping if least > 0.0 else max(self.damping, 1e-3 * size - least)
        while True:
            try:
                # A matrix that is positive definite by rounding alone gives directions of any length.
                factor = np.linalg.cholesky(hessian + added * np.eye(len(hessian)))
                if float(np.min(np.diag(factor))) > 1e-7 * math.sqrt(size):
                    return factor
            except np.linalg.LinAlgError:
                pass
            added = max(2.0 * added, 1e-3 * size)


@register("optimizer", "hessian_free")
class HessianFree(WholeObjectiveOptimizer):
    """Newton's method without a Hessian: conjugate gradients on exact products with it (Martens 2010).

    The curvature is the Gauss-Newton matrix (Schraudolph 2002), which unlike the
    Hessian is positive semidefinite, plus λI. By the Levenberg-Marquardt rule λ
    shrinks by 2/3 where the objective falls by more than 3/4 of what the quadratic
    model promises, and grows by 3/2 below 1/4. Conjugate gradients begin with the
    last step's direction times `decay`, end by Martens's test of relative progress,
    and are not preconditioned; then backtracking from η.
    """

    formula = "Δw = −η·(G + λI)⁻¹∇C by conjugate gradients; λ ← ⅔λ or 3/2·λ as C keeps to its quadratic model"
    example = "{type: hessian_free, damping: 1.0}"

    learning_rate: Annotated[PositiveFloat, _FIRST_LENGTH] = 1.0
    damping: Annotated[PositiveFloat, "λ of the first step"] = 1.0
    iterations: Annotated[PositiveInt, "conjugate gradients end after this many at the latest"] = 100
    decay: Annotated[Share, "the share of the last direction that the next begins with"] = 0.95
    curvature: Annotated[
        Literal["gauss_newton", "hessian"], "what G is; along the Hessian's negative curvature the iteration ends"
    ] = "gauss_newton"

    def initial_state(self, parameters: int) -> dict[str, Array]:
        import numpy as np

        return {"damping": np.array(self.damping), "direction": np.zeros(parameters)}

    def step(
        self, objective: Objective, w: Array, scheduled: Mapping[str, float], state: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        import numpy as np

        products = objective.gauss_newton_products if self.curvature == "gauss_newton" else objective.hessian_products
        damping = float(state["damping"])

        def damped(v: Array) -> Array:
            return products(w, v[None])[0] + damping * v

        value, gradient = objective.value_and_gradient(w)
        direction = conjugate_gradients(damped, -gradient, self.decay * state["direction"], self.iterations)
        slope = float(gradient @ direction)
        if slope >= 0.0:
            # Only a start from the last direction, cut off early, can point uphill.
            direction = conjugate_gradients(damped, -gradient, np.zeros_like(w), self.iterations)
            slope = float(gradient @ direction)
        promised = slope + 0.5 * float(direction @ products(w, direction[None])[0])
        fallen = objective.value(w + direction) - value
        ratio = fallen / promised if promised < 0.0 else 0.0
        if ratio > 0.75:
            damping *= 2.0 / 3.0
        elif not ratio >= 0.25:
            damping *= 3.0 / 2.0
        after = backtrack(objective, w, value, slope, direction, scheduled["learning_rate"])
        return after, {"damping": np.array(damping), "direction": direction}


def conjugate_gradients(product: Callable[[Array], Array], b: Array, first: Array, iterations: int) -> Array:
    """An x that makes φ(x) = ½xᵀAx − bᵀx small, from `first` on. product: v ↦ Av, A symmetric.

    Ends where φ has fallen by less than 5e-4 of itself per iteration over the last
    max(10, i/10) iterations (Martens 2010, section 4.4), or where vᵀAv ≤ 0 along a search
    direction v, with the x before it; with b where that is 0.
    """
    x = first.copy()
    residual = b - product(x) if x.any() else b.copy()
    search = residual.copy()
    square = float(residual @ residual)
    tiny = 1e-30 * float(b @ b)
    values: list[float] = []
    for count in range(1, iterations + 1):
        if square <= tiny:
            break
        towards = product(search)
        curvature = float(search @ towards)
        if curvature <= 0.0:
            return x if x.any() else b.copy()
        length = square / curvature
        x = x + length * search
        residual = residual - length * towards
        square, before = float(residual @ residual), square
        search = residual + (square / before) * search
        values.append(-0.5 * float(x @ (b + residual)))
        window = max(10, count // 10)
        if count > window and values[-1] < 0.0:
            progress = (values[-1] - values[-1 - window]) / values[-1]
            if progress < window * 5e-4:
                break
    return x


@register("optimizer", "lbfgs")
class Lbfgs(WholeObjectiveOptimizer):
    """Limited-memory BFGS: curvature from the last steps alone (Liu & Nocedal 1989).

    The two-loop recursion gives the direction, a search for the strong Wolfe
    conditions the length. A pair (s, y) is remembered where sᵀy > 0; by the Wolfe
    conditions it is. Where no point along the direction lowers the objective, the
    memory is cleared and the gradient itself is followed.
    """

    formula = "Δw = −t·H∇C, H from the last pairs s = Δw, y = Δ∇C, t by the strong Wolfe conditions"
    example = "{type: lbfgs, memory: 10}"

    learning_rate: Annotated[PositiveFloat, _FIRST_LENGTH] = 1.0
    memory: Annotated[PositiveInt, "pairs (s, y) that are remembered"] = 10

    def initial_state(self, parameters: int) -> dict[str, Array]:
        import numpy as np

        return {"s": np.zeros((self.memory, parameters)), "y": np.zeros((self.memory, parameters))}

    def step(
        self, objective: Objective, w: Array, scheduled: Mapping[str, float], state: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        import numpy as np

        s, y = state["s"], state["y"]
        value, gradient = objective.value_and_gradient(w)
        if not gradient.any():
            return w, {"s": s, "y": y}
        point = None
        if s.any():
            direction = -two_loops(s, y, gradient)
            start = Point(0.0, w, value, gradient, float(gradient @ direction))
            if start.slope < 0.0:
                point = WolfeSearch(objective, start, direction).search(scheduled["learning_rate"])
        if point is None:
            s, y = np.zeros_like(s), np.zeros_like(y)
            start = Point(0.0, w, value, gradient, -float(gradient @ gradient))
            # Of the gradient's length nothing is known; a step of Σ|Δw| ≤ 1 is a cautious first.
            first = scheduled["learning_rate"] * min(1.0, 1.0 / float(np.sum(np.abs(gradient))))
            point = WolfeSearch(objective, start, -gradient).search(first)
        if point is None:
            return w, {"s": s, "y": y}
        moved, turned = point.w - w, point.gradient - gradient
        if float(moved @ turned) > 1e-10 * float(turned @ turned):
            s, y = np.vstack([s[1:], moved]), np.vstack([y[1:], turned])
        return point.w, {"s": s, "y": y}


def two_loops(s: Array, y: Array, gradient: Array) -> Array:
    """H·gradient, H the inverse Hessian that the pairs imply (Nocedal & Wright 2006, algorithm 7.4).

    s, y: (memory, parameters), the newest last, rows of zeros where there is none yet.
    """
    pairs = [(si, yi, 1.0 / float(si @ yi)) for si, yi in zip(s, y, strict=True) if si.any()]
    q = gradient
    weights = []
    for si, yi, rho in reversed(pairs):
        weights.append(rho * float(si @ q))
        q = q - weights[-1] * yi
    newest_s, newest_y, _ = pairs[-1]
    q = q * (float(newest_s @ newest_y) / float(newest_y @ newest_y))
    for (si, yi, rho), weight in zip(pairs, reversed(weights), strict=True):
        q = q + (weight - rho * float(yi @ q)) * si
    return q
