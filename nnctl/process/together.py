"""Turns of pieces of work, as runs are, that give way to one another while what they wait for is under way."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeAlias, TypeVar

K = TypeVar("K")
T = TypeVar("T")

_ENDED = threading.Condition()
"""Told at the end of each `Aside`."""


class Aside(Generic[T]):
    """A call that mostly waits, as for the disk, on a thread of its own; work that has begun it is not due before."""

    def __init__(self, call: Callable[[], T]) -> None:
        """Begin it. Raises RuntimeError where the system starts no more threads."""
        self._call = call
        self._result: list[T] = []
        self._error: BaseException | None = None
        # No daemon: what it writes is whole before the process ends.
        self._thread = threading.Thread(target=self._run)
        self.ended = False
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result.append(self._call())
        except BaseException as error:  # noqa: BLE001 — raised again where the result is asked for
            self._error = error
        with _ENDED:
            self.ended = True
            _ENDED.notify()

    def result(self) -> T:
        """Wait for its result. Raises what it has raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]


Work: TypeAlias = Generator["Aside[Any] | None", None, T]
"""A piece of work: it yields where it gives way, with what must have ended before it is due; it returns its result."""


def to_its_end(work: Generator[Any, None, T]) -> T:
    """The result of a piece of work that has nobody to give way to."""
    while True:
        try:
            next(work)
        except StopIteration as ended:
            result: T = ended.value
            return result


def wait_beside(pending: Callable[[], T], due: Aside[Any] | None = None) -> Work[T]:
    """The result of what is under way, after giving way once. Whoever ends the work there waits for it, too."""
    try:
        yield due
    finally:
        result = pending()
    return result


def aside(call: Callable[[], T]) -> Work[T]:
    """The result of a call that mostly waits: on a thread of its own where others may go on meanwhile."""
    if not Together.others:
        return call()
    try:
        begun = Aside(call)
    except RuntimeError:
        return call()  # The system starts no more threads: others wait with it.
    return (yield from wait_beside(begun.result, begun))


class Together(Generic[K, T]):
    """Pieces of work, each a generator that yields where it gives way and returns its result; they go on in turn.

    What one of them does, is, or raises is no matter of the others. key: by which each is known. others: of this
    process, how many may go on where the one whose turn it is gives way.
    """

    others = 0

    def __init__(self) -> None:
        self._in_turn: deque[tuple[K, Work[T], Aside[Any] | None]] = deque()

    def __len__(self) -> int:
        """The number of those that have not ended."""
        return len(self._in_turn)

    def add(self, key: K, work: Work[T]) -> None:
        """Let a piece of work take part: its turn is the next."""
        self._in_turn.appendleft((key, work, None))

    def turn(self) -> tuple[K, T] | None:
        """Let the one that has waited the longest go on, of those that are due; its key and result where it has ended.

        Where none is due, wait for the first. Raises what it raises, with which it has ended, too.
        """
        with _ENDED:
            _ENDED.wait_for(self._bring_due)
        key, work, _ = self._in_turn.popleft()
        Together.others = len(self._in_turn)
        try:
            due = next(work)
        except StopIteration as ended:
            return key, ended.value
        finally:
            Together.others = 0
        self._in_turn.append((key, work, due))
        return None

    def _bring_due(self) -> bool:
        """Bring the first that is due to the front, in whose order the others stay; False where there is none."""
        for place, (_, _, due) in enumerate(self._in_turn):
            if due is None or due.ended:
                found = self._in_turn[place]
                del self._in_turn[place]
                self._in_turn.appendleft(found)
                return True
        return False

    def close(self) -> None:
        """End them all where they are."""
        while self._in_turn:
            self._in_turn.popleft()[1].close()
