"""Whole commands, as a user waits for them: processes of their own, start-up included."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[1]
"""This checkout."""


@dataclass(frozen=True)
class Spent:
    """Seconds of the clock and of the processor, and the greatest resident memory in MB.

    The processor's are of the command and of all that it has started and waited for.
    """

    clock: float
    processor: float
    memory: int


def run(
    line: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] = MappingProxyType({}),
    output: Path | None = None,
) -> Spent:
    """Run a command in a folder. output: the file that has its stdout; none if absent.

    environment: variables added to this process's; bytecode is kept, as where programs are installed. Raises
    RuntimeError where it fails, with the end of its stderr.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    said = folder / "stderr.txt"
    with said.open("wb") as errors, (output or Path(os.devnull)).open("wb") as file:
        begun = time.perf_counter()
        process = subprocess.Popen(
            line, cwd=folder, env=inherited | dict(environment), stdin=subprocess.DEVNULL, stdout=file, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        clock = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        end = said.read_text(encoding="utf-8", errors="replace")[-2_000:]
        raise RuntimeError(f"{' '.join(line)} ended with {process.returncode}\n{end}")
    return Spent(clock, usage.ru_utime + usage.ru_stime, round(usage.ru_maxrss / 1024))


def nnctl(
    folder: Path,
    *arguments: str,
    checkout: Path = ROOT,
    environment: Mapping[str, str] = MappingProxyType({}),
    output: Path | None = None,
) -> Spent:
    """Run a command of nnctl, of this checkout or another one."""
    paths = os.pathsep.join(filter(None, (str(checkout), os.environ.get("PYTHONPATH"))))
    line = [sys.executable, "-m", "nnctl", *arguments]
    return run(line, folder, {**environment, "PYTHONPATH": paths}, output)


def unused(folder: Path, name: str) -> Path:
    """A path in a folder that nothing has had before, which begins with a name.

    For what a command is to make while it is timed, each round: a file system without a journal (ext4 of small virtual
    machines) passes over all that was removed within the last minutes before it makes a file in its place.
    """
    return next(path for path in (folder / f"{name}-{n}" for n in count()) if not path.exists())
