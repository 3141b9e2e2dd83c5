"""The marks of the kernel language: which functions are kernels, and which stand for instructions.

A kernel is an ordinary Python function over arrays in C order and numbers, whose types are those of what it is
called with. docs/kernels.md is the language. What a kernel computes does not depend on what the compiler knew
about its sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

Function: TypeAlias = Callable[..., Any]
T = TypeVar("T", bound=Function)

_KERNEL, _APART, _INTRINSIC, _PURE = "__kernel__", "__apart__", "__intrinsic__", "__pure__"


def compiled(function: T) -> T:
    """A kernel, which other kernels and generated code call."""
    setattr(function, _KERNEL, True)
    return function


def is_kernel(function: Any) -> bool:
    """True for what `compiled` has marked."""
    return getattr(function, _KERNEL, False) is True


def apart(function: T) -> T:
    """A kernel that is never made a part of those that call it.

    For loops of much code that are called in several places, or with bounds that LLVM would unroll: they are compiled
    once, and it takes a fraction of the time. The call itself is nothing beside such a loop.
    """
    setattr(function, _APART, True)
    return compiled(function)


def is_apart(function: Any) -> bool:
    """True for what `apart` has marked."""
    return getattr(function, _APART, False) is True


def intrinsic(lowering: Function, *, pure: bool = False) -> Callable[[T], T]:
    """Let a function stand for the instructions that `lowering(emission, arguments)` writes.

    pure: whether it reads and writes no memory, so that it may be evaluated unasked.
    """

    def decorate(function: T) -> T:
        setattr(function, _INTRINSIC, lowering)
        setattr(function, _PURE, pure)
        return function

    return decorate


def lowering_of(function: Any) -> Function | None:
    """The writer of the instructions that a function stands for; None for any other function."""
    found: Function | None = getattr(function, _INTRINSIC, None)
    return found


def is_pure(function: Any) -> bool:
    """True for an intrinsic that reads and writes no memory."""
    return getattr(function, _PURE, False) is True


def independent(turns: int) -> range:
    """A `range` whose turns do not depend on one another: what one writes, no other reads or writes.

    Arrays in its loop may be the same array, read and written at the same index.
    """
    return range(turns)
