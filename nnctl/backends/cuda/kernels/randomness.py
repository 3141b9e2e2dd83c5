"""Random numbers by counter: the streams of `nnctl.ops.philox`, uniforms to the bit."""

from __future__ import annotations

from nnctl.backends.cuda.calls import THREADS, Argument, Call, blocks_for, elements, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch

_NUMBERS_A_THREAD = {"uniform": 4, "normal": 2}


@emits(*_NUMBERS_A_THREAD)
def _random(launch: Launch) -> list[Call]:
    name, count = launch.op.name, elements(launch.outputs[0])
    blocks = blocks_for(count, THREADS * _NUMBERS_A_THREAD[name])
    arguments: tuple[Argument, ...] = (*launch.inputs, *launch.outputs, count, int(launch.attributes["stream"]))
    return [Call(function("randomness.cu", name), blocks, arguments)]
