"""Downloads from mirrors into the user's cache: several mirrors, the checksum of the unpacked bytes, all or nothing."""

from __future__ import annotations

import os
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnctl.data.formats.idx import unpacked_md5
from nnctl.errors import DataError

_TIMEOUT_SECONDS = 30


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
    with _DownloadProgress(what) as progress:
        for file in files:
            if not (folder / file.name).exists():
                _fetch_file(file, mirrors, folder, progress)


def _fetch_file(file: RemoteFile, mirrors: Sequence[str], folder: Path, progress: _DownloadProgress) -> None:
    failures: list[str] = []
    for mirror in mirrors:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=folder)
        os.close(handle)
        partial = Path(name)
        try:
            problem = _try_mirror(mirror + file.name, partial, file, progress)
            if problem is None:
                partial.chmod(0o644)  # mkstemp's 0600 would hide a shared cache from other users
                partial.replace(folder / file.name)
                return
            failures.append(f"  {mirror}{file.name}: {problem}")
        finally:
            partial.unlink(missing_ok=True)
    raise DataError("\n".join([f"{file.name} could not be fetched", *failures]))


def _try_mirror(url: str, target: Path, file: RemoteFile, progress: _DownloadProgress) -> str | None:
    """Download to `target` and verify it; None, or what went wrong."""
    import pooch  # type: ignore[import-untyped]

    progress.begin(file.name)
    downloader = pooch.HTTPDownloader(progressbar=progress, timeout=_TIMEOUT_SECONDS)
    try:
        downloader(url, str(target), None)
    # Everything that requests raises is an OSError, but for a malformed address.
    except (OSError, ValueError) as error:
        return _reason(error)
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


class _DownloadProgress:
    """A bar on a terminal's stderr, a line a file elsewhere; it speaks the protocol that pooch expects of one."""

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

    def __enter__(self) -> _DownloadProgress:
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
    def total(self, size: float) -> None:
        # A mirror that does not say how long the file is reports 0.
        self._bars.update(self._task, total=size or None)

    def update(self, count: int) -> None:
        """`count` more bytes."""
        self._bars.update(self._task, advance=count)

    def reset(self) -> None:
        """Back to no bytes; pooch calls it before it fills the bar a last time."""
        self._bars.update(self._task, completed=0)

    def close(self) -> None:
        """The file is complete; the bar stays for the next."""
