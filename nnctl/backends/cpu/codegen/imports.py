"""The import block of a generated module: the functions that its lines call, from where they are defined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from nnctl.backends.cpu.codegen import mathematics
from nnctl.backends.cpu.codegen.decorators import compiled
from nnctl.backends.cpu.codegen.dialect import FUNCTIONS
from nnctl.backends.cpu.codegen.intrinsics import (
    barrier,
    cycle_counter,
    prefetch,
    window1,
    window2,
    window3,
    window4,
)
from nnctl.backends.cpu.kernels import EMITTERS
from nnctl.backends.cpu.kernels.layout import copy

_STEP = (barrier, compiled, copy, cycle_counter, prefetch, window1, window2, window3, window4)
"""Functions that the frame of a step calls, whatever its launches."""
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


def modules_of(ops: Iterable[str]) -> dict[str, str]:
    """Each name that the code of these ops may call → the module that defines it.

    Raises ValueError where two functions have one name.
    """
    called = [f for op in ops if op in EMITTERS for f in EMITTERS[op].calls]
    found = {"F": mathematics.__name__}
    for function in (*_STEP, *FUNCTIONS, *called):
        name, module = function.__name__, function.__module__
        if found.setdefault(name, module) != module:
            raise ValueError(f"generated code would call {name} of {found[name]} and of {module}")
    return found


def known_names() -> frozenset[str]:
    """The names that mean the same in every generated module, and that no variable may take."""
    return frozenset(["math", "abs", "max", "min", "range", *modules_of(EMITTERS)])


def import_block(lines: Iterable[str], modules: Mapping[str, str]) -> list[str]:
    """The imports of what the lines call, one a module."""
    code = (line for line in lines if not line.lstrip().startswith("#"))
    words = {word for line in code for word in _WORD.findall(line)}
    needed: dict[str, list[str]] = {}
    for name in sorted(words & modules.keys()):
        needed.setdefault(modules[name], []).append(name)
    return ["import math", "", *(f"from {module} import {', '.join(needed[module])}" for module in sorted(needed))]
