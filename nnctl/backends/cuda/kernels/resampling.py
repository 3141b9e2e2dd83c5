"""Linear interpolation along an axis, and its transpose."""

from __future__ import annotations

import math

from nnctl.backends.cuda.calls import Call, blocks_for, elements, emits, pack_of
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch


@emits("interpolate", "interpolate_transpose")
def _interpolate(launch: Launch) -> list[Call]:
    read, made = launch.inputs[0], launch.outputs[0]
    axis, factor = launch.attributes["axis"], launch.attributes["factor"]
    cells = min(read.shape[axis], made.shape[axis])
    inner = math.prod(made.shape[axis + 1 :])
    pack = pack_of(inner)
    count = elements(made) // pack
    numbers = (count, pack, cells, factor, inner // pack)
    return [Call(function("resampling.cu", launch.op.name), blocks_for(count), (read, made, *numbers))]
