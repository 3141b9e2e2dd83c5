"""The vocabulary of generated functions: the names that mean the same in all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from nnctl.backends.cpu.codegen.dialect import FUNCTIONS
from nnctl.backends.cpu.codegen.intrinsics import prefetch, window1, window2, window3, window4
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.compiler.marks import independent
from nnctl.backends.cpu.kernels import EMITTERS
from nnctl.backends.cpu.kernels.layout import copy

_OF_ALL = (copy, independent, prefetch, window1, window2, window3, window4)
"""Functions that the code of any op may call."""
_BUILT_IN = {"math": math, "abs": abs, "max": max, "min": min, "range": range, "len": len}


@cache
def vocabulary() -> Mapping[str, Any]:
    """The object of each name. Raises ValueError where two functions have one name."""
    found: dict[str, Any] = {"F": F, **_BUILT_IN}
    for function in (*_OF_ALL, *FUNCTIONS, *(f for emitter in EMITTERS.values() for f in emitter.calls)):
        if found.setdefault(function.__name__, function) is not function:
            raise ValueError(f"generated code would call {function.__name__} of two modules")
    return found
