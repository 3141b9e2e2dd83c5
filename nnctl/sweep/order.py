"""The order in which trials begin, of those that may: a process trains alike nets one after the other.

A process keeps the nets that it has built. Where trials are short, building them is a good part of their time.
No result depends on the order.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Collection, Generator

from nnctl.spec.document import IN_NO_GRAPH, Spec
from nnctl.sweep.executors.contract import TrialTask
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_result import TrialResult

Finding = Generator[TrialResult, None, TrialTask | None]
"""The finding of a trial that may begin, None where there is none yet; on the way, results of those before it."""

_MOST = 64
"""Trials that are looked at for one that is alike: so far others may be ahead of the first."""


class Ready:
    """Trials that may begin, by number. `take` gives the next."""

    def __init__(self, following: Callable[[], Finding], *, ahead: bool) -> None:
        """following: finds the next by number. ahead: False where they keep that order."""
        self._following, self._most = following, _MOST if ahead else 1
        self._waiting: deque[TrialTask] = deque()
        self._left: deque[str] = deque(maxlen=_MOST)

    def left(self, net: str) -> None:
        """Note that a process has trained a trial of this net, and is free."""
        self._left.append(net)

    def take(self, under_way: Collection[str]) -> Finding:
        """The trial that begins next. under_way: nets that others are trained of.

        One of the net that a process was left with; else of one that no other has; else the first.
        """
        if self._left:
            net = self._left.popleft()
            alike = yield from self._first(lambda each: each == net)
            if alike is not None:
                return alike
        other = yield from self._first(lambda each: each not in under_way)
        return other or (self._waiting.popleft() if self._waiting else None)

    def _first(self, fits: Callable[[str], bool]) -> Finding:
        """The first whose net fits, out of the waiting; None where there is none among so many."""
        for place, task in enumerate(self._waiting):
            if fits(task.net):
                del self._waiting[place]
                return task
        while len(self._waiting) < self._most and (found := (yield from self._following())) is not None:
            if fits(found.net):
                return found
            self._waiting.append(found)
        return None


def net_of(trial: Trial, spec: Spec) -> str:
    """Text that is equal for trials of one net, as far as their settings tell. spec: the one that they vary."""
    rates = {f"optimizer.{name}" for name in spec.optimizer.scheduled}
    parts = {
        path: value
        for path, value in trial.settings.items()
        if path not in rates and path.partition(".")[0].partition("[")[0] not in IN_NO_GRAPH
    }
    return json.dumps([parts, trial.left_out])
