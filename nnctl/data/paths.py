"""Paths that a spec names: resolved, or refused with the name that might have been meant."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from nnctl.data.opening import unreadable
from nnctl.data.words import nearest
from nnctl.errors import DataError
from nnctl.process.files import kind_of

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Ends of the names of files that are read as pictures."""


def resolve(path: str, folder: Path) -> Path:
    """`path` relative to `folder`, with ~ for the home folder. Raises DataError where it cannot be a path."""
    if "\0" in path:
        raise DataError(f"{path!r} is no path: it holds a NUL character")
    try:
        return folder / Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"{path}: the home folder that ~ stands for is not known\n  write the path in full, or set HOME"
        ) from error


def existing_file(path: str, folder: Path) -> Path:
    """The file at `path`. Raises DataError where there is none, or something of another kind."""
    return _existing(path, folder, "file", stat.S_ISREG)


def existing_folder(path: str, folder: Path) -> Path:
    """The folder at `path`. Raises DataError where there is none, or something of another kind."""
    return _existing(path, folder, "folder", stat.S_ISDIR)


def _existing(path: str, folder: Path, kind: str, is_kind: Callable[[int], bool]) -> Path:
    resolved = resolve(path, folder)
    mode = _mode(resolved)
    if mode is None:
        raise DataError(f"there is no {kind} {resolved}{_nearby(resolved)}")
    if not is_kind(mode):
        raise DataError(f"{resolved} is {kind_of(mode)}, and a {kind} is expected")
    return resolved


def existing_file_or_folder(path: str, folder: Path) -> Path:
    """The file or folder at `path`. Raises DataError where there is none, or something of another kind."""
    resolved = resolve(path, folder)
    mode = _mode(resolved)
    return resolved if mode is not None and stat.S_ISDIR(mode) else existing_file(path, folder)


def _mode(path: Path) -> int | None:
    """`st_mode` of what lies there, links followed; None for nothing. Raises DataError where it is not told."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def _nearby(missing: Path) -> str:
    parent = missing.parent
    try:
        near = nearest(missing.name, sorted(os.listdir(parent)))
    except OSError:
        return f"\n  nor a folder {parent}" if not parent.is_dir() else ""
    return f"\n  did you mean {near!r}?" if near else "\n  paths in a spec are relative to the spec's folder"
