"""Waiting for what other processes do: they say so in a pipe, and nobody has to look again and again."""

from __future__ import annotations

import os
import select
from pathlib import Path

_HEARING = """
import contextlib, os, sys
import compiler_refusal

compiler_refusal.install()

def hear(event, arguments):
    # It is heard before it is done: the copy beside the checkpoint comes when that is there.
    if event == "os.rename" and str(arguments[1]).endswith("last.json"):
        # Nobody listens any more where a test is at its end.
        with contextlib.suppress(OSError):
            pipe = os.open(os.environ["NNCTL_TEST_WITNESS"], os.O_WRONLY | os.O_NONBLOCK)
            os.write(pipe, f"{arguments[1]}\\n".encode())
            os.close(pipe)

sys.addaudithook(hear)
"""


class Witness:
    """Hears of which trials the processes with its `environment`, and their children, have saved a checkpoint."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        # Python imports a module of this name as it starts, in place of the one in tests/compiler_guard.
        (folder / "sitecustomize.py").write_text(_HEARING)
        os.mkfifo(folder / "pipe")
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        self.environment = {**os.environ, "PYTHONPATH": path, "NNCTL_TEST_WITNESS": str(folder / "pipe")}
        # Open for writing as well, or the pipe would end with the first who says something.
        self._pipe = os.open(folder / "pipe", os.O_RDWR)
        self._heard = b""

    def wait_for(self, *trials: str, seconds: float = 60.0) -> None:
        """Return once each of the trials is saved, so that it is being trained."""
        while not set(trials) <= self._trials():
            ready, _, _ = select.select([self._pipe], [], [], seconds)
            assert ready, f"only {self._trials()} were saved within {seconds:g} s"
            self._heard += os.read(self._pipe, 4096)

    def close(self) -> None:
        """Hear no more."""
        os.close(self._pipe)

    def _trials(self) -> set[str]:
        whole = self._heard.decode().rpartition("\n")[0]
        return {Path(line).parents[1].name for line in whole.splitlines()}
