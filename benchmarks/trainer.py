"""Trainers: nets of the contestants, as the arena runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Trainer:
    """A net ready to be trained.

    step: trains on the examples of these rows (batch,) and gives the batch's mean cost before the update.
    run: trains so many steps, on rows of `orders`, and returns when they are done. It is what is timed.
    comparable: the number of first steps that cost as much as everyone else's, on the same rows from the same
        weights; one where the rule of the update differs.
    fixed_length: True where `run` is compiled for a number of steps, and wants always the same.
    """

    step: Callable[[NDArray[Any]], float]
    run: Callable[[int], None]
    comparable: int = 3
    fixed_length: bool = False


@dataclass(frozen=True)
class DeviceTrainer:
    """A net ready to be trained on a GPU, which keeps the time itself.

    costs: trains on the examples of these rows (steps, batch), from the first weights, and gives the mean cost of each
        batch before its update; to be called once and first.
    seconds: trains so many steps, on rows of `orders`, returns when they are done, and gives the time between two
        events in the stream of the device, the first before their first work and the last behind their last; where
        the library has no events, that of the host's clock.
    comparable: see `Trainer`. steps: the number that `seconds` was compiled for, and wants always; None for any.
    events: False where `seconds` is the host's clock.
    way: what ran the steps, in a word or two; "" where there is no choice.
    """

    costs: Callable[[NDArray[Any]], list[float]]
    seconds: Callable[[int], float]
    comparable: int = 3
    steps: int | None = None
    events: bool = True
    way: Callable[[], str] = str
