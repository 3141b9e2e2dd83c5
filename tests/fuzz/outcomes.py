"""The promise to every input, however broken: an answer, or an error of the documented kinds, in bounds."""

from __future__ import annotations

import io
import os
import resource
import signal
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from hypothesis import HealthCheck, settings

from nnctl.cli.diagnostics import render
from nnctl.errors import NnctlError

SECONDS = 20
"""Of processor, the most that one input may take."""
MEMORY = 1 << 30
"""Bytes of address space, the most that one input may add to the process."""
CHARACTERS = 20_000
"""Of an error, the most that a reader is shown."""
CODES = {2, 3, 4, 5}

SHORT = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""As every run of the tests has it."""
LONG = settings(SHORT, max_examples=int(os.environ.get("NNCTL_FUZZ", "2000")), derandomize=False)
"""As `pytest -m fuzz` has it; the variable NNCTL_FUZZ is the number of inputs."""


class TookTooLongError(Exception):
    """An input takes more processor than it may."""


@contextmanager
def bounded() -> Iterator[None]:
    """A block within bounds of processor and memory. Raises TookTooLongError, MemoryError."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TookTooLongError(f"over {SECONDS} s of processor")

    before = signal.signal(signal.SIGVTALRM, end)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as pages:
        size = int(pages.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, hard))
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def judge(work: Callable[[], object]) -> int:
    """The exit code of a piece of work: 0, or that of the documented error that it ends with.

    Asserts that the error's words are in bounds and safe to print.
    """
    try:
        with bounded():
            work()
    except NnctlError as error:
        ending = error
    else:
        return 0
    words = render(ending, io.StringIO())
    assert ending.exit_code in CODES, words
    assert words.strip()
    assert len(words) <= CHARACTERS, f"{len(words)} characters: {words[:400]}"
    unsafe = {c for c in words if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"}
    assert not unsafe, f"{unsafe}: {words!r}"
    return ending.exit_code
