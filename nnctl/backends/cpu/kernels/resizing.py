"""An axis made longer or shorter: `nnctl.ops.resizing` says what it computes. Its transpose has other taps alone."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled, independent
from nnctl.ops.resizing import applied_taps
from nnctl.plan.plan import Launch


@compiled
def resize(x: Any, ends: Any, places: Any, weights: Any, out: Any) -> None:
    """out (outer, made, inner) ← sums over x (outer, read, inner).

    ends: behind the last tap of each number that is made; places and weights: of all taps, one behind the other.
    """
    outer, made, inner = out.shape
    for i in range(outer):
        first = np.int64(0)
        for o in range(made):
            end = np.int64(ends[o])
            for k in independent(inner):
                out[i, o, k] = F(0.0)
            for tap in range(first, end):
                place, weight = np.int64(places[tap]), weights[tap]
                for k in independent(inner):
                    out[i, o, k] += weight * x[i, place, k]
            first = end


@emits("resize", "resize_transpose", calls=(resize,), rows=True)
def _resize(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    how = dict(launch.attributes)
    axis, lengths = how.pop("axis"), how.pop("lengths")
    read, made = (
        writer.view(s, part_of(launch), ["-", s.shape[axis], math.prod(s.shape[axis + 1 :])]) for s in (x, out)
    )
    rows = applied_taps(launch.op.name, lengths, how)
    ends = writer.numbers([float(end) for end in itertools.accumulate(map(len, rows))])
    met = [tap for row in rows for tap in row] or [(0, 0.0)]
    places, weights = writer.numbers([float(p) for p, _ in met]), writer.numbers([w for _, w in met])
    writer.line(f"resize({read}, {ends}, {places}, {weights}, {made})")
