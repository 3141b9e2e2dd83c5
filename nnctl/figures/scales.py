"""Scales: where a number lies along an axis, and which numbers are marked on it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nnctl.late import dataclass

_STEPS = (1.0, 2.0, 5.0, 10.0)
"""Distances of marks that are easily read, times a power of ten."""

_TINY, _HUGE = 1e-300, 1e300
"""Numbers beyond which half of one, or the distance of two, may no longer be a number."""


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, linear or logarithmic; low < high, both above 0 where it is logarithmic."""

    low: float
    high: float
    log: bool = False

    def place(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The places of values: 0 at `low`, 1 at `high`, NaN where a logarithm does not exist."""
        if not self.log:
            return np.asarray((values - self.low) / (self.high - self.low))
        with np.errstate(divide="ignore", invalid="ignore"):
            place = np.log(np.where(values > 0, values, np.nan)) - math.log(self.low)
        return np.asarray(place / (math.log(self.high) - math.log(self.low)))

    def ticks(self, most: int = 6) -> list[float]:
        """Numbers that are easily read within the scale, at most about `most` of them."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            if last > first:
                stride = math.ceil((last - first + 1) / most)
                return [10.0**power for power in range(first, last + 1, stride)]
        step = _step((self.high - self.low) / max(most - 1, 1))
        lowest = math.ceil(self.low / step - 1e-9)
        return [float(f"{n * step:.12g}") for n in range(lowest, math.floor(self.high / step + 1e-9) + 1)]


def scale_over(values: NDArray[np.float64], *, log: bool, zero: bool = False) -> Scale:
    """A scale that holds all finite values. zero: 0, too, where it is linear."""
    kept = values[np.isfinite(values) & ((values > _TINY) | (not log))]
    if not kept.size:
        return Scale(0.1, 1.0, True) if log else Scale(0.0, 1.0)
    low, high = (float(np.clip(edge, -_HUGE, _HUGE)) for edge in (kept.min(), kept.max()))
    if log:
        return Scale(low, high, True) if high > low * (1 + 1e-9) else Scale(low / 2, high * 2, True)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= max(_TINY, 1e-12 * max(abs(low), abs(high))):
        margin = abs(low) / 2 if abs(low) > _TINY else 0.5
        return Scale(low - margin, high + margin)
    return Scale(low, high)


def number(value: float) -> str:
    """A number in few characters: four digits, powers of ten where it is very large or small."""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.4g}"
    if "e" in text:
        digits, power = text.split("e")
        return f"{digits}e{int(power)}"
    return text


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next((step * power for step in _STEPS if step * power >= least * (1 - 1e-9)), 10 * power)
