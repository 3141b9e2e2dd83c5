"""Paths that a spec names: resolved, or refused with the name that might have been meant."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from nnctl.errors import DataError


def resolve(path: str, folder: Path) -> Path:
    """`path` relative to `folder`, with ~ for the home folder."""
    return folder / Path(path).expanduser()


def existing_file(path: str, folder: Path) -> Path:
    """The file at `path`. Raises DataError where there is none."""
    resolved = resolve(path, folder)
    if resolved.is_dir():
        raise DataError(f"{resolved} is a folder, and a file is expected")
    if not resolved.is_file():
        raise DataError(f"there is no file {resolved}{_nearby(resolved)}")
    return resolved


def existing_folder(path: str, folder: Path) -> Path:
    """The folder at `path`. Raises DataError where there is none."""
    resolved = resolve(path, folder)
    if resolved.is_file():
        raise DataError(f"{resolved} is a file, and a folder is expected")
    if not resolved.is_dir():
        raise DataError(f"there is no folder {resolved}{_nearby(resolved)}")
    return resolved


def _nearby(missing: Path) -> str:
    parent = missing.parent
    if not parent.is_dir():
        return f"\n  nor a folder {parent}"
    close = get_close_matches(missing.name, sorted(p.name for p in parent.iterdir()), 1)
    return f"\n  did you mean {close[0]!r}?" if close else "\n  paths in a spec are relative to the spec's folder"
