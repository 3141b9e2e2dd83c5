"""A disk that fails: a double of `nnctl.runs.disk.Disk`, as SQLite's test suite has one.

All writes of runs and sweeps go through `nnctl.runs.durable.disk`. Put a double in its
place, count the operations of a whole run, then let one fail after the other:

    whole = FaultyDisk()                      # fails never, counts
    with whole.installed(): train("whole")
    for point in range(whole.operations):
        disk = FaultyDisk(dies_at=point, losing=LOSSES[...])
        with disk.installed(), pytest.raises(Killed): train("run")
        disk.lose()                           # what power that fails takes with it
        with FaultyDisk().installed(): train("run", resume=True)
        assert contents("run") == contents("whole")

`dies_at` raises `Killed`, a BaseException, in place of that operation (a write is done by
half before), and of every one after it, so that no clean-up of the dead process reaches
the disk. `refuses` raises an OSError there instead (a full disk), and goes on: the program
is alive, must say it in a sentence, and may go on.

`lose` then takes back what was never flushed, by `losing`: "contents" of files without a
flush after their last change (the bytes before it come back), "names" without a flush of
their folder (what was made vanishes, what was renamed or removed has its old name), both,
or neither, as when a process alone is killed. File systems differ in what they keep, and
whoever resumes must live with each. Real disks are slow to flush, so this one only notes it.

In a worker process of a sweep, install it there: operations are counted by object, and
`Killed` leaves `nnctl.sweep.executors.worker.work` as a crash does.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from nnctl.runs import durable
from nnctl.runs.disk import Disk

Loss = Literal["nothing", "contents", "names", "both"]
LOSSES: tuple[Loss, ...] = ("nothing", "contents", "names", "both")


class Killed(BaseException):
    """The process is dead. Nothing catches it, as nothing catches SIGKILL."""


class FaultyDisk(Disk):
    """The real disk until operation `dies_at`, or `refuses[0]`, counted from 0; see the module."""

    def __init__(
        self, *, dies_at: int | None = None, refuses: tuple[int, OSError] | None = None, losing: Loss = "nothing"
    ) -> None:
        self.dies_at, self.refuses, self.losing = dies_at, refuses, losing
        self.operations = 0
        self.log: list[str] = []
        self._names: list[tuple[Path, Callable[[], None]]] = []
        """(folder, how to undo) of each name changed since the folder was flushed, in order."""
        self._contents: dict[tuple[int, int], tuple[int, bytes]] = {}
        """By file: (a descriptor of it, its content when last flushed)."""
        self._paths: dict[int, Path] = {}

    @contextmanager
    def installed(self) -> Iterator[FaultyDisk]:
        """Everything that is written in the block goes through this disk."""
        before, durable.disk = durable.disk, self
        try:
            yield self
        finally:
            durable.disk = before

    def lose(self) -> None:
        """Take back what was not flushed, as `losing` says; the disk is not used any more."""
        for descriptor, content in self._contents.values():
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content, 0)
            os.close(descriptor)
        if self.losing in ("names", "both"):
            for _, undo in reversed(self._names):
                undo()

    def _step(self, what: str, half: Callable[[], Any] = lambda: None) -> None:
        number, self.operations = self.operations, self.operations + 1
        self.log.append(what)
        if self.dies_at is not None and number >= self.dies_at:
            if number == self.dies_at:
                half()
            raise Killed
        if self.refuses is not None and number == self.refuses[0]:
            half()
            raise self.refuses[1]

    def _keep_content(self, descriptor: int) -> None:
        if self.losing not in ("contents", "both"):
            return
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) not in self._contents:
            again = os.open(self._paths[descriptor], os.O_RDWR)
            self._contents[status.st_dev, status.st_ino] = again, os.pread(again, status.st_size, 0)

    def _keep_name(self, path: Path) -> Callable[[], None]:
        """How to give `path` the file or link that it has now; nothing, where it has none."""
        if not os.path.lexists(path):
            return lambda: _vanish(path)
        if path.is_symlink():
            target = os.readlink(path)

            def restore_link() -> None:
                _vanish(path)
                path.symlink_to(target)

            return restore_link
        content = path.read_bytes()

        def restore() -> None:
            _vanish(path)
            path.write_bytes(content)

        return restore

    def make_folder(self, path: Path) -> None:
        self._step(f"make_folder {path}")
        super().make_folder(path)
        self._names.append((path.parent, lambda: _vanish(path)))

    def open(self, path: Path, flags: int) -> int:
        new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
        if new:
            self._step(f"open {path}")
        descriptor = super().open(path, flags)
        self._paths[descriptor] = path
        if new:
            self._names.append((path.parent, lambda: _vanish(path)))
        return descriptor

    def write(self, descriptor: int, content: bytes) -> None:
        self._keep_content(descriptor)
        self._step(f"write {len(content)} bytes", lambda: os.write(descriptor, content[: len(content) // 2]))
        super().write(descriptor, content)

    def truncate(self, descriptor: int, length: int) -> None:
        self._keep_content(descriptor)
        self._step(f"truncate to {length}")
        super().truncate(descriptor, length)

    def flush(self, descriptor: int) -> None:
        self._step("flush")
        status = os.fstat(descriptor)
        kept = self._contents.pop((status.st_dev, status.st_ino), None)
        if kept is not None:
            os.close(kept[0])

    def rename(self, path: Path, new: Path) -> None:
        self._step(f"rename {path} {new}")
        restore = self._keep_name(new)

        def undo() -> None:
            with suppress(FileNotFoundError):
                new.rename(path)
            restore()

        super().rename(path, new)
        self._names.append((path.parent, undo))

    def link(self, path: Path, target: str) -> None:
        self._step(f"link {path}")
        super().link(path, target)
        self._names.append((path.parent, lambda: _vanish(path)))

    def remove(self, path: Path) -> None:
        self._step(f"remove {path}")
        restore = self._keep_name(path)
        super().remove(path)
        self._names.append((path.parent, restore))

    def flush_folder(self, path: Path) -> None:
        self._step(f"flush_folder {path}")
        self._names = [(folder, undo) for folder, undo in self._names if folder != path]


def _vanish(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
