"""Line search: backtracking, and a search for the strong Wolfe conditions.

Nocedal & Wright, Numerical Optimization, 2nd ed. 2006, chapter 3. Points are
rounded to weights that the net can hold before they are judged, so a point that
is accepted is exactly what the next step begins with.
"""

from __future__ import annotations

import math

from nnctl.components.base import Array
from nnctl.components.optimizers.whole_objective import Objective
from nnctl.late import dataclass

SUFFICIENT_DECREASE = 1e-4
"""c₁ of both searches, the book's."""
_CURVATURE = 0.9
"""c₂: loose, as is usual for quasi-Newton directions."""
_HALVINGS = 40
_EVALUATIONS = 25


def backtrack(objective: Objective, w: Array, value: float, slope: float, direction: Array, first: float) -> Array:
    """The first of w + t·direction, t = first, first/2, …, that lowers the objective enough (Armijo).

    value, slope: of the objective at w, along the direction. Gives w itself where none
    does: w is then a minimum along the direction to the precision of the weights.
    """
    length = first
    for _ in range(_HALVINGS):
        trial = objective.nearest(w + length * direction)
        if objective.value(trial) <= value + SUFFICIENT_DECREASE * length * slope:
            return trial
        length *= 0.5
    return w


@dataclass(frozen=True)
class Point:
    """A place on the line: t, the weights there, the objective, its gradient, its slope along the line."""

    length: float
    w: Array
    value: float
    gradient: Array
    slope: float


class WolfeSearch:
    """Looks for t with C(t) ≤ C(0) + c₁tC'(0) and |C'(t)| ≤ c₂|C'(0)| (algorithms 3.5 and 3.6)."""

    def __init__(self, objective: Objective, start: Point, direction: Array) -> None:
        self.objective = objective
        self.start = start
        self.direction = direction
        self.evaluations = 0

    def search(self, first: float) -> Point | None:
        """The point found, `first` being tried first; None where the objective falls nowhere enough.

        After 25 evaluations the lowest point that falls enough will do.
        """
        before, length = self.start, first
        while self.evaluations < _EVALUATIONS:
            here = self._at(length)
            if not self._falls(here) or (before is not self.start and here.value >= before.value):
                return self._zoom(before, here)
            if self._flat(here):
                return here
            if here.slope >= 0.0:
                return self._zoom(here, before)
            before, length = here, 2.0 * length
        return before

    def _zoom(self, low: Point, high: Point) -> Point | None:
        """Between two points: `low` is the lowest so far and the line falls from it towards `high`."""
        while self.evaluations < _EVALUATIONS:
            here = self._at(_between(low, high))
            if not self._falls(here) or here.value >= low.value:
                high = here
            else:
                if self._flat(here):
                    return here
                if here.slope * (high.length - low.length) >= 0.0:
                    high = low
                low = here
        return None if low is self.start else low

    def _at(self, length: float) -> Point:
        self.evaluations += 1
        w = self.objective.nearest(self.start.w + length * self.direction)
        value, gradient = self.objective.value_and_gradient(w)
        return Point(length, w, value, gradient, float(gradient @ self.direction))

    def _falls(self, point: Point) -> bool:
        """True where the objective is low enough there; False where it is not a number."""
        return point.value <= self.start.value + SUFFICIENT_DECREASE * point.length * self.start.slope

    def _flat(self, point: Point) -> bool:
        return abs(point.slope) <= -_CURVATURE * self.start.slope


def _between(a: Point, b: Point) -> float:
    """Minimum of the cubic through both (formula 3.59), kept off the ends; else the middle."""
    middle = 0.5 * (a.length + b.length)
    if not (math.isfinite(b.value) and math.isfinite(b.slope)):
        return middle
    d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.length - b.length)
    inside = d1 * d1 - a.slope * b.slope
    if inside < 0.0:
        return middle
    d2 = math.copysign(math.sqrt(inside), b.length - a.length)
    below = b.slope - a.slope + 2.0 * d2
    if below == 0.0:
        return middle
    length = b.length - (b.length - a.length) * (b.slope + d2 - d1) / below
    margin = 0.1 * abs(b.length - a.length)
    low, high = min(a.length, b.length) + margin, max(a.length, b.length) - margin
    return min(max(length, low), high) if math.isfinite(length) else middle
