"""Modules compiled by other processes while this one goes on: NVRTC takes seconds for a large kernel."""

from __future__ import annotations

import atexit
import logging
import sys
from collections import deque
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any

from nnctl.backends.cache.private import cache_root
from nnctl.backends.cache.store import found_bytes, keep_bytes
from nnctl.backends.cuda.codegen.functions import Unit
from nnctl.backends.cuda.compilation import RejectedError, machine_code, parts_of
from nnctl.late import dataclass
from nnctl.process.cores import cores
from nnctl.process.signals import held

log = logging.getLogger("nnctl.compile")

_CORES_EACH = 4
"""Cores for each process that compiles; of fewer there is one all the same."""
_PROGRAM = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({architecture!r})"


@dataclass
class _Work:
    """A module that a process compiles."""

    parts: tuple[str, ...]
    process: Any
    code: IO[bytes]


class CompilingBeside:
    """Modules that wait for a process, and those that one compiles; when this process ends, so do they."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most or max(1, cores() // _CORES_EACH)
        self._lock = Lock()
        self._waiting: deque[tuple[Unit, str]] = deque()
        self._working: list[_Work] = []
        self._asked: set[tuple[str, str]] = set()
        self._done: set[tuple[str, str]] = set()

    def ready(self, unit: Unit, architecture: str, *, begin: bool) -> bool:
        """True where there is nothing to wait for: a unit's module is kept, or a process has ended over it.

        begin: whether to have it compiled where it is not; nothing is where compiled code cannot be kept.
        """
        key = (unit.module, architecture)
        with self._lock:
            self._go_on()
            if key in self._done:
                return True
            if key in self._asked:
                return False
            if found_bytes("kernels", parts_of(*key)) is not None:
                self._done.add(key)
                return True
            if begin and cache_root() is not None:
                if not self._asked:
                    atexit.register(self.close)
                self._asked.add(key)
                self._waiting.append((unit, architecture))
                self._go_on()
            return False

    def close(self) -> None:
        """End what is under way."""
        with self._lock:
            self._waiting.clear()
            for work in self._working:
                work.process.kill()
                work.process.wait()
                work.code.close()
            self._working.clear()

    def _go_on(self) -> None:
        """Keep what has been compiled, and let the next ones be."""
        for work in [work for work in self._working if work.process.poll() is not None]:
            self._working.remove(work)
            with work.code:
                work.code.seek(0)
                code = work.code.read()
            # Whoever loads what another process could not compile compiles it again, and says why not.
            if work.process.returncode == 0:
                keep_bytes("kernels", work.parts, code)
            self._done.add((work.parts[0], work.parts[1]))
        while self._waiting and len(self._working) < self._most:
            self._working.append(_begun(*self._waiting.popleft()))


def _begun(unit: Unit, architecture: str) -> _Work:
    # Here and not above: most runs compile nothing.
    import subprocess

    log.info("compiling %s, once for this text, while steps go on", unit.name)
    program = _PROGRAM.format(path=sys.path, module=__name__, architecture=architecture)
    code = TemporaryFile()  # noqa: SIM115 — closed when it has been read
    with TemporaryFile() as text, held():
        text.write(unit.module.encode())
        text.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", program], stdin=text, stdout=code, stderr=subprocess.DEVNULL
        )
    return _Work(parts_of(unit.module, architecture), process, code)


def serve(architecture: str) -> None:
    """Be such a process: the machine code to stdout of the text on stdin; exit code 1 where it is not taken."""
    try:
        code, _ = machine_code(sys.stdin.buffer.read().decode(), architecture)
    except RejectedError:
        sys.exit(1)
    sys.stdout.buffer.write(code)
