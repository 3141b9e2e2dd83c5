"""Functions of rows of classes as kernels call them; `rows_ir` has their code. z is (rows, columns)."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import symbol
from nnctl.backends.cpu.compiler.objects import bind
from nnctl.backends.cpu.vectors.rows_ir import BEST, EXPONENTIALS, SOFTMAX, SOFTMAX_SUMS, SYMBOLS, module_text
from nnctl.backends.machine import vector_bits


@cache
def load() -> None:
    """Bind the symbols."""
    bind("rows", partial(module_text, vector_bits()), list(SYMBOLS))


@symbol(SOFTMAX, load)
def softmax_rows(rows: Any, columns: Any, z: Any, a: Any) -> None:
    """a ← e^(z − max)/Σ, row by row."""


@symbol(SOFTMAX_SUMS, load)
def softmax_with_sums(rows: Any, columns: Any, z: Any, a: Any, largest: Any, sums: Any) -> None:
    """The same; largest ← the largest of each row; sums ← Σ e^(z − largest)."""


@symbol(EXPONENTIALS, load)
def exponentials(rows: Any, columns: Any, z: Any, largest: Any, sums: Any) -> None:
    """largest ← the largest of each row; sums ← Σ e^(z − largest)."""


@symbol(BEST, load)
def best_columns(rows: Any, columns: Any, z: Any, best: Any) -> None:
    """best ← the first of the largest of each row; a NaN counts as largest, as in NumPy."""
