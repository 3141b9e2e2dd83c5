"""Files that are whole or not there, whatever happens to the process or the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Replace `path` by a file with `content`, atomically and on disk when this returns.

    The content goes to a file beside it, is flushed to the disk and renamed; then
    the folder is flushed, for the rename itself. A process killed at any moment
    leaves the old file or the new one.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    if sys.platform == "win32":
        return  # Windows cannot open a folder as a file; NTFS journals names itself.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
