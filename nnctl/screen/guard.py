"""Streams to people: whatever is written to one, nothing but text, newlines and tabs comes out.

stderr is one always, stdout where it is a terminal; in a pipe stdout is data, and exact. Colours and bars
are drawn by `Console` and by diagnostics, which alone write past the guard, and only what they have made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from nnctl.screen.characters import harmless, message


class GuardedStream:
    """A text stream for people. `stream` is what lies behind it, `clean` makes each text harmless.

    It has no `buffer`: bytes would not be looked at.
    """

    def __init__(self, stream: TextIO, clean: Callable[[str], str]) -> None:
        self.stream = stream
        self.clean = clean

    def write(self, text: str) -> int:
        """Write the text, harmless. Returns the number of characters given."""
        self.stream.write(self.clean(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write the lines, each harmless."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self.stream, name)


def unguarded(stream: Any) -> Any:
    """The stream itself, for what draws on a terminal."""
    return stream.stream if isinstance(stream, GuardedStream) else stream


@contextmanager
def guarded() -> Iterator[None]:
    """Guard the process's stderr, and its stdout where that is a terminal, within the block.

    What is written to stderr is a message each time, so its length is bounded, too. A character
    that stdout cannot encode is written out like one that acts: output never fails for a name.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if stream is not None and not is_unicode(stream) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is not None and sys.stdout.isatty():
        sys.stdout = guard(sys.stdout, harmless)
    sys.stderr = guard(sys.stderr, message)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def is_unicode(stream: TextIO) -> bool:
    """True where the stream can encode every character."""
    return (stream.encoding or "").lower().startswith("utf")


def guard(stream: Any, clean: Callable[[str], str]) -> Any:
    """The stream, guarded if it is not yet; None where there is none."""
    return stream if stream is None or isinstance(stream, GuardedStream) else GuardedStream(stream, clean)
