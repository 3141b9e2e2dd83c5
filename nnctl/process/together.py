"""Turns of pieces of work, as runs are, that give way to one another while what they wait for is under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeAlias, TypeVar

K = TypeVar("K")
T = TypeVar("T")
Work: TypeAlias = Generator[None, None, T]
"""A piece of work: it yields where it gives way, and returns its result."""


def to_its_end(work: Generator[Any, None, T]) -> T:
    """The result of a piece of work that has nobody to give way to."""
    while True:
        try:
            next(work)
        except StopIteration as ended:
            result: T = ended.value
            return result


def wait_beside(pending: Callable[[], T]) -> Generator[None, None, T]:
    """The result of what is under way, after giving way once. Whoever ends the work there waits for it, too."""
    try:
        yield
    finally:
        result = pending()
    return result


class Together(Generic[K, T]):
    """Pieces of work, each a generator that yields where it gives way and returns its result; they go on in turn.

    What one of them does, is, or raises is no matter of the others. key: by which each is known.
    """

    def __init__(self) -> None:
        self._in_turn: deque[tuple[K, Generator[None, None, T]]] = deque()

    def __len__(self) -> int:
        """The number of those that have not ended."""
        return len(self._in_turn)

    def add(self, key: K, work: Generator[None, None, T]) -> None:
        """Let a piece of work take part: its turn is the next."""
        self._in_turn.appendleft((key, work))

    def turn(self) -> tuple[K, T] | None:
        """Let the one that has waited the longest go on; its key and its result where it has ended.

        Raises what it raises, with which it has ended, too.
        """
        key, work = self._in_turn.popleft()
        try:
            next(work)
        except StopIteration as ended:
            return key, ended.value
        self._in_turn.append((key, work))
        return None

    def close(self) -> None:
        """End them all where they are."""
        while self._in_turn:
            self._in_turn.popleft()[1].close()
