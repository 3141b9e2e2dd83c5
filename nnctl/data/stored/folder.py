"""The folder of data that are kept in the form in which they are read: made once for a file, and removable.

Each entry is a folder named by the digest of what it was made from. An entry appears whole or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from nnctl import __version__
from nnctl.errors import StorageError
from nnctl.late import dataclass
from nnctl.process import memory

_ABOUT = "entry.json"
_PART = "part-"
_KEPT = 2
"""Entries that are kept of one file in one role; the oldest leave."""


@dataclass(frozen=True)
class Entry:
    """An entry: its folder, the file or folder that it was made from, what it holds, and its size in bytes."""

    folder: Path
    source: str
    what: str
    size: int


def cache_root() -> Path:
    """The folder of all entries: in $NNCTL_CACHE, else in the user's cache folder."""
    from platformdirs import user_cache_path

    given = os.environ.get("NNCTL_CACHE")
    return (Path(given) if given else user_cache_path("nnctl", appauthor=False)) / "data"


def on_disk(in_memory: bool | None, size: int) -> bool:
    """True where data that take so many bytes are read from disk in windows: as is said, or by the memory left."""
    return 2 * size > memory.available() if in_memory is None else not in_memory


def digest_of(files: Iterable[Path], said: Mapping[str, Any]) -> str:
    """The digest of files by place, size and time of change, of what was said of them, and of the reader's version."""
    found = [(os.path.realpath(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files]
    text = json.dumps([found, said, __version__], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def entry(digest: str, source: str, what: str, make: Callable[[Path], None]) -> Path:
    """The folder of an entry, made by `make(folder)` where it is not there. Raises StorageError if it cannot be kept.

    source, what: the file's path and the entry's role, for people, and to know older ones of the same, which leave.
    """
    root = cache_root()
    folder = root / digest[:40]
    if (folder / _ABOUT).is_file():
        os.utime(folder / _ABOUT)
        return folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root)
        part = Path(tempfile.mkdtemp(prefix=f"{_PART}{os.getpid()}-", dir=root))
    except OSError as error:
        raise _unkept(root, error) from error
    try:
        make(part)
        (part / _ABOUT).write_text(json.dumps({"source": os.path.abspath(source), "what": what}), encoding="utf-8")
        try:
            part.rename(folder)
        except OSError as error:
            # Another process was faster, and made the same.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    except OSError as error:
        raise _unkept(root, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    same = [each for each in entries() if (each.source, each.what) == (os.path.abspath(source), what)]
    for old in sorted(same, key=lambda each: -(each.folder / _ABOUT).stat().st_mtime_ns)[_KEPT:]:
        remove(old)
    return folder


def entries() -> list[Entry]:
    """Every entry, by source."""
    found = []
    for about in cache_root().glob(f"*/{_ABOUT}"):
        if not about.parent.name.startswith(_PART):
            said = json.loads(about.read_text(encoding="utf-8"))
            size = sum(path.stat().st_size for path in about.parent.iterdir())
            found.append(Entry(about.parent, said["source"], said["what"], size))
    return sorted(found, key=lambda each: (each.source, each.what))


def remove(old: Entry) -> None:
    """Remove an entry; who reads it goes on. Raises OSError."""
    # Without this file it is no entry any longer, whatever happens next.
    (old.folder / _ABOUT).unlink()
    shutil.rmtree(old.folder)


def _remove_leftovers(root: Path) -> None:
    """Remove what processes that are gone have begun."""
    for part in root.glob(f"{_PART}*"):
        number = part.name.removeprefix(_PART).partition("-")[0]
        if number.isdigit() and not _is_alive(int(number)):
            shutil.rmtree(part, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _unkept(root: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{root}: data larger than memory are kept there while they are used, and it cannot be written: "
        f"{error.strerror or error}\n  set NNCTL_CACHE to a folder with room"
    )
