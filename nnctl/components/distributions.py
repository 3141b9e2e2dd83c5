"""Distributions of a random sweep, each by its quantile function: a draw is a pure function of one number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from annotated_types import MinLen

from nnctl.components.base import Distribution
from nnctl.components.fields import PositiveFloat
from nnctl.components.registry import Problem, register


@register("distribution", "uniform")
class Uniform(Distribution):
    """Every number between two bounds alike."""

    formula = "x = low + u·(high − low)"
    example = "{type: uniform, low: 0.1, high: 0.6}"

    low: Annotated[float, "least value"]
    high: Annotated[float, "bound above"]

    def quantile(self, u: float) -> float:
        """low at u = 0."""
        return self.low + u * (self.high - self.low)

    def problems(self) -> Sequence[Problem]:
        """The bounds the wrong way round."""
        return _bounds(self.low, self.high)


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

    def problems(self) -> Sequence[Problem]:
        """The bounds the wrong way round."""
        return _bounds(self.low, self.high)


@register("distribution", "integer")
class Integer(Distribution):
    """Every whole number between two bounds, both of them included."""

    formula = "x = ⌊low + u·(high + 1 − low)⌋"
    example = "{type: integer, low: 16, high: 256, log: true}"

    low: Annotated[int, "least value"]
    high: Annotated[int, "greatest value"]
    log: Annotated[bool, "every order of magnitude alike, instead of every number"] = False

    def quantile(self, u: float) -> int:
        """low at u = 0."""
        if self.log:
            drawn = math.floor(self.low * math.exp(u * math.log((self.high + 1) / self.low)))
        else:
            drawn = math.floor(self.low + u * (self.high + 1 - self.low))
        # Rounding can reach the open end.
        return min(drawn, self.high)

    def problems(self) -> Sequence[Problem]:
        """The bounds the wrong way round, or a logarithm of nothing."""
        if self.log and self.low < 1:
            return [Problem("low", f"a logarithmic scale begins above 0, not at {self.low}", "set low to 1 or more")]
        return _bounds(self.low, self.high)


@register("distribution", "choice")
class Choice(Distribution):
    """One of a few values, each as likely as the others."""

    formula = "v ~ U{v₁, …, v_n}"
    example = "{type: choice, values: [relu, tanh, elu]}"

    values: Annotated[Annotated[tuple[object, ...], MinLen(1)], "what is chosen from"]

    def quantile(self, u: float) -> object:
        """The first value at u = 0."""
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]


def _bounds(low: float, high: float) -> list[Problem]:
    if low < high:
        return []
    hint = "set high above low" if low == high else f"exchange them: low: {high:g}, high: {low:g}"
    return [Problem("low", f"low is {low:g}, high is {high:g}: nothing lies between", hint)]
