"""Random numbers inside the graph, a function of (seed, step, stream, element) alone."""

from __future__ import annotations

from typing import Any

from nnctl.ops import philox
from nnctl.ops.shapes import Shape, TensorType, product
from nnctl.ops.table import Sample, op


def _type(seed: TensorType, step: TensorType, *, stream: int, shape: Shape) -> TensorType:
    return TensorType(shape)


def _sample(rng: Any) -> Sample:
    shape = tuple(int(v) for v in rng.integers(1, 6, size=2))
    return [rng.integers(0, 2**32, size=2), rng.integers(0, 1000, size=())], {"stream": 7, "shape": shape}


def _draw(xp: Any, numbers: Any, seed: Any, step: Any, stream: int, shape: Shape) -> Any:
    return xp.reshape(xp.asarray(numbers(seed, int(step), stream, product(shape))), shape)


@op("uniform", type_rule=_type, sample=_sample)
def uniform(xp: Any, seed: Any, step: Any, *, stream: int, shape: Shape) -> Any:
    """Uniforms on (0, 1). seed: two 32-bit words; step: counts training steps; stream: one for each use."""
    return _draw(xp, philox.uniforms, seed, step, stream, shape)


@op("normal", type_rule=_type, sample=_sample)
def normal(xp: Any, seed: Any, step: Any, *, stream: int, shape: Shape) -> Any:
    """Standard normals, by Box and Muller from the same counters."""
    return _draw(xp, philox.normals, seed, step, stream, shape)
