"""Time series that ask for memory and nonlinearity: the benchmarks of reservoir computing.

An example is a whole series: inputs (time, 1), targets (time − washout, 1), which begin
where a reservoir has forgotten how it began. Examples differ in their random beginnings.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from nnctl.components.fields import NonNegativeInt, PositiveFloat, PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.data.examples import Description
from nnctl.data.sources.generated import GeneratedSource
from nnctl.late import dataclass

if TYPE_CHECKING:
    import numpy as np

    from nnctl.data.sources.generated import Points

_STEPS_PER_UNIT = 10
"""Runge-Kutta steps in a unit of time."""
_SETTLING = 500
"""Units of time in which a series finds its attractor; not given out."""


@dataclass(frozen=True, kw_only=True)
class Series(GeneratedSource):
    """A time series; the fields that all of them have."""

    examples: Annotated[PositiveInt, "how many series"] = 4
    length: Annotated[PositiveInt, "steps of a series"] = 1200
    washout: Annotated[NonNegativeInt, "first steps without a target"] = 200

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return Description((self.length, 1), target_shape=(self.length - self.washout, 1), examples=self.examples)

    def problems(self) -> list[Problem]:
        """A washout that leaves nothing of a series."""
        problems = super().problems()
        if self.washout < self.length:
            return problems
        return [
            *problems,
            Problem("washout", f"a washout of {self.washout} leaves nothing of a series of {self.length}"),
        ]


@register("data", "narma")
class Narma(Series):
    """NARMA: a nonlinear autoregressive moving average of random inputs u (Atiya & Parlos 2000).

    u is uniform on [0, ½], k the order. The target at step t is y_{t+1}. Of orders above 10 the sum
    diverges; a series that leaves [0, 1], as a few in a hundred of order 10 do in the end, is drawn again.
    """

    formula = "y_{t+1} = 0.3y_t + 0.05y_t Σ_{i<k} y_{t−i} + 1.5u_{t−k+1}u_t + 0.1"
    example = "{type: narma, examples: 50, length: 600, validation: 10}"

    order: Annotated[Annotated[int, Ge(1)], "k, how far back it looks; at most 10"] = 10

    def make(self, rng: np.random.Generator) -> Points:
        """u (n, time, 1) and what follows each of its steps, without the washout."""
        import numpy as np

        inputs = np.empty((self.examples, self.length))
        outputs = np.empty((self.examples, self.length))
        waiting = np.arange(self.examples)
        while len(waiting):
            u = rng.uniform(0.0, 0.5, (len(waiting), self.length))
            y = _narma(u, self.order)
            sound = np.all(np.isfinite(y) & (np.abs(y) <= 1.0), axis=1)
            inputs[waiting[sound]], outputs[waiting[sound]] = u[sound], y[sound]
            waiting = waiting[~sound]
        return inputs[:, :, None], outputs[:, self.washout :, None]

    def problems(self) -> list[Problem]:
        """An order that diverges, beside those of every series."""
        problems = super().problems()
        if self.order > 10:
            problems.append(Problem("order", f"NARMA of order {self.order} diverges", "choose at most 10"))
        return problems


def _narma(u: np.ndarray, order: int) -> np.ndarray:
    """y_{t+1} for each t, (n, time), from zeros before the first step."""
    import numpy as np

    count, steps = u.shape
    before = np.zeros((count, order))
    u = np.concatenate([before, u], axis=1)
    y = np.zeros((count, order + steps + 1))
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(order, order + steps):
            recent = y[:, t - order + 1 : t + 1].sum(axis=1)
            y[:, t + 1] = 0.3 * y[:, t] + 0.05 * y[:, t] * recent + 1.5 * u[:, t - order + 1] * u[:, t] + 0.1
    return y[:, order + 1 :]


@register("data", "mackey_glass")
class MackeyGlass(Series):
    """The Mackey-Glass equation, chaotic for delays above 16.8; the target is its value `ahead` steps later.

    By Runge-Kutta of order 4 in tenths of a unit, the delayed value interpolated (Mackey & Glass 1977); a step
    of the series is one unit.
    """

    formula = "dx/dt = 0.2x(t−τ)/(1 + x(t−τ)^10) − 0.1x"
    example = "{type: mackey_glass, examples: 100, length: 600, validation: 20}"

    delay: Annotated[PositiveFloat, "τ, in units of time"] = 17.0
    ahead: Annotated[PositiveInt, "how many steps ahead the target lies"] = 1

    @property
    def numbers(self) -> int:
        """Those of every Runge-Kutta step, and of the history that the first looks back to."""
        steps = (_SETTLING + self.length + self.ahead) * _STEPS_PER_UNIT
        return self.examples * int(min(steps + self.delay * _STEPS_PER_UNIT, 2.0**63))

    def make(self, rng: np.random.Generator) -> Points:
        """x (n, time, 1) and x `ahead` steps later, without the washout."""
        import numpy as np

        history = round(self.delay * _STEPS_PER_UNIT)
        wanted = (_SETTLING + self.length + self.ahead) * _STEPS_PER_UNIT
        x = np.empty((self.examples, history + 1 + wanted))
        x[:, : history + 1] = 1.2 + 0.2 * rng.uniform(-1.0, 1.0, (self.examples, 1))
        h = 1.0 / _STEPS_PER_UNIT
        for t in range(history, history + wanted):
            now, later = x[:, t - history], x[:, t - history + 1]
            middle = 0.5 * (now + later)
            k1 = _slope(x[:, t], now)
            k2 = _slope(x[:, t] + 0.5 * h * k1, middle)
            k3 = _slope(x[:, t] + 0.5 * h * k2, middle)
            k4 = _slope(x[:, t] + h * k3, later)
            x[:, t + 1] = x[:, t] + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        series = x[:, history + _SETTLING * _STEPS_PER_UNIT :: _STEPS_PER_UNIT]
        return series[:, : self.length, None], series[:, self.ahead + self.washout : self.ahead + self.length, None]


def _slope(x: np.ndarray, delayed: np.ndarray) -> np.ndarray:
    return 0.2 * delayed / (1.0 + delayed**10) - 0.1 * x
