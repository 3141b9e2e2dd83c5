"""Processes that compile beside this one: LLVM is called by one thread of a process at a time."""

from __future__ import annotations

import sys
from contextlib import suppress

from nnctl.backends.machine import llvm_features, processor
from nnctl.process.signals import held

_PROGRAM = """import sys
sys.path[:] = {path!r}
from nnctl.backends.cpu.compiler.serving import serve
serve({processor!r}, {features!r})"""


class HelperGoneError(Exception):
    """A helper has ended before its time, killed by the system, as where memory is short."""


class Helper:
    """A process that makes object code for this one, until it is closed or this one ends; a context.

    spared: whether it was ended before it had begun.
    """

    spared = False

    def __init__(self) -> None:
        # Here and not above: most starts compile nothing.
        import subprocess

        program = _PROGRAM.format(path=sys.path, processor=processor(), features=llvm_features())
        # Signals are this process's affair. Nothing of the environment or of the working folder changes what is loaded.
        with held():
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._begun = False

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *raised: object) -> None:
        with suppress(OSError):
            self._to.close()
        self._process.wait()
        self._from.close()

    def ready(self) -> None:
        """Wait until it has begun. Raises HelperGoneError."""
        self._line()
        self._begun = True

    def spare(self) -> None:
        """End it where it has not begun yet: nothing is left to do."""
        if not self._begun:
            self.spared = True
            self._process.kill()

    def code(self, text: str, level: int) -> bytes:
        """See `object_code`. Raises HelperGoneError."""
        given = text.encode()
        try:
            self._to.write(b"%d %d\n" % (level, len(given)) + given)
            self._to.flush()
        except OSError as error:
            raise HelperGoneError from error
        size = int(self._line())
        code = self._from.read(size)
        if len(code) < size:
            raise HelperGoneError
        return code

    def _line(self) -> bytes:
        line = self._from.readline()
        if not line.endswith(b"\n"):
            raise HelperGoneError
        return line
