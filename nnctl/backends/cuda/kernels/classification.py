"""Classes of examples, row by row: softmax, the best class, ranks and weights of labels."""

from __future__ import annotations

from nnctl.backends.cuda.calls import ACROSS_BLOCK, Call, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch

_FILE = "classification.cu"


@emits("softmax")
def _softmax(launch: Launch) -> list[Call]:
    z, a = launch.inputs[0], launch.outputs[0]
    rows, columns = z.shape
    return [Call(function(_FILE, "softmax"), rows, (z, a, columns), shared=ACROSS_BLOCK)]
