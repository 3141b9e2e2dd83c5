"""Downloads from mirrors into the user's cache: several mirrors, the checksum of the unpacked bytes, all or nothing.

A mirror may answer anything, for ever: what it sends is bounded in bytes, and what it takes in seconds.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from nnctl.data.formats.idx import unpacked_md5
from nnctl.errors import DataError
from nnctl.late import dataclass
from nnctl.process.signals import leave

MOST_BYTES = 128 << 20
"""Of one file, as it is sent; the largest of all sets has 10 MB."""
MOST_SECONDS = 600.0
"""For one file from one mirror."""
_TIMEOUT_SECONDS = 30
"""For an answer, and for each part of it."""
_HERE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""Errors of this machine's disk, at which no other mirror helps."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: its name at every mirror, and the MD5 of its bytes with gzip undone.

    Mirrors pack the same bytes differently, so the packed file has no one checksum.
    """

    name: str
    md5: str


def fetch(files: Sequence[RemoteFile], mirrors: Sequence[str], folder: Path, what: str) -> None:
    """Bring the files that `folder` lacks into it; each from the first mirror that gives all of it.

    A file appears under its name only after its checksum was right, so that an
    interrupted download leaves nothing that a later run would trust.
    Raises DataError, naming every mirror and what it answered.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"the folder for {what} cannot be made: {error}") from error
    with _Bar(what) as bar:
        for file in files:
            if not (folder / file.name).exists():
                _remove_leftovers(file, folder)
                _fetch_file(file, mirrors, folder, bar)


def _remove_leftovers(file: RemoteFile, folder: Path) -> None:
    """Remove what downloads of processes that were killed have left; one that is under way is younger."""
    for path in folder.iterdir():
        if path.name.startswith(_partial_prefix(file)) and time.time() - path.stat().st_mtime > MOST_SECONDS:
            path.unlink(missing_ok=True)


def _partial_prefix(file: RemoteFile) -> str:
    return f".{file.name}."


def _fetch_file(file: RemoteFile, mirrors: Sequence[str], folder: Path, bar: _Bar) -> None:
    failures: list[str] = []
    for mirror in mirrors:
        handle, name = tempfile.mkstemp(prefix=_partial_prefix(file), dir=folder)
        os.close(handle)
        partial = Path(name)
        try:
            problem = _try_mirror(mirror + file.name, partial, file, bar)
            if problem is None:
                partial.chmod(0o644)  # mkstemp's 0600 would hide a shared cache from other users
                partial.replace(folder / file.name)
                return
            failures.append(f"  {mirror}{file.name}: {problem}")
        finally:
            partial.unlink(missing_ok=True)
    raise DataError("\n".join([f"{file.name} could not be fetched", *failures]))


def _try_mirror(url: str, target: Path, file: RemoteFile, bar: _Bar) -> str | None:
    """Download to `target` and verify it; None, or what went wrong. Raises OSError where this machine's disk is."""
    import pooch  # type: ignore[import-untyped]

    bar.begin(file.name)
    attempt = _Attempt(bar)
    downloader = pooch.HTTPDownloader(progressbar=attempt, timeout=_TIMEOUT_SECONDS)
    try:
        # A mirror that sends a byte now and then never meets the timeout of its parts, nor does the search for it.
        leave(lambda: downloader(url, str(target), None), MOST_SECONDS)
    # Everything that requests raises is an OSError, but for a malformed address.
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _HERE:
            raise
        return _reason(error)
    finally:
        attempt.over = True
    try:
        md5 = unpacked_md5(target)
    except (OSError, EOFError, zlib.error) as error:
        return f"what came is damaged: {error}"
    if md5 != file.md5:
        return f"wrong content: its MD5 is {md5}, not {file.md5}"
    return None


def _reason(error: BaseException) -> str:
    """The innermost cause: the libraries wrap a refused connection four times."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException) or inner is error:
            break
        error = inner
    return str(error) or type(error).__name__


class _Attempt:
    """One file from one mirror, in the protocol that pooch expects of a progress bar; it raises where to stop."""

    def __init__(self, bar: _Bar) -> None:
        self._bar = bar
        self._count = 0
        self.over = False

    @property
    def total(self) -> float | None:
        """The size of the file in bytes."""
        return self._bar.total

    @total.setter
    def total(self, size: float) -> None:
        self._check(size)
        # A mirror that does not say how long the file is reports 0.
        self._bar.total = size or None

    def update(self, count: int) -> None:
        """`count` more bytes."""
        self._count += count
        self._check(self._count)
        self._bar.advance(count)

    def _check(self, size: float) -> None:
        if self.over:
            raise TimeoutError("given up")
        if size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes")

    def reset(self) -> None:
        """Back to no bytes; pooch calls it before it fills the bar a last time."""
        self._count = 0
        self._bar.advance(None)

    def close(self) -> None:
        """The file is complete; the bar stays for the next."""


class _Bar:
    """A bar on a terminal's stderr, a line a file elsewhere."""

    def __init__(self, what: str) -> None:
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

        from nnctl.screen.console import Bar, Console

        self._what = what
        self._console = Console(sys.stderr)
        self._bars = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._bars.add_task(f"fetching {what}", total=None)

    def __enter__(self) -> _Bar:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def begin(self, name: str) -> None:
        """A new attempt at a file."""
        self._bars.reset(self._task, description=f"fetching {self._what}: {name}")
        if not self._console.is_terminal:
            self._console.say(f"fetching {self._what}: {name}")

    @property
    def total(self) -> float | None:
        """The size of the file in bytes."""
        return self._bars.tasks[0].total

    @total.setter
    def total(self, size: float | None) -> None:
        self._bars.update(self._task, total=size)

    def advance(self, count: int | None) -> None:
        """`count` more bytes; None goes back to none."""
        if count is None:
            self._bars.update(self._task, completed=0)
        else:
            self._bars.update(self._task, advance=count)
