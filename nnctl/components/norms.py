"""Norms as components build them: to the bit the root of the sum of squares, wherever that is a normal number."""

from __future__ import annotations

from typing import Any, Final

from nnctl.components.builder import Builder

SMALLEST: Final = 2.0**-126
LARGEST: Final = (2.0 - 2.0**-23) * 2.0**127
"""The range of normal numbers in single precision."""


def norm(builder: Builder, x: Any, squares: Any, axes: tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """√Σx² over `axes`, all if None, given Σx²: exact also where squares of x overflow or underflow."""
    axes = tuple(range(len(x.shape))) if axes is None else axes
    return builder.apply("norm", x, squares, axes=axes, keepdims=keepdims)
