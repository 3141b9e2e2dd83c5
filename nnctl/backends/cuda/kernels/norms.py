"""Norms: roots of sums of squares, which are taken again, scaled, where they left the range of numbers."""

from __future__ import annotations

from nnctl.backends.codegen.reductions import merged_axes, reduced_axes
from nnctl.backends.cuda.calls import ACROSS_BLOCK, THREADS, Call, blocks_for, elements, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch


@emits("norm")
def _norm(launch: Launch) -> list[Call]:
    (x, squares), (out,) = launch.inputs, launch.outputs
    groups = merged_axes(x, reduced_axes(launch))
    kept = elements(out)
    outer = groups[0][1] if groups[0][0] else 1
    inner = elements(x) // max(1, outer * kept)
    arguments = (x, squares, out, outer, kept, inner)
    return [Call(function("norms.cu", "norms"), blocks_for(kept), arguments, shared=ACROSS_BLOCK + 4 * THREADS)]
