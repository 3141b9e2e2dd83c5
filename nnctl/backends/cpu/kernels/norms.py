"""Norms: roots of sums of squares, which are taken again, scaled, where they left the range of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnctl.backends.codegen.reductions import merged_axes, reduced_axes
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.plan.plan import Launch

_LEAST = F(np.finfo(np.float32).tiny)
_MOST = F(np.finfo(np.float32).max)


@compiled
def norm(x: Any, k: Any, squares: Any) -> Any:
    """The norm of x[:, k, :], given the sum of its squares."""
    if squares >= _LEAST and squares <= _MOST:
        return F(math.sqrt(squares))
    largest = F(0.0)
    for i in range(x.shape[0]):
        for j in range(x.shape[2]):
            largest = max(largest, F(abs(x[i, k, j])))
    s = F(0.0)
    for i in range(x.shape[0]):
        for j in range(x.shape[2]):
            ratio = x[i, k, j] / (largest if largest > F(0.0) else F(1.0))
            s += ratio * ratio
    return F(math.sqrt(s)) * largest


@emits("norm", calls=(norm,))
def _norm(writer: Writer, launch: Launch) -> None:
    (x, squares), out = launch.inputs, launch.outputs[0]
    groups = merged_axes(x, reduced_axes(launch))
    before = groups[0][1] if groups[0][0] else 1
    kept = math.prod(length for gone, length in groups if not gone)
    after = groups[-1][1] if groups[-1][0] and len(groups) > 1 else 1
    view = writer.view(x, "full", [before, kept, after])
    if out.shape == ():
        writer.line(f"{writer.scalar(out)} = norm({view}, 0, {writer.scalar(squares)})")
        return
    given, made = writer.view(squares, "full"), writer.view(out, "full")
    with writer.block(f"for k in range({made}.size):"):
        writer.line(f"{made}[k] = norm({view}, k, {given}[k])")
