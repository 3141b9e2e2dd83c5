"""Rows that wait for their launch: chunks of trials that a process trains together, run by one call.

A chunk becomes a row when it is started. Rows wait for one another until half of the trials that may join have come,
and no longer than until somebody asks for the result of one: so one half computes while the host is busy with the
other. Rows know nothing of each other: no result depends on who is launched with whom.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from typing import Generic, Protocol, TypeVar
from weakref import WeakSet


class Row(Protocol):
    """A chunk of a trial. kind: rows of one may be launched together. steps: of the chunk."""

    @property
    def kind(self) -> Hashable: ...

    @property
    def steps(self) -> int: ...


R = TypeVar("R", bound=Row)


class WaitingRows(Generic[R]):
    """The rows of a process that wait, and the trials that they may wait for.

    launch: launches rows of a kind. by_halves: whether that is when half have come; else all at once when a result is
    asked for.
    """

    def __init__(self, launch: Callable[[Sequence[R]], None], *, by_halves: bool = True) -> None:
        self._launch = launch
        self._by_halves = by_halves
        self._members: dict[Hashable, WeakSet[object]] = {}
        self._waiting: dict[Hashable, list[R]] = {}

    def add(self, kind: Hashable, member: object) -> None:
        """Let a trial's steps take part, as long as there are such."""
        for gone in [each for each, members in self._members.items() if not members]:
            del self._members[gone]
        self._members.setdefault(kind, WeakSet()).add(member)

    def shared(self, kind: Hashable) -> bool:
        """True where several trials take part, so that a row may find others."""
        return len(self._members.get(kind, ())) > 1

    def enter(self, row: R) -> None:
        """Let a row wait for others, or launch it with those that wait for it."""
        waiting = self._waiting.setdefault(row.kind, [])
        waiting.append(row)
        if self._by_halves and 2 * len(waiting) >= len(self._members[row.kind]):
            self.launch(row.kind)

    def launch(self, kind: Hashable) -> None:
        """Launch the rows of a kind that wait: of chunks that differ in length by less than a factor of two.

        A short one would wait for a long one to end.
        """
        waiting = sorted(self._waiting.pop(kind), key=lambda row: row.steps)
        for _, of_a_length in groupby(waiting, key=lambda row: row.steps.bit_length()):
            self._launch(list(of_a_length))
