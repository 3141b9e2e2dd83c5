"""Signals that end a process: at once where nothing has to be finished, else as soon as it is.

A command is left by an exception, so that files, bars and other processes are put in order on the way. Who has
something to finish takes the signals over (`take_over`) and looks at what came; within that, a block that may be
left all the same says so by `leavable`.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager

TYPE_CHECKING = False
# As little as can be: until this module is loaded, a signal ends Python with a traceback.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType
    from typing import Any

ENDING: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, `kill`, and a terminal that has gone."""


class Signalled(BaseException):
    """A signal ends the process; nothing is lost by it. No Exception, so that nobody takes it for an error of his."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """The code that a shell reports of a process that this signal ended."""
        return 128 + self.number


class _TakenOver:
    """The signals while somebody else answers them."""

    blocks = 0
    """The number of `leavable` blocks that the main thread is in."""
    staying: int = 0
    """The number of `stay` blocks that the main thread is in."""
    noted: int | None = None
    """The first signal that came."""


def end_on_signals() -> None:
    """Have signals end this process: the first by `Signalled`, in the main thread, the second at once.

    Signals that are ignored, as SIGHUP under nohup, stay ignored.
    """
    _handle(_raise)
    sys.unraisablehook = _heeding(sys.unraisablehook)


def end_at_once() -> None:
    """Have signals end this process without more ado from now on."""
    _handle(_exit)


@contextmanager
def take_over(note: Callable[[int], None]) -> Iterator[None]:
    """A block in which signals are handed to `note`, and end nothing but what is `leavable`."""

    def answer(number: int, frame: FrameType | None) -> None:
        note(number)
        if _TakenOver.noted is None:
            _TakenOver.noted = number
        if _TakenOver.blocks:
            raise Signalled(number)

    before, hook = _handle(answer), sys.unraisablehook
    sys.unraisablehook = _heeding(hook)
    try:
        yield
    finally:
        _TakenOver.noted = None
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def leavable(*, noted: bool = True) -> Iterator[None]:
    """A block that a signal leaves at once, by `Signalled`, whoever has taken signals over: it need not be finished.

    noted: so does one that came before, and has only been noted.
    """
    if not _in_main_thread() or _TakenOver.staying:
        yield
        return
    _TakenOver.blocks += 1
    try:
        if noted and _TakenOver.noted is not None:
            raise Signalled(_TakenOver.noted)
        yield
    finally:
        _TakenOver.blocks -= 1


@contextmanager
def stay() -> Iterator[None]:
    """A block in which nothing is leavable: who has taken the signals over would lose what he has not saved yet."""
    _TakenOver.staying += 1
    try:
        yield
    finally:
        _TakenOver.staying -= 1


@contextmanager
def held() -> Iterator[None]:
    """A block in which signals wait, but SIGTERM. Processes that it starts begin so, too, until they call `release`.

    Python answers SIGINT by a traceback as soon as it starts; by SIGTERM it just ends.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set(ENDING) - {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def release() -> None:
    """Take the signals that have waited."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def leave(work: Callable[[], Any], seconds: float | None = None) -> Any:
    """The result of `work`, which signals need not wait for: it runs on a thread of its own, and may be left behind.

    For work that keeps the main thread within a library for seconds, where no signal is answered, and for
    work that may never end. Raises what it raises, and TimeoutError where it takes longer than `seconds`.
    """
    if seconds is None and not _in_main_thread():
        return work()
    import threading

    done = threading.Event()
    result: list[Any] = []
    raised: list[tuple[BaseException, TracebackType | None]] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:  # noqa: BLE001 — raised again below
            raised.append((error, error.__traceback__))
        finally:
            done.set()

    before = threading.stack_size(_STACK_BYTES)
    try:
        threading.Thread(target=run, daemon=True).start()
    finally:
        threading.stack_size(before)
    with leavable():
        if not done.wait(seconds):
            raise TimeoutError(f"not finished after {seconds:g} seconds")
    if raised:
        error, trace = raised[0]
        try:
            raise error.with_traceback(trace)
        finally:
            # Else the error would hold itself, and all that it has seen, until the garbage is collected.
            raised.clear()
            del error, trace
    return result[0]


_STACK_BYTES = 16 << 20
"""Compilers recurse deeply; some systems give threads half a mebibyte."""


def _in_main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


def _handle(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Install a handler for all that is not ignored; the handlers before it."""
    before: dict[int, Any] = {number: signal.getsignal(number) for number in ENDING}
    # None: a handler that was not installed from Python cannot be put back.
    taken = {number: each for number, each in before.items() if each not in (signal.SIG_IGN, None)}
    for number in taken:
        signal.signal(number, handler)
    return taken


def _heeding(hook: Callable[[Any], Any]) -> Callable[[Any], None]:
    """The hook for exceptions that Python passes over, as those within a finalizer: a signal counts there as well."""

    def heed(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Signalled):
            hook(unraisable)
        elif _TakenOver.noted is None:
            os._exit(unraisable.exc_value.exit_code)
        # Else the next block that is leavable is left.

    return heed


def _raise(number: int, frame: FrameType | None) -> None:
    end_at_once()
    raise Signalled(number)


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
