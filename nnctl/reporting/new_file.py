"""A file that an option asks for: whole under its name or not there, and never in place of another unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nnctl.errors import UsageError
from nnctl.runs.durable import beside


@contextmanager
def new_file(path: Path, option: str, *, force: bool) -> Iterator[IO[bytes]]:
    """The file at `path` to write, which has its name once all is written; nothing is left where that fails.

    A pipe or a device is written to as it is. option: in messages, "--out".
    Raises UsageError where something is there already and not to be overwritten (`force`), or it cannot be written.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as file:
                yield file
            return
        require_new(path, option, force=force)
        unfinished = beside(path)
        try:
            with unfinished.open("xb") as file:
                yield file
            if not force:
                # Somebody may have made one in the meantime.
                require_new(path, option, force=False)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be written: {error.strerror}") from error


def require_new(path: Path, option: str, *, force: bool) -> None:
    """Raise UsageError where `path` cannot become a new file, or an old one may not be replaced."""
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder, and a file is expected")
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {path.parent}")
    if not force and os.path.lexists(path):
        raise UsageError(f"{option} {path}: is there already; nothing is overwritten\n  --force overwrites it")
