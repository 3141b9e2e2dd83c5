"""Linear interpolation along an axis: `nnctl.ops.resampling` says what it computes.

x (before, cells, after) and its samples (before, cells·len(shares), after). shares: of each
new sample of a cell what it takes of the cell; the rest is the neighbour's, of the first
`early` samples the one before, of the others the one after.
"""

from __future__ import annotations

import math
from typing import Any

from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.ops.resampling import shares
from nnctl.plan.plan import Launch


@compiled
def interpolate(x: Any, shares: Any, early: Any, samples: Any) -> None:
    """The samples."""
    outer, cells, inner = x.shape
    factor = shares.size
    for i in range(outer):
        for c in range(cells):
            for s in range(factor):
                share, other = shares[s], _neighbour(c, s < early, cells)
                for k in range(inner):
                    samples[i, c * factor + s, k] = share * x[i, c, k] + (F(1.0) - share) * x[i, other, k]


@compiled
def interpolate_transpose(samples: Any, shares: Any, early: Any, x: Any) -> None:
    """x ← what each cell gave, from the samples' numbers."""
    outer, cells, inner = x.shape
    factor = shares.size
    for i in range(outer):
        for c in range(cells):
            for k in range(inner):
                x[i, c, k] = F(0.0)
        for c in range(cells):
            for s in range(factor):
                share, other = shares[s], _neighbour(c, s < early, cells)
                for k in range(inner):
                    x[i, c, k] += share * samples[i, c * factor + s, k]
                    x[i, other, k] += (F(1.0) - share) * samples[i, c * factor + s, k]


@compiled
def _neighbour(cell: Any, before: Any, cells: Any) -> Any:
    """The cell beside; at the border, the cell itself."""
    return max(cell - 1, 0) if before else min(cell + 1, cells - 1)


@emits("interpolate", "interpolate_transpose", calls=(interpolate, interpolate_transpose), rows=True)
def _interpolate(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    axis, factor = launch.attributes["axis"], launch.attributes["factor"]
    read, made = (
        writer.view(s, part_of(launch), ["-", s.shape[axis], math.prod(s.shape[axis + 1 :])]) for s in (x, out)
    )
    samples = list(shares(factor))
    taken = writer.numbers([share for _, share in samples])
    early = sum(offset < 0.0 for offset, _ in samples)
    writer.line(f"{launch.op.name}({read}, {taken}, {early}, {made})")
