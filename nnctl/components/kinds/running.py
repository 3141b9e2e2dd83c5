"""Kinds around a run: what executes its plans, what a sweep draws its settings from, and what proposes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from nnctl.components.registry import Component
from nnctl.late import dataclass


@dataclass(frozen=True)
class Interval:
    """The numbers that a distribution draws from.

    high: included where `step` is given or the numbers are whole. step: between two neighbours, counted from
    `low`; None where every number between is meant. log: every order of magnitude alike.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    def values(self) -> Sequence[float] | None:
        """All of them where they are finite in number; else None."""
        if self.step is None:
            return None
        # A step that does not divide the interval leaves its end out; one that does may miss it by rounding.
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        if self.whole:
            return range(int(self.low), int(self.low) + count * int(self.step), int(self.step))
        return [self.low + index * self.step for index in range(count)]


@dataclass(frozen=True)
class Options:
    """The few values that a distribution draws from, in no order that means anything."""

    options: tuple[object, ...]

    def values(self) -> Sequence[object]:
        """All of them."""
        return self.options


class Distribution(Component):
    """A distribution that a sweep draws a value from."""

    kind: ClassVar[str] = "distribution"

    def quantile(self, u: float) -> object:
        """The value below which a share u of the draws lies, 0 ≤ u < 1."""
        raise NotImplementedError

    def support(self) -> Interval | Options:
        """The values that may be drawn, for samplers that learn where good ones lie."""
        raise NotImplementedError


class Sampler(Component):
    """A proposer of the settings of a sweep's trials."""

    kind: ClassVar[str] = "sampler"
    learns: ClassVar[bool] = False
    """True where a proposal depends on the results of trials before it."""
    several: ClassVar[bool] = True
    """True where it can look for the best of several objectives at once."""


class PointSampler(Sampler):
    """A sampler whose k-th proposal is a pure function of the seed and k."""

    def point(self, seed: int, index: int, paths: Sequence[str]) -> Sequence[float]:
        """The index-th point of the unit cube, a coordinate in [0, 1) for each path."""
        raise NotImplementedError


class LearningSampler(Sampler):
    """A sampler of Optuna: a proposal depends on what trials before it have reached. extra: it needs, if any."""

    learns: ClassVar[bool] = True
    extra: ClassVar[str] = ""
    needs: ClassVar[str] = ""
    """The package of the extra, by its name in an import."""

    def optuna(self, seed: int, *, conditional: bool) -> Any:
        """A new `optuna.samplers.BaseSampler`. conditional: some paths are drawn only where others allow it."""
        raise NotImplementedError


class BackendComponent(Component):
    """An executor of plans. The component lives in the executor's folder and loads nothing of it before `open`.

    rank: among those that can run a net, `auto` takes the highest. reference: of the one backend that judges
    all others, runs every net, and computes on the host's own NumPy arrays. same_as: the name of the component
    that this is another name of, "" for its own; it has the same fields. libraries: the distributions that it
    computes with, for `nnctl doctor`. ahead: the module that `open` loads, where processes that have loaded it may
    be copied, as workers of a sweep are; "" where each has to load it for itself. measures: True
    where what `load_timed` chooses among is measured on this machine, so that it can be measured anew. shares: True
    where trials that one process trains share calls, so that it can be measured what they gain.
    """

    kind: ClassVar[str] = "backend"
    of_number: ClassVar[str] = "{type: cpu, threads: …}"
    rank: ClassVar[int] = 0
    reference: ClassVar[bool] = False
    same_as: ClassVar[str] = ""
    libraries: ClassVar[tuple[str, ...]] = ()
    ahead: ClassVar[str] = ""
    measures: ClassVar[bool] = False
    shares: ClassVar[bool] = False

    def obstacle(self) -> str | None:
        """The reason why it cannot be opened on this machine, e.g. "CuPy is not installed"; None if it can."""
        return None

    def suits_machine(self) -> bool:
        """True where this machine has what the backend is for; else `auto` passes it over without a word."""
        return True

    def open(self, workers: int | None = None) -> Any:
        """The executor, a `nnctl.backends.contract.Backend`.

        workers: threads of the host that share a step at most, where the component's own fields do not say;
        its own choice if None.
        """
        raise NotImplementedError

    def compile_ahead(self, graph: Any, sizes: Mapping[str, int], workers: int | None = None) -> bool:
        """Begin to compile, beside this process, what a plan of a graph needs, as another will; see `open`.

        graph: a `nnctl.graph.ir.Graph`. sizes: see `nnctl.backends.contract.Planner`. Gives False where nothing of it
        is new to this machine.
        """
        return False

    def planner(self) -> Any:
        """The half of the executor that plans and lists code, a `nnctl.backends.contract.Planner`.

        A backend whose half needs nothing of the machine gives it on every machine.
        """
        return self.open()

    def together(self, jobs: int) -> int:
        """Trials of a sweep, of `jobs` at a time, that one process trains in turn: 1 where a process each is faster."""
        return 1

    def sharing(self, workers: int) -> Self:
        """The same backend with so many workers at most; itself where it does not divide a step among any."""
        return self
