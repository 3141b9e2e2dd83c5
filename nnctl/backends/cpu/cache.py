"""Generated code on disk: compiled once for a structure, a processor and a set of versions.

A folder holds `step.py`, what Numba made of it, and a manifest with the hash of
each file. A folder that does not match its manifest is thrown away and made
anew; where nothing can be written, a temporary folder serves for this process.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nnctl import __version__
from nnctl.backends.cpu.machine import instruction_sets, processor

log = logging.getLogger("nnctl.compile")

_MANIFEST = "manifest.json"
_FOLDER_VARIABLE = "NNCTL_CACHE"
_loaded: dict[str, Any] = {}
"""Functions of this process by key."""


def compiled(text: str, prepare: Callable[[Any], None], what: str) -> Any:
    """The function `run` of a source text, from the cache or compiled and put there.

    prepare: compiles the function, or loads it, for the arguments it will have.
    what: says on the log what is compiled.
    """
    key = _key(text)
    if key not in _loaded:
        _loaded[key] = _compile_or_load(text, key, what, prepare)
    return _loaded[key]


def _compile_or_load(text: str, key: str, what: str, prepare: Callable[[Any], None]) -> Any:
    root = cache_root()
    folder = root / key
    if _intact(folder):
        function = _imported(folder / "step.py", key)
        prepare(function)
        return function
    log.info("compiling %s, once for this structure", what)
    building = _building_folder(root, key)
    (building / "step.py").write_text(text, encoding="utf-8")
    function = _imported(building / "step.py", key)
    prepare(function)
    _publish(building, folder)
    return function


def kept_bytes(name: str, source: str, make: Callable[[], bytes]) -> bytes:
    """Bytes made from a source for this processor: from the cache, or made and put there."""
    digest = hashlib.sha256("\0".join([source, __version__, *_machine()]).encode()).hexdigest()[:32]
    path = cache_root() / f"{name}-{digest}"
    try:
        stored = path.read_bytes()
        if hashlib.sha256(stored[32:]).digest() == stored[:32]:
            return stored[32:]
    except OSError:
        pass  # not there yet, or not readable: made below
    made = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(made).digest() + made)
        Path(file.name).replace(path)
    except OSError:
        log.debug("%s cannot be written", path)
    return made


def _machine() -> list[str]:
    import llvmlite

    return [llvmlite.__version__, processor(), *instruction_sets()]


def cache_root() -> Path:
    """Where compiled code is kept: $NNCTL_CACHE, else the user's cache folder."""
    given = os.environ.get(_FOLDER_VARIABLE)
    if given:
        return Path(given) / "compiled"
    import platformdirs

    return Path(platformdirs.user_cache_dir("nnctl", appauthor=False)) / "compiled"


def _key(text: str) -> str:
    import numba
    import numpy
    import scipy

    own = [p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py"))]
    versions = [sys.version, __version__, numba.__version__, numpy.__version__, scipy.__version__]
    digest = hashlib.sha256("\0".join([text, *versions, *_machine()]).encode())
    for part in own:
        digest.update(part)
    return digest.hexdigest()[:32]


def _imported(path: Path, key: str) -> Any:
    """The compiled-on-demand function `run` of a generated module."""
    from numba import njit

    name = f"nnctl_compiled_{key}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Numba finds the functions that compiled code calls by the name of their module.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")(module.run)


def _intact(folder: Path) -> bool:
    """Whether a folder is there and as it was written."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        whole = bool(manifest == _hashes(folder))
    except (OSError, ValueError):
        whole = False
    if not whole and folder.exists():
        log.info("the compiled code in %s is damaged, and made anew", folder)
        shutil.rmtree(folder, ignore_errors=True)
    return whole


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".nbi", ".nbc"))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _building_folder(root: Path, key: str) -> Path:
    """A folder of this process alone, beside the cache so that it can be renamed into it."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"building-{key[:8]}-", dir=root))
    except OSError:
        log.info("%s cannot be written: compiled code is kept for this run only", root)
        import atexit

        folder = Path(tempfile.mkdtemp(prefix="nnctl-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder


def _publish(building: Path, folder: Path) -> None:
    """Rename the finished folder into the cache, unless another process was faster."""
    if building.parent != folder.parent:
        return
    try:
        (building / _MANIFEST).write_text(json.dumps(_hashes(building)), encoding="utf-8")
        building.rename(folder)
    except OSError:
        shutil.rmtree(building, ignore_errors=True)
