"""The compiler refuses to work for a test that does not say that it compiles.

`tests/conftest.py` names the running test in an environment variable, unless it has the marker
`compile`; processes that a test starts inherit the name and, by the `sitecustomize` beside this
file, the refusal. All that is compiled, and all that is loaded from the cache of compiled code, passes
one of the methods below, which are replaced as soon as their modules are imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

VARIABLE = "NNCTL_TEST_WITHOUT_COMPILER"
"""The test that may not compile; not set, or empty, where one may."""

WAYS_IN = {
    "llvmlite.binding.targets": ("TargetMachine", "emit_object"),
    "llvmlite.binding.executionengine": ("ExecutionEngine", "add_object_file"),
}
"""Module → the class and the method: what becomes machine code, and what is loaded of it."""


class CompilerRefusedError(Exception):
    """Code was compiled, or loaded, for a test without the marker."""


def install() -> None:
    """Watch the imports of this process. Once is enough."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in WAYS_IN:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Refusing(spec.loader)
        return spec


class _Refusing(Loader):
    """Loads a module, then replaces the method that `WAYS_IN` names."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        class_name, method = WAYS_IN[module.__name__]
        owner = getattr(module, class_name)
        work = getattr(owner, method)

        def refuse(*arguments: Any, **keywords: Any) -> Any:
            test = os.environ.get(VARIABLE)
            if test:
                raise CompilerRefusedError(f"{test} compiles: mark it with pytest.mark.compile, or let it run on numpy")
            return work(*arguments, **keywords)

        setattr(owner, method, refuse)
