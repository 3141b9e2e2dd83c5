"""Compiled things on disk, by key: built once, used again, thrown away where they are damaged.

A folder of the cache holds what a backend builds in it, and a manifest with the hash of
each file. A folder that does not match its manifest, or holds anything else, is thrown
away and built anew; where nothing can be written, the thing is made for this process
alone. What has not been used for longest leaves when the cache is full. Signals do not
wait for what is being built.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnctl import __version__
from nnctl.backends.cache.private import cache_root, doubt_about
from nnctl.backends.cache.pruning import BUILDING, MOST_BYTES, prune, remove, used
from nnctl.process.signals import leave

log = logging.getLogger("nnctl.compile")

_MANIFEST = "manifest.json"
_MOST_MANIFEST_BYTES = 1 << 20
_loaded: dict[str, Any] = {}
"""Things of this process by key."""


@dataclass(frozen=True)
class Recipe:
    """The three ways in which a backend makes a thing.

    build: in an empty folder, from which `load` makes it again, in another process too.
    without_folder: where there is none to write to.
    """

    build: Callable[[Path], Any]
    load: Callable[[Path], Any]
    without_folder: Callable[[], Any]


def key_of(parts: Iterable[str | bytes]) -> str:
    """The key of what is made from these parts by this version of the project.

    A backend names all that the thing depends on: its text, the sources of what it calls,
    versions of compilers, the processor.
    """
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(f"\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:32]


def made(key: str, recipe: Recipe, what: str) -> Any:
    """The thing of a key: of this process, from the cache, or built now.

    what: says on the log what is compiled.
    """
    if key not in _loaded:
        _loaded[key] = _load_or_build(key, recipe, what)
    return _loaded[key]


def _load_or_build(key: str, recipe: Recipe, what: str) -> Any:
    root = cache_root()
    if root is not None and _intact(root / key):
        used(root / key)
        try:
            return recipe.load(root / key)
        except OSError:
            log.debug("%s was removed while it was read", root / key)
    log.info("compiling %s, once for this structure", what)
    if root is None:
        return leave(recipe.without_folder)
    building: Path | None = None
    try:
        building = Path(tempfile.mkdtemp(prefix=f"{BUILDING}{key[:8]}-", dir=root))
        built = _built(recipe, building)
    except OSError as error:
        log.info("%s cannot be written (%s): compiled code is kept for this run only", root, error.strerror)
        return leave(recipe.without_folder)
    _publish(building, root / key)
    prune(root, keep=root / key)
    return built


def _built(recipe: Recipe, building: Path) -> Any:
    """The thing, built in a folder that does not outlive a failure or a signal."""
    try:
        return leave(lambda: recipe.build(building))
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def kept_bytes(name: str, parts: Iterable[str | bytes], make: Callable[[], bytes]) -> bytes:
    """Bytes made from these parts: from the cache, or made and put there."""
    root = cache_root()
    if root is None:
        return bytes(leave(make))
    path = root / f"{name}-{key_of(parts)}"
    try:
        stored = _read(path, MOST_BYTES)
    except FileNotFoundError:
        stored = b""  # made below
    except (OSError, ValueError):
        stored = b""
        remove(path)
    if hashlib.sha256(stored[32:]).digest() == stored[:32]:
        used(path)
        return stored[32:]
    contents: bytes = leave(make)
    try:
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            beside.write_bytes(hashlib.sha256(contents).digest() + contents)
            beside.replace(path)
            prune(root, keep=path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError:
        log.debug("%s cannot be written", path)
    return contents


def _intact(folder: Path) -> bool:
    """True for a folder that is there, this user's alone, and as it was written."""
    if not os.path.lexists(folder):
        return False
    try:
        manifest = json.loads(_read(folder / _MANIFEST, _MOST_MANIFEST_BYTES))
        intact = doubt_about(folder) is None and bool(manifest == _hashes(folder))
    except (OSError, ValueError, RecursionError):
        intact = False
    if not intact:
        log.info("the compiled code in %s is damaged, and made anew", folder)
        remove(folder)
    return intact


def _hashes(folder: Path) -> dict[str, str]:
    """The hash of each file but the manifest. Raises ValueError for what is no file, and where all are too large."""
    files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    total = 0
    for file in files:
        status = file.lstat()
        total += status.st_size
        if not stat.S_ISREG(status.st_mode) or total > MOST_BYTES:
            raise ValueError(f"{file} is nothing that was put there")
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(files)
        if file != folder / _MANIFEST
    }


def _read(path: Path, most: int) -> bytes:
    """The bytes of a file. Raises ValueError for what is no file of at most so many bytes: a pipe would never end."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > most:
        raise ValueError(f"{path} is nothing that was put there")
    return path.read_bytes()


def _publish(building: Path, folder: Path) -> None:
    """Rename the finished folder into the cache, unless another process was faster."""
    try:
        (building / _MANIFEST).write_text(json.dumps(_hashes(building)), encoding="utf-8")
        building.rename(folder)
    except OSError:
        shutil.rmtree(building, ignore_errors=True)
