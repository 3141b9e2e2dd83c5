"""Keys of a terminal, read one at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nnctl.screen.guard import unguarded


def has_keys() -> bool:
    """True where somebody can press a key and see what comes of it: stdin and stdout are terminals."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, unguarded(sys.stdout)))


@contextmanager
def single_keys() -> Iterator[None]:
    """A block in which keys are read as they are pressed, and are not shown; stdin is a terminal."""
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def goes_on() -> bool:
    """True once Enter or space is pressed, False for q and where the terminal has gone. Within `single_keys`."""
    import os

    while True:
        pressed = os.read(sys.stdin.fileno(), 1)
        if pressed in (b"\n", b"\r", b" "):
            return True
        if pressed in (b"q", b"Q", b"\x04", b""):
            return False
