"""Trials that a worker process has been given: those under way, in turn, and those that wait for room."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from nnctl.process.together import Together, Work
from nnctl.sweep.executors.contract import Ended, Failed, Outcome, TrialTask


class Trials:
    """The trials of a process; one that fails for want of memory beside others is tried again alone.

    Who has failed so tells how many there is room for: from then on no more are under way at a time.

    begin: a trial's training, which gives way while a chunk of its steps is under way.
    """

    def __init__(self, begin: Callable[[TrialTask], Work[Outcome]]) -> None:
        self._begin = begin
        self._waiting: deque[TrialTask] = deque()
        self._under_way: dict[int, TrialTask] = {}
        self._together: Together[int, Outcome] = Together()
        self._most: int | None = None

    def __bool__(self) -> bool:
        """True where one has not ended."""
        return bool(self._waiting or self._under_way)

    def take(self, task: TrialTask) -> None:
        """Let a trial begin as soon as there is room for it."""
        self._waiting.append(task)

    def turn(self) -> Ended | None:
        """Begin a trial where there is room, let the one go on whose turn it is; how it ended, where it has."""
        if self._waiting and self._has_room(self._waiting[0]):
            task = self._waiting.popleft()
            if task.alone:
                # Of what has ended before, cycles may hold memory.
                gc.collect()
            self._under_way[task.number] = task
            self._together.add(task.number, self._begin(task))
        ended = self._together.turn()
        if ended is None:
            return None
        number, outcome = ended
        task = self._under_way.pop(number)
        if isinstance(outcome, Failed) and outcome.cramped and self._under_way:
            self._most = len(self._under_way)
            self._waiting.appendleft(replace(task, alone=True))
            return None
        return Ended(number, outcome)

    def finish(self) -> None:
        """Let those under way go on to their ends; none begins any more."""
        while self._together:
            self._together.turn()

    def _has_room(self, task: TrialTask) -> bool:
        if not self._under_way:
            return True
        if task.alone or any(each.alone for each in self._under_way.values()):
            return False
        return self._most is None or len(self._under_way) < self._most
