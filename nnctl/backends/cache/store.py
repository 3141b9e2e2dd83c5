"""Generated code on disk: compiled once for a structure, a processor and a set of versions.

A folder holds `step.py`, what Numba made of it, and a manifest with the hash of
each file. A folder that does not match its manifest is thrown away and made
anew; where nothing can be written, the function is compiled for this process alone.
What has not been used for longest leaves when the cache is full.
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
import types as types_module
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nnctl import __version__
from nnctl.backends.cache.pruning import BUILDING, prune, used
from nnctl.backends.machine import instruction_sets, processor

log = logging.getLogger("nnctl.compile")

_MANIFEST = "manifest.json"
_FOLDER_VARIABLE = "NNCTL_CACHE"
_loaded: dict[str, Any] = {}
"""Functions of this process by key."""


def compiled(text: str, types: tuple[Any, ...], what: str) -> Any:
    """The function `run` of a source text, compiled for arguments of Numba's `types` now or earlier.

    what: says on the log what is compiled.
    """
    key = _key(text, types)
    if key not in _loaded:
        _loaded[key] = _compile_or_load(text, key, what, types)
    return _loaded[key]


def _compile_or_load(text: str, key: str, what: str, types: tuple[Any, ...]) -> Any:
    root = cache_root()
    folder = root / key
    if _intact(folder):
        used(folder)
        try:
            return _compiled(_imported(folder / "step.py", key), types, cache=True)
        except OSError:
            log.debug("%s was removed while it was read", folder)
    log.info("compiling %s, once for this structure", what)
    building: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f"{BUILDING}{key[:8]}-", dir=root))
        (building / "step.py").write_text(text, encoding="utf-8")
        function = _compiled(_imported(building / "step.py", key), types, cache=True)
    except OSError as error:
        log.info("%s cannot be written (%s): compiled code is kept for this run only", root, error.strerror)
        if building is not None:
            shutil.rmtree(building, ignore_errors=True)
        return _compiled(_module(text, key), types, cache=False)
    _publish(building, folder)
    prune(root, keep=folder)
    return function


def kept_bytes(name: str, source: str, make: Callable[[], bytes]) -> bytes:
    """Bytes made from a source for this processor: from the cache, or made and put there."""
    digest = hashlib.sha256("\0".join([source, __version__, *_machine()]).encode()).hexdigest()[:32]
    path = cache_root() / f"{name}-{digest}"
    try:
        stored = path.read_bytes()
        if hashlib.sha256(stored[32:]).digest() == stored[:32]:
            used(path)
            return stored[32:]
    except OSError:
        pass  # not there yet, or not readable: made below
    made = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            beside.write_bytes(hashlib.sha256(made).digest() + made)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
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


def _key(text: str, types: tuple[Any, ...]) -> str:
    import numba
    import numpy
    import scipy

    own = [p.read_bytes() for p in sorted((Path(__file__).parents[1] / "cpu").rglob("*.py"))]
    versions = [sys.version, __version__, numba.__version__, numpy.__version__, scipy.__version__]
    digest = hashlib.sha256("\0".join([text, *map(str, types), *versions, *_machine()]).encode())
    for part in own:
        digest.update(part)
    return digest.hexdigest()[:32]


def _imported(path: Path, key: str) -> Any:
    """The generated module in a file, which is where Numba keeps what it compiles."""
    spec = importlib.util.spec_from_file_location(_module_name(key), path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Numba finds the functions that compiled code calls by the name of their module.
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


def _module(text: str, key: str) -> Any:
    """The generated module without a file."""
    module = types_module.ModuleType(_module_name(key))
    sys.modules[module.__name__] = module
    exec(compile(text, f"<{module.__name__}>", "exec"), module.__dict__)
    return module


def _module_name(key: str) -> str:
    return f"nnctl_compiled_{key}"


def _compiled(module: Any, types: tuple[Any, ...], *, cache: bool) -> Any:
    """The module's `run`, compiled, or loaded from beside its file where `cache` finds it there."""
    from numba import njit

    function = njit(cache=cache, nogil=True, fastmath={"contract"}, error_model="numpy")(module.run)
    function.compile(types)
    return function


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


def _publish(building: Path, folder: Path) -> None:
    """Rename the finished folder into the cache, unless another process was faster."""
    try:
        (building / _MANIFEST).write_text(json.dumps(_hashes(building)), encoding="utf-8")
        building.rename(folder)
    except OSError:
        shutil.rmtree(building, ignore_errors=True)
