"""An axis made longer or shorter by any factor, and the transpose: the same code with other taps."""

from __future__ import annotations

import itertools
import math

from nnctl.backends.cuda.calls import Call, Table, blocks_for, elements, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.ops.resizing import applied_taps
from nnctl.plan.plan import Launch


@emits("resize", "resize_transpose")
def _resize(launch: Launch) -> list[Call]:
    x, y = launch.inputs[0], launch.outputs[0]
    how = dict(launch.attributes)
    axis, lengths = how.pop("axis"), how.pop("lengths")
    rows = applied_taps(launch.op.name, lengths, how)
    met = [tap for row in rows for tap in row] or [(0, 0.0)]
    ends = Table(tuple(map(float, itertools.accumulate(map(len, rows)))))
    places, weights = Table(tuple(float(p) for p, _ in met)), Table(tuple(w for _, w in met))
    count, inner = elements(y), math.prod(y.shape[axis + 1 :])
    numbers = (count, x.shape[axis], y.shape[axis], inner)
    return [Call(function("resizing.cu", "resize"), blocks_for(count), (x, ends, places, weights, y, *numbers))]
