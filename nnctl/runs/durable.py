"""Files that are whole or not there, whatever happens to the process or the machine.

The files of a run are its own: none of them is a link, and none is opened through
one. A name beside another file's content (a hard link) is given a file of its own
before anything is written. What the operating system refuses is a RunError.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from nnctl.errors import RunError
from nnctl.process.files import AT_ONCE, NO_LINK, other_kind
from nnctl.runs.disk import Disk

disk = Disk()
"""The disk that all changes go through; a test's double takes its place."""

_BESIDE = re.compile(r"\..+\.(\d+)\.tmp")
"""Names of files that are not whole yet, with the process that writes them."""

_OWN = AT_ONCE | NO_LINK


def read_file(path: Path) -> bytes:
    """The content of a run's file. Raises RunError where it is missing, no file, or cannot be read."""
    with _told(path, "read"):
        descriptor = os.open(path, os.O_RDONLY | _OWN)
        try:
            _require_file(path, descriptor)
            with open(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)


def write_durably(path: Path, content: bytes, *others: tuple[Path, bytes]) -> None:
    """Replace `path` by a file with `content`, atomically and on disk when this returns.

    The content goes to a file beside it, is flushed to the disk and renamed; then
    the folder is flushed, for the rename itself. A process killed at any moment
    leaves the old file or the new one. Raises RunError, and the old file stays.

    others: files in the same folder and their contents, replaced after it in this order. Where the power fails, the
    first of them all may be the new ones.
    """
    for each, its in ((path, content), *others):
        with _told(each, "written"):
            _replace(each, its)
    with _told(path, "written"):
        disk.flush_folder(path.parent)


def _replace(path: Path, content: bytes) -> None:
    """Replace a file by one whose content is on the disk. Its name may not be, until the folder is flushed."""
    unfinished = beside(path)
    try:
        descriptor = _create(unfinished)
        try:
            disk.write(descriptor, content)
            disk.flush(descriptor)
        finally:
            os.close(descriptor)
        disk.rename(unfinished, path)
    except OSError:
        with suppress(OSError):
            disk.remove(unfinished)
        raise


def remove(path: Path) -> bool:
    """Remove a file; False where there is none. Until its folder is flushed it may come back. Raises RunError."""
    with _told(path, "removed"):
        there = os.path.lexists(path)
        if there:
            disk.remove(path)
    return there


def remove_durably(path: Path) -> None:
    """Remove a file, where there is one: it does not come back. Raises RunError."""
    if remove(path):
        with _told(path, "removed"):
            disk.flush_folder(path.parent)


def make_folder(path: Path, *, flushed: bool = True) -> None:
    """Make `path` and what is above it, unless they are there. Raises RunError.

    flushed: else the folder above may be without it where the power fails, until that is flushed.
    """
    missing = list(takewhile(lambda folder: not folder.is_dir(), (path, *path.parents)))
    for folder in reversed(missing):
        try:
            with suppress(FileExistsError):  # another process was faster
                disk.make_folder(folder)
            if flushed:
                disk.flush_folder(folder.parent)
        except OSError as error:
            remedy = _OTHER_FOLDER.get(error.errno or 0)
            words = f"{folder}: cannot make this folder: {error.strerror}" + (f"\n  {remedy}" if remedy else "")
            raise RunError(words) from error
    if missing and not path.is_dir():
        raise RunError(f"{path}: cannot make this folder: there is a file of this name")


