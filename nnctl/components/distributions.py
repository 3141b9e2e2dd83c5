"""Distributions of a sweep, each by its quantile function: a draw is a pure function of one number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from annotated_types import MinLen

from nnctl.components.base import Distribution
from nnctl.components.fields import PositiveFloat, PositiveInt
from nnctl.components.kinds.running import Interval, Options
from nnctl.components.registry import Problem, register


@register("distribution", "uniform")
class Uniform(Distribution):
    """Every number between two bounds alike; or of those that lie a step apart."""

    formula = "x = low + u·(high − low)"
    example = "{type: uniform, low: 0.1, high: 0.6}"

    low: Annotated[float, "least value"]
    high: Annotated[float, "bound above; with a step, the greatest value"]
    step: Annotated[PositiveFloat | None, "between two neighbours, counted from low; none if absent"] = None

    def quantile(self, u: float) -> float:
        """low at u = 0."""
        values = self.support().values()
        if values is None:
            return self.low + u * (self.high - self.low)
        return values[min(int(u * len(values)), len(values) - 1)]

    def support(self) -> Interval:
        """The bounds and the step."""
        return Interval(self.low, self.high, self.step)

    def problems(self) -> Sequence[Problem]:
        """The bounds the wrong way round, or a step beyond them."""
        return _bounds(self.low, self.high) or _step(self.low, self.high, self.step)


@register("distribution", "log_uniform")
class LogUniform(Distribution):
    """Every order of magnitude alike: for rates and strengths (Bergstra & Bengio 2012)."""

    formula = "x = low·(high/low)^u"
    example = "{type: log_uniform, low: 1e-4, high: 0.1}"

    low: Annotated[PositiveFloat, "least value"]
    high: Annotated[PositiveFloat, "bound above"]

    def quantile(self, u: float) -> float:
        """low at u = 0, the geometric mean of the bounds at ½."""
        return self.low * math.exp(u * math.log(self.high / self.low))

    def support(self) -> Interval:
        """The bounds, on a logarithmic scale."""
        return Interval(self.low, self.high, log=True)

    def problems(self) -> Sequence[Problem]:
        """The bounds the wrong way round."""
        return _bounds(self.low, self.high)


@register("distribution", "integer")
class Integer(Distribution):
    """Every whole number between two bounds, both of them included; or of those that lie a step apart."""

    formula = "x = ⌊low + u·(high + 1 − low)⌋"
    example = "{type: integer, low: 16, high: 256, log: true}"

    low: Annotated[int, "least value"]
    high: Annotated[int, "greatest value"]
    step: Annotated[PositiveInt, "between two neighbours, counted from low"] = 1
    log: Annotated[bool, "every order of magnitude alike, instead of every number"] = False

    def quantile(self, u: float) -> int:
        """low at u = 0."""
        if self.log:
            drawn = math.floor(self.low * math.exp(u * math.log((self.high + 1) / self.low)))
        else:
            count = (self.high - self.low) // self.step + 1
            drawn = self.low + self.step * min(math.floor(u * count), count - 1)
        # Rounding can reach the open end.
        return min(drawn, self.high)

    def support(self) -> Interval:
        """The bounds, the step and the scale."""
        return Interval(self.low, self.high, self.step, self.log, whole=True)

    def problems(self) -> Sequence[Problem]:
        """The bounds the wrong way round, a logarithm of nothing, a step beyond them or on a logarithmic scale."""
        if self.log and self.low < 1:
            hint = "set low to 1 or more; for numbers between whole ones a bound has a point, as 0.001:1:log"
            return [Problem("low", f"a logarithmic scale begins above 0, not at {self.low}", hint)]
        if self.log and self.step > 1:
            hint = "leave step or log out, or name the values: {type: choice, values: […]}"
            return [Problem("step", "numbers a step apart do not lie evenly on a logarithmic scale", hint)]
        return _bounds(self.low, self.high) or _step(self.low, self.high, self.step)


@register("distribution", "choice")
class Choice(Distribution):
    """One of a few values, each as likely as the others."""

    formula = "v ~ U{v₁, …, v_n}"
    example = "{type: choice, values: [relu, tanh, elu]}"

    values: Annotated[Annotated[tuple[object, ...], MinLen(1)], "what is chosen from"]

    def quantile(self, u: float) -> object:
        """The first value at u = 0."""
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def support(self) -> Options:
        """The values."""
        return Options(self.values)


def _bounds(low: float, high: float) -> list[Problem]:
    if low < high:
        return []
    hint = "set high above low" if low == high else f"exchange them: low: {high:g}, high: {low:g}"
    return [Problem("low", f"low is {low:g}, high is {high:g}: nothing lies between", hint)]


def _step(low: float, high: float, step: float | None) -> list[Problem]:
    if step is None or step <= high - low:
        return []
    return [
        Problem("step", f"a step of {step:g} from {low:g} leads beyond {high:g}", "make it smaller, or leave it out")
    ]
