"""Decorators of compiled functions, typed as what is called with anything: Numba types them when it compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numba
from numba import extending

Function: TypeAlias = Callable[..., Any]


def compiled(function: Function) -> Function:
    """A function that generated code calls. Multiply-adds may be fused; nothing is reordered."""
    return _made(function, {"contract"})


def reordered(function: Function) -> Function:
    """The same where sums may be reordered, as vectors like it: in one order each time."""
    return _made(function, {"contract", "reassoc"})


def intrinsic(function: Function) -> Function:
    """A function whose LLVM code the decorated one builds; its callers do not pass the typing context."""
    made: Function = extending.intrinsic(function)
    return made


def _made(function: Function, fastmath: set[str]) -> Function:
    decorate = numba.njit(cache=False, inline="never", fastmath=fastmath, error_model="numpy", nogil=True)
    made: Function = decorate(function)
    return made
