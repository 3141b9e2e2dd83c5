"""Compiled things on disk, by key: built once, used again, thrown away where they are damaged.

A folder of the cache holds what a backend builds in it, and a manifest with the hash of
each file. A folder that does not match its manifest is thrown away and built anew; where
nothing can be written, the thing is made for this process alone. What has not been used
for longest leaves when the cache is full.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnctl import __version__
from nnctl.backends.cache.pruning import BUILDING, prune, used

log = logging.getLogger("nnctl.compile")

_MANIFEST = "manifest.json"
_FOLDER_VARIABLE = "NNCTL_CACHE"
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
    folder = root / key
    if _intact(folder):
        used(folder)
        try:
            return recipe.load(folder)
        except OSError:
            log.debug("%s was removed while it was read", folder)
    log.info("compiling %s, once for this structure", what)
    building: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f"{BUILDING}{key[:8]}-", dir=root))
        built = recipe.build(building)
    except OSError as error:
        log.info("%s cannot be written (%s): compiled code is kept for this run only", root, error.strerror)
        if building is not None:
            shutil.rmtree(building, ignore_errors=True)
        return recipe.without_folder()
    _publish(building, folder)
    prune(root, keep=folder)
    return built


def kept_bytes(name: str, parts: Iterable[str | bytes], make: Callable[[], bytes]) -> bytes:
    """Bytes made from these parts: from the cache, or made and put there."""
    path = cache_root() / f"{name}-{key_of(parts)}"
    try:
        stored = path.read_bytes()
        if hashlib.sha256(stored[32:]).digest() == stored[:32]:
            used(path)
            return stored[32:]
    except OSError:
        pass  # not there yet, or not readable: made below
    contents = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            beside.write_bytes(hashlib.sha256(contents).digest() + contents)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError:
        log.debug("%s cannot be written", path)
    return contents


def cache_root() -> Path:
    """The folder that keeps compiled code: in $NNCTL_CACHE, else in the user's cache folder."""
    given = os.environ.get(_FOLDER_VARIABLE)
    if given:
        return Path(given) / "compiled"
    import platformdirs

    return Path(platformdirs.user_cache_dir("nnctl", appauthor=False)) / "compiled"


def _intact(folder: Path) -> bool:
    """True for a folder that is there and as it was written."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        intact = bool(manifest == _hashes(folder))
    except (OSError, ValueError):
        intact = False
    if not intact and folder.exists():
        log.info("the compiled code in %s is damaged, and made anew", folder)
        shutil.rmtree(folder, ignore_errors=True)
    return intact


def _hashes(folder: Path) -> dict[str, str]:
    """Of each file, but the manifest and Python's own caches, which it writes when it likes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != _MANIFEST and p.suffix != ".pyc")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _publish(building: Path, folder: Path) -> None:
    """Rename the finished folder into the cache, unless another process was faster."""
    try:
        (building / _MANIFEST).write_text(json.dumps(_hashes(building)), encoding="utf-8")
        building.rename(folder)
    except OSError:
        shutil.rmtree(building, ignore_errors=True)