def link_durably(path: Path, target: str) -> None:
    """Make `path` a link to a folder beside it, or where there are no links a file that names it. Raises RunError."""
    unfinished = beside(path)
    try:
        disk.link(unfinished, target)
    except (OSError, NotImplementedError):  # Windows without the privilege; FAT
        write_durably(path, f"{target}\n".encode())
        return
    with _told(path, "written"):
        disk.rename(unfinished, path)
        disk.flush_folder(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that are dead have left half-written in `folder`. Raises RunError."""
    with _told(folder, "read"):
        names = os.listdir(folder)
    for name in names:
        found = _BESIDE.fullmatch(name)
        if found is not None and not _lives(int(found[1])):
            with _told(folder / name, "removed"):
                disk.remove(folder / name)


def is_leftover(name: str) -> bool:
    """True for the name of a file that a process had not finished writing."""
    return _BESIDE.fullmatch(name) is not None


class GrowingFile:
    """A file that grows by lines, each of them one write: a killed process leaves whole lines.

    own: of a run, made where it is not there, and never written through a link. Any
    other is opened as it is, be it a link, a pipe or a device. named: one that is made has its name on the disk
    at once; else when its folder is flushed. Raises RunError, and
    BrokenPipeError where a pipe's reader has gone.
    """

    def __init__(self, path: Path, *, own: bool = True, named: bool = True) -> None:
        self.path = path
        self._named = named
        with _told(path, "written"):
            # Open for both, a pipe in the place of a run's file is there at once, to be refused.
            self.descriptor = self._open_own(os.O_RDWR | _OWN) if own else self._open(os.O_WRONLY)
            self.regular = other_kind(self.descriptor) is None

    def _open(self, flags: int) -> int:
        try:
            return disk.open(self.path, os.O_APPEND | flags)
        except FileNotFoundError:
            descriptor = disk.open(self.path, os.O_APPEND | os.O_CREAT | flags)
            if self._named:
                disk.flush_folder(self.path.parent)
            return descriptor

    def _open_own(self, flags: int) -> int:
        descriptor = self._open(flags)
        try:
            _require_file(self.path, descriptor)
            if os.fstat(descriptor).st_nlink == 1:
                return descriptor
            # Its content has another name as well: this name gets a copy.
            write_durably(self.path, read_file(self.path))
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return self._open(flags)

    def in_place(self) -> bool:
        """True where the path still leads to this file."""
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self.descriptor))

    def write(self, text: str) -> None:
        """Add a line, or several."""
        self.append(text.encode())

    def append(self, content: bytes) -> None:
        """Add bytes, whole records of them."""
        with _told(self.path, "written"):
            disk.write(self.descriptor, content)

    def truncate(self, length: int) -> None:
        """Keep the first `length` bytes."""
        with _told(self.path, "written"):
            disk.truncate(self.descriptor, length)

    def flush(self) -> None:
        """Bring it to the disk; a pipe or a device has none."""
        if self.regular:
            with _told(self.path, "written"):
                disk.flush(self.descriptor)

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)


def beside(path: Path) -> Path:
    """The name under which this process writes what will be the file at `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _create(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OWN
    try:
        return disk.open(path, flags)
    except FileExistsError:  # left by a process that is dead and had our number
        disk.remove(path)
        return disk.open(path, flags)


def _require_file(path: Path, descriptor: int) -> None:
    if (kind := other_kind(descriptor)) is not None:
        raise RunError(f"{path}: is {kind}, not a file\n  remove it, or put the file back from a copy")


def _lives(process: int) -> bool:
    """True where another process has this number."""
    if process == os.getpid():
        return False
    if sys.platform == "win32":
        return True  # Asking would end it.
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


_OTHER_FOLDER = {
    errno.EACCES: "its folder and it must be open to you: see ls -l, or choose another folder with --out",
    errno.EPERM: "its folder and it must be open to you: see ls -l, or choose another folder with --out",
    errno.EROFS: "choose a folder that can be written, with --out",
}
_GO_ON = "go on with --resume, with a sweep by the same line"
_REMEDIES = {
    **_OTHER_FOLDER,
    errno.ENOENT: "was its folder moved or deleted?",
    errno.ENOSPC: f"make room and {_GO_ON}: the last checkpoint is whole",
    errno.EDQUOT: f"make room and {_GO_ON}: the last checkpoint is whole",
    errno.EFBIG: f"files may not become so large here (ulimit -f): allow it and {_GO_ON}",
}


@contextmanager
def _told(path: Path, done: str) -> Iterator[None]:
    """A block in which what the operating system refuses is a RunError: `path` cannot be `done`."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            words = f"{path}: is a link, and the files of a run are none\n  put the file itself in its place"
            raise RunError(words) from error
        remedy = _REMEDIES.get(error.errno or 0)
        words = f"{path}: cannot be {done}: {error.strerror}" + (f"\n  {remedy}" if remedy else "")
        raise RunError(words) from error
