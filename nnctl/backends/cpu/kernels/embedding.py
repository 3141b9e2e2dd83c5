"""Rows of tables by index, compiled, and where a sequence is filled up."""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import window1
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.kernels.library import compiled, fill


@compiled
def lookup(table: Any, index: Any, out: Any) -> None:
    """out_i ← table[index_i]; out (entries, units)."""
    for i in range(index.size):
        for j in range(out.shape[1]):
            out[i, j] = table[index[i], j]


@compiled
def add_rows(x: Any, index: Any, first: Any, out: Any) -> None:
    """Rows first, first + 1, … of zeros with x_i added at row index_i."""
    fill(window1(out, 0, out.size), F(0.0))
    for i in range(index.size):
        row = index[i] - first
        if row >= 0 and row < out.shape[0]:
            for j in range(out.shape[1]):
                out[row, j] += x[i, j]


@compiled
def differs(x: Any, value: Any, out: Any) -> None:
    """1 where any of a row of x differs from `value`, else 0."""
    for i in range(out.size):
        out[i] = 0
        for j in range(x.shape[1]):
            if x[i, j] != value:
                out[i] = 1
