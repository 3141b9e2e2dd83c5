"""Generated steps, compiled by Numba: once for a text, types of arguments, versions and a processor.

A folder of the cache holds `step.py` and what Numba made of it beside the file. Python's own byte code of it
is neither read nor written, for no manifest lists it.
"""

from __future__ import annotations

import errno
import os
import sys
import types as types_module
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy
import scipy

from nnctl.backends.cache.store import Recipe, key_of, made
from nnctl.backends.machine import instruction_sets, processor

_SOURCES = ("cpu", "codegen")
"""Packages beside this one's parent whose functions end up in compiled code."""
_FILE = "step.py"


def compiled_step(text: str, types: tuple[Any, ...], what: str) -> Any:
    """The function `run` of a source text, compiled for arguments of Numba's `types` now or earlier.

    what: says on the log what is compiled.
    """
    key = key_of([text, *map(str, types), *_versions(), *target(), *_sources()])
    module = f"nnctl_compiled_{key}"

    def build(folder: Path) -> Any:
        (folder / _FILE).write_text(text, encoding="utf-8")
        return load(folder)

    def load(folder: Path) -> Any:
        if not os.access(folder, os.W_OK):
            # Numba would look elsewhere, or not at all.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        # Numba keeps what it compiles beside the file that the code says it is from.
        return _compiled(_module(text, module, str(folder / _FILE)), types, cache=True)

    def without_folder() -> Any:
        return _compiled(_module(text, module, f"<{module}>"), types, cache=False)

    return made(key, Recipe(build, load, without_folder), what)


def target() -> list[str]:
    """The part of a key that LLVM's code for this processor depends on."""
    return [llvmlite.__version__, processor(), *instruction_sets()]


def _versions() -> list[str]:
    return [sys.version, numba.__version__, numpy.__version__, scipy.__version__]


def _sources() -> list[bytes]:
    """The sources of everything that writes generated code or is called by it."""
    backends = Path(__file__).parents[1]
    return [path.read_bytes() for name in _SOURCES for path in sorted((backends / name).rglob("*.py"))]


def _module(text: str, name: str, source: str) -> Any:
    """The generated module. source: the file, or what stands in its place."""
    module = types_module.ModuleType(name)
    # Numba finds the functions that compiled code calls by the name of their module.
    sys.modules[name] = module
    exec(compile(text, source, "exec"), module.__dict__)
    return module


def _compiled(module: Any, types: tuple[Any, ...], *, cache: bool) -> Any:
    """The module's `run`, compiled, or loaded from beside its file where `cache` finds it there."""
    # Beside the file and nowhere else, whatever Numba's own settings say: what it loads is run.
    settings: Any = numba.config
    settings.CACHE_DIR, settings.CACHE_LOCATOR_CLASSES = "", "InTreeCacheLocator"
    function: Any = numba.njit(cache=cache, nogil=True, fastmath={"contract"}, error_model="numpy")(module.run)
    function.compile(types)
    return function
