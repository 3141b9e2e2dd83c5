"""The types of formulas."""

from __future__ import annotations

from typing import Any, TypeAlias

Array: TypeAlias = Any
"""Whatever `xp` computes with: a NumPy or CuPy array, or a tracer."""
Namespace: TypeAlias = Any
"""The functions of `nnctl.ops.primitives` for one kind of `Array`."""
