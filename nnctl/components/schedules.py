"""Learning rates in time, as factors of the optimizer's. Time counts from 0.

Golden values and the two conventions are those of `torch.optim.lr_scheduler`
and `keras.optimizers.schedules`. After its last change a schedule keeps its
last value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Lt, MinLen

from nnctl.components.base import MonitoredSchedule, Schedule
from nnctl.components.fields import (
    Convention,
    Fraction,
    NonEmptyStr,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Share,
    Unit,
)
from nnctl.components.registry import Problem, register
from nnctl.late import dataclass

_DURATION = "over how many units of time; the whole run if absent"


@dataclass(frozen=True, kw_only=True)
class TimedSchedule(Schedule):
    """A schedule that is a pure function of time, counted in epochs or in steps."""

    default_unit: ClassVar[Unit] = "epoch"

    per: Annotated[Unit | None, "what time counts, epoch or step: epochs if absent"] = None

    @property
    def unit(self) -> Unit:
        return self.per or self.default_unit


@register("schedule", "constant")
class Constant(Schedule):
    """The optimizer's learning rate throughout."""

    formula = "η(t) = η"

    def factor_at(self, t: int, total: int) -> float:
        return 1.0


@register("schedule", "step")
class StepDecay(TimedSchedule):
    """Multiplied by `factor` after every `every` units of time."""

    formula = "η(t) = η·factor^⌊t/every⌋"
    example = "{type: step, every: 10, factor: 0.5}"

    every: Annotated[PositiveInt, "units of time between two drops"]
    factor: Annotated[PositiveFloat, "what each drop multiplies by"] = 0.1

    def factor_at(self, t: int, total: int) -> float:
        return math.pow(self.factor, t // self.every)

    def problems(self) -> Sequence[Problem]:
        if self.factor <= 1.0:
            return ()
        message = f"each drop multiplies by the factor, and {self.factor:g} would let the rate grow"
        return [Problem("factor", message, f"to divide by {self.factor:g}, write factor: {1.0 / self.factor:.4g}")]


@register("schedule", "exponential")
class Exponential(TimedSchedule):
    """Multiplied by γ each unit of time."""

    formula = "η(t) = η·γᵗ"
    example = "{type: exponential, gamma: 0.95}"

    gamma: Annotated[PositiveFloat, "γ, the factor from one unit of time to the next"]

    def factor_at(self, t: int, total: int) -> float:
        return math.pow(self.gamma, t)

    def problems(self) -> Sequence[Problem]:
        if self.gamma < 0.1:
            message = f"γ is what is left of the rate after each {self.unit}, and {self.gamma:g} leaves next to nothing"
            meant = f"to lose {self.gamma:.3g} of it each {self.unit}, write gamma: {1.0 - self.gamma:.4g}"
            return [Problem("gamma", message, f"{meant}; if it is meant, say {{type: step, every: 1, factor: …}}")]
        if self.gamma > 2.0:
            message = f"γ is what the rate is multiplied by each {self.unit}, and {self.gamma:g} makes it explode"
            return [Problem("gamma", message, "a percentage is written as a share: 95% is 0.95")]
        return ()


@register("schedule", "polynomial")
class Polynomial(TimedSchedule):
    """From 1 down to `floor` along a power; a straight line at power 1."""

    formula = "η(t) = η·(floor + (1 − floor)(1 − t/T)^power)"
    example = "{type: polynomial, power: 2.0}"

    duration: Annotated[PositiveInt | None, _DURATION] = None
    power: Annotated[PositiveFloat, "1 is a straight line, 2 a parabola that lands softly"] = 1.0
    floor: Annotated[Share, "the last factor"] = 0.0

    def factor_at(self, t: int, total: int) -> float:
        left = 1.0 - _progress(t, self.duration or total)
        return self.floor + (1.0 - self.floor) * math.pow(left, self.power)


@register("schedule", "cosine")
class Cosine(TimedSchedule):
    """From 1 down to `floor` along half a cosine (Loshchilov & Hutter 2017), and there it stays."""

    formula = "η(t) = η·(floor + (1 − floor)·½(1 + cos(πt/T)))"
    example = "{type: cosine, floor: 0.01}"

    duration: Annotated[PositiveInt | None, _DURATION] = None
    floor: Annotated[Share, "the last factor"] = 0.0

    def factor_at(self, t: int, total: int) -> float:
        return _half_cosine(1.0, self.floor, _progress(t, self.duration or total))


@register("schedule", "cosine_restarts")
class CosineRestarts(TimedSchedule):
    """Half a cosine again and again, each `multiplier` times as long (Loshchilov & Hutter 2017)."""

    formula = "η(t) = η·(floor + (1 − floor)·½(1 + cos(πτ/T))), τ since the last restart; then T ← multiplier·T"
    example = "{type: cosine_restarts, period: 10, multiplier: 2}"

    period: Annotated[PositiveInt, "T, the length of the first half cosine"]
    multiplier: Annotated[PositiveInt, "how much longer each is than the one before"] = 1
    floor: Annotated[Share, "the factor at the end of each"] = 0.0

    def factor_at(self, t: int, total: int) -> float:
        period = self.period
        if self.multiplier == 1:
            t %= period
        while t >= period:
            t -= period
            period *= self.multiplier
        return _half_cosine(1.0, self.floor, t / period)


@register("schedule", "piecewise")
class Piecewise(TimedSchedule):
    """Constant factors, or constant learning rates, with jumps between them.

    `values` multiply the optimizer's learning rate, `rates` stand in its place. A new
    one holds from its boundary on by PyTorch's convention, and only after it by Keras's.
    """

    formula = "η(t) = η·values[number of boundaries passed at t]"
    example = "{type: piecewise, boundaries: [10, 20], values: [1.0, 0.1, 0.01]}"

    boundaries: Annotated[Annotated[tuple[NonNegativeInt, ...], MinLen(1)], "times of the jumps, rising"]
    values: Annotated[
        Annotated[tuple[NonNegativeFloat, ...], MinLen(2)] | None,
        "factors of the optimizer's learning rate, one more than boundaries",
    ] = None
    rates: Annotated[
        Annotated[tuple[NonNegativeFloat, ...], MinLen(2)] | None,
        "learning rates instead of factors, one more than boundaries",
    ] = None
    convention: Annotated[Convention | None, "whether a boundary belongs to the new value; the spec's if absent"] = None

    def factor_at(self, t: int, total: int) -> float:
        if self.values is None:
            raise TypeError("learning rates are no factors: ask rate_at")
        return self.values[self._passed(t)]

    def rate_at(self, rate: float, t: int, total: int) -> float:
        return super().rate_at(rate, t, total) if self.rates is None else self.rates[self._passed(t)]

    def _passed(self, t: int) -> int:
        """The number of boundaries passed at time t."""
        after = self.settled("convention") == "keras"
        return sum(t > b if after else t >= b for b in self.boundaries)

    def doubts_about(self, rate: float) -> Sequence[Problem]:
        if self.values is None or (max(self.values) >= 0.1 and (self.values[0] != rate or rate == 1.0)):
            return ()
        shown = f"[{', '.join(f'{value:g}' for value in self.values)}]"
        return [
            Problem(
                "values",
                f"are these factors or learning rates? values multiply the optimizer's learning rate of {rate:g}, "
                f"which would begin at {rate * self.values[0]:.3g}",
                f"learning rates are written rates: {shown}; factors begin with 1, under a smaller learning_rate",
            )
        ]

    def problems(self) -> Sequence[Problem]:
        problems: list[Problem] = []
        needed = len(self.boundaries) + 1
        if (self.values is None) == (self.rates is None):
            message = "piecewise needs either values, which are factors, or rates, which are learning rates"
            problems.append(Problem("values" if self.values else "boundaries", message, "give one of the two"))
        for name, given in (("values", self.values), ("rates", self.rates)):
            if given is not None and len(given) != needed:
                message = f"{needed - 1} boundaries need {needed} {name}, found {len(given)}"
                problems.append(Problem(name, message, "the first value holds before the first boundary"))
        if any(a >= b for a, b in zip(self.boundaries, self.boundaries[1:], strict=False)):
            problems.append(Problem("boundaries", "boundaries must rise", "sort them and drop repeated ones"))
        return problems


@register("schedule", "warmup")
class Warmup(TimedSchedule):
    """A straight rise from `start` to 1, then another schedule that counts from 0 in the same units."""

    formula = "η(t) = η·(start + (1 − start)·t/T) while t < T, then η·then(t − T)"
    example = "{type: warmup, duration: 5, then: cosine}"

    duration: Annotated[PositiveInt, "T, units of time until the full rate"]
    start: Annotated[Share, "the first factor"] = 1.0 / 3.0
    then: Annotated[Schedule, "what follows; it counts what the warm-up counts"] = Constant()

    def factor_at(self, t: int, total: int) -> float:
        if t < self.duration:
            return self.start + (1.0 - self.start) * (t / self.duration)
        return self.then.factor_at(t - self.duration, max(total - self.duration, 1))

    def rate_at(self, rate: float, t: int, total: int) -> float:
        if t < self.duration:
            return super().rate_at(rate, t, total)
        return self.then.rate_at(rate, t - self.duration, max(total - self.duration, 1))

    def doubts_about(self, rate: float) -> Sequence[Problem]:
        found = self.then.doubts_about(rate)
        return [Problem(f"then.{doubt.field}", doubt.message, doubt.hint) for doubt in found]

    def momentum_at(self, t: int, total: int) -> float | None:
        if t < self.duration:
            return None
        return self.then.momentum_at(t - self.duration, max(total - self.duration, 1))

    def advice(self, total: int) -> tuple[str, ...]:
        return self.then.advice(max(total - self.duration, 1))

    def problems(self) -> Sequence[Problem]:
        if isinstance(self.then, MonitoredSchedule):
            return [Problem("then", f"{self.then.type} answers to a metric and cannot follow a warm-up")]
        if isinstance(self.then, TimedSchedule) and self.then.per not in (None, self.unit):
            message = f"{self.then.type} counts in {self.then.per}s, the warm-up before it in {self.unit}s"
            return [Problem("then", message, f"remove its `per`: it counts in {self.unit}s as the warm-up does")]
        return ()


@register("schedule", "one_cycle")
class OneCycle(TimedSchedule):
    """Up to the full rate and down again along half cosines, the momentum the other way round (Smith 2018).

    The optimizer's learning rate is the peak, one unit before the share `rise` of the run is over, as in
    PyTorch; a run of 1/rise units or less begins there. Momentum, or Adam's β₁, moves where it is not 0.
    """

    formula = "η from η/initial_divisor up to η and down to η/(initial_divisor·final_divisor) along half cosines"
    example = "{type: one_cycle, rise: 0.3}"
    default_unit = "step"

    per: Annotated[Unit | None, "what time counts, epoch or step: steps if absent"] = None
    rise: Annotated[Share, "the share of the run until the peak"] = 0.3
    initial_divisor: Annotated[PositiveFloat, "the first rate is the peak's over this"] = 25.0
    final_divisor: Annotated[PositiveFloat, "the last rate is the first one's over this"] = 1e4
    cycle_momentum: Annotated[bool, "move momentum or Adam's β₁; false leaves the optimizer's own"] = True
    momentum_high: Annotated[Fraction, "momentum at both ends"] = 0.95
    momentum_low: Annotated[Fraction, "momentum at the peak"] = 0.85

    def factor_at(self, t: int, total: int) -> float:
        first = 1.0 / self.initial_divisor
        return self._between(t, total, first, 1.0, first / self.final_divisor)

    def momentum_at(self, t: int, total: int) -> float | None:
        if not self.cycle_momentum:
            return None
        return self._between(t, total, self.momentum_high, self.momentum_low, self.momentum_high)

    def advice(self, total: int) -> tuple[str, ...]:
        if self.rise * total > 1.0:
            return ()
        return (
            f"one_cycle begins at its peak: the share rise = {self.rise:g} of a run of {total} {self.unit}s is at most "
            f"one {self.unit}{'; with per: step it rises within the epoch' if self.unit == 'epoch' else ''}",
        )

    def _between(self, t: int, total: int, first: float, peak: float, last: float) -> float:
        # The peak is at rise·total − 1, as torch counts; a run too short for a rise begins at the peak.
        up = max(self.rise * total - 1.0, 0.0)
        if t < up:
            return _half_cosine(first, peak, t / up)
        down = total - 1.0 - up
        return _half_cosine(peak, last, min((t - up) / down, 1.0) if down > 0.0 else 0.0)


@register("schedule", "plateau")
class Plateau(MonitoredSchedule):
    """Multiplied by `factor` when the metric has not improved in `patience` evaluations.

    Conventions: by PyTorch's the drop comes when more than `patience`
    evaluations in a row were no better, and better means by a share
    `threshold` of the best; by Keras's it comes at `patience`, and `threshold`
    is an absolute difference. A value that is not a number is no improvement.
    """

    formula = "η ← η·factor after patience evaluations without improvement, not below η₀·floor"
    example = "{type: plateau, factor: 0.5, patience: 5}"

    monitor: Annotated[NonEmptyStr | None, "a column of the metrics; what early stopping watches if absent"] = None
    factor: Annotated[Annotated[float, Ge(0), Lt(1)], "what each drop multiplies by"] = 0.1
    patience: Annotated[NonNegativeInt, "evaluations without improvement before a drop"] = 10
    threshold: Annotated[NonNegativeFloat, "the least change that counts as improvement"] = 1e-4
    cooldown: Annotated[NonNegativeInt, "evaluations after a drop that do not count"] = 0
    floor: Annotated[Share, "the least factor, for example 0.0078125 for 1/128"] = 0.0
    stop_at_floor: Annotated[bool, "end training when the factor reaches the floor"] = False
    convention: Annotated[Convention | None, "whose counting; the spec's if absent"] = None

    @property
    def monitored(self) -> str | None:
        return self.monitor

    def factor_at(self, t: int, total: int) -> float:
        return 1.0

    def initial(self) -> dict[str, Any]:
        return {"factor": 1.0, "stop": False, "best": None, "bad": 0, "cooldown": 0}

    def observe(self, memory: Mapping[str, Any], value: float, higher_is_better: bool) -> dict[str, Any]:
        factor, best, bad, cooldown = (memory[key] for key in ("factor", "best", "bad", "cooldown"))
        keras = self.settled("convention") == "keras"
        # Keras counts the evaluation that ends a cooldown, PyTorch the one after it.
        counts = cooldown <= 1 if keras else cooldown == 0
        cooldown = max(cooldown - 1, 0)
        if self._better(value, best, higher_is_better, absolute=keras):
            best, bad = value, 0
        elif counts:
            bad += 1
        if bad >= max(self.patience, 1) if keras else bad > self.patience:
            factor, bad, cooldown = max(factor * self.factor, self.floor), 0, self.cooldown
        stop = self.stop_at_floor and factor <= self.floor
        return {"factor": factor, "stop": stop, "best": best, "bad": bad, "cooldown": cooldown}

    def _better(self, value: float, best: float | None, higher_is_better: bool, *, absolute: bool) -> bool:
        if math.isnan(value):
            return False
        if best is None:
            return True
        margin = self.threshold if absolute else self.threshold * best
        return value > best + margin if higher_is_better else value < best - margin

    def problems(self) -> Sequence[Problem]:
        if self.stop_at_floor and not self.floor:
            return [Problem("stop_at_floor", "stop_at_floor needs a floor above 0", "set floor, for example 0.0078125")]
        return ()


def _progress(t: int, duration: int) -> float:
    return min(t / duration, 1.0)


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * progress))
