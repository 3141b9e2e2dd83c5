"""Kinds of pruners: what ends a sweep's trials early, at the rungs of a spec or between the runs of a combination.

Values that a pruner sees are made so that lower ones are better. All that it decides by is known before the
trial begins, or comes from trials that wait for each other: who is pruned does not depend on who was faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar

from annotated_types import Ge, MinLen

from nnctl.components.fields import Duration, PositiveInt
from nnctl.components.registry import Component, Problem
from nnctl.late import dataclass


@dataclass(frozen=True)
class Bracket:
    """Combinations that are compared with each other at each rung. first: the index of their first rung."""

    size: int
    first: int = 0


_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


class Pruner(Component):
    """A rule by which trials of a sweep end early."""

    kind: ClassVar[str] = "pruner"


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class RungPruner(Pruner):
    """A pruner that looks at trials at rungs, each a number of epochs or a time of training."""

    rungs: Annotated[
        Annotated[tuple[PositiveInt | Duration, ...], MinLen(1)] | None,
        "epochs to look at trials after, or times of training, as 30 seconds; epochs by first and factor if absent",
    ] = None
    first: Annotated[PositiveInt, "epochs to the first rung"] = 1
    factor: Annotated[Annotated[int, Ge(2)], "epochs to a rung over those to the one before"] = 3

    @property
    def in_seconds(self) -> bool:
        """True where rungs are times of training."""
        return self.rungs is not None and isinstance(self.rungs[0], str)

    def rungs_before(self, epochs: int) -> tuple[float, ...]:
        """The rungs of runs of so many epochs, in order; their end is none. Times, all of them, are in seconds."""
        if self.rungs is not None:
            return tuple(rung for rung in map(_number, self.rungs) if self.in_seconds or rung < epochs)
        found = [self.first]
        while found[-1] < epochs:
            found.append(found[-1] * self.factor)
        return tuple(found[:-1])

    def problems(self) -> Sequence[Problem]:
        """Rungs of two kinds, at no time, or that do not rise."""
        rungs = self.rungs or ()
        if len({isinstance(rung, str) for rung in rungs}) > 1:
            return [Problem("rungs", "some rungs are epochs and some are times", "give all of them the same unit")]
        numbers = [_number(rung) for rung in rungs]
        if 0 in numbers:
            return [Problem(f"rungs.{numbers.index(0)}", "a rung at no time sees no training", "leave it out")]
        if any(a >= b for a, b in pairwise(numbers)):
            more = "a longer time" if self.in_seconds else "more epochs"
            return [Problem("rungs", f"each rung is after {more} than the one before", "put them in order, each once")]
        return ()


def _number(rung: int | str) -> float:
    """Epochs, or the seconds of a `Duration`, to the thousandth."""
    if isinstance(rung, int):
        return rung
    number, unit = rung.split()
    return round(float(number) * _SECONDS[unit.removesuffix("s")], 3)


class JudgingPruner(RungPruner):
    """A pruner that judges each trial at each rung, by its own values and by a bound."""

    compares: ClassVar[bool] = True
    """True where the bound comes from other trials."""

    def bound(self, others: Sequence[float]) -> float | None:
        """The bound at a rung; None where there is none. others: values there of trials before, the best first."""
        raise NotImplementedError

    def loses(self, own: Sequence[float], bound: float | None) -> bool:
        """True where a trial is to end. own: its values at its rungs so far, the last at this one."""
        raise NotImplementedError


class BracketPruner(RungPruner):
    """A pruner whose trials wait at a rung for those of their bracket, of which the best go on."""

    def brackets(self, rungs: int) -> Sequence[Bracket]:
        """The brackets, which are repeated until there are no more combinations."""
        raise NotImplementedError

    def kept(self, size: int, round_: int) -> int:
        """The number of combinations that go on after a bracket's rung, counted from 0. size: what it began with."""
        return int(max(1, size // self.factor ** (round_ + 1)))


class SeriesPruner(Pruner):
    """A pruner that looks at the runs of a combination, its seeds and folds, which are trained one after the other."""

    def loses(self, own: Sequence[float], best: Sequence[float]) -> bool:
        """True where no further run is trained. own, best: values of the same runs, of it and of the best so far."""
        raise NotImplementedError
