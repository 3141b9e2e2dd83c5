"""Random examples of a signature's shapes and kinds, for what needs a batch and no data set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.signature import DataSignature
from nnctl.graph import interface


def random_examples(signature: DataSignature, batch: int, seed: int) -> dict[str, NDArray[Any]]:
    """A random data set of `batch` examples as a plan stores it, by name, numbers in float64."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 1]))
    shape = (batch, *signature.input_shape)
    data: dict[str, NDArray[Any]] = {interface.EXAMPLES: np.array(float(batch))}
    if signature.input_dtype == "uint8":
        data[interface.INPUTS] = rng.integers(0, 256, shape, dtype=np.uint8)
    elif signature.input_dtype == "index":
        data[interface.INPUTS] = rng.integers(0, len(signature.vocabulary or (0, 1)), shape)
    else:
        data[interface.INPUTS] = rng.standard_normal(shape)
        for column in signature.embedded:
            data[interface.INPUTS][:, column.position] = rng.integers(0, len(column.rows), batch)
    if signature.classes is not None:
        data[interface.TARGETS] = rng.integers(0, len(signature.classes), (batch, *signature.target_shape))
    else:
        data[interface.TARGETS] = rng.uniform(size=(batch, *signature.target_shape))
    if signature.ignores:
        data[interface.COUNTED] = rng.integers(0, 2, (batch, *signature.target_shape)).astype(np.float64)
        data[interface.COUNTED][0] = 1.0
    if signature.weights_shape is not None:
        data[interface.EXAMPLE_WEIGHTS] = rng.uniform(0.0, 2.0, (batch, *signature.weights_shape))
    if signature.statistics_shape is not None:
        byte = signature.input_dtype == "uint8"
        data[interface.SHIFT] = np.full(signature.statistics_shape, 127.5 if byte else 0.0)
        data[interface.SCALE] = np.full(signature.statistics_shape, 1.0 / 127.5 if byte else 1.0)
    if signature.target_statistics_shape is not None:
        data[interface.TARGET_SHIFT] = np.full(signature.target_statistics_shape, 0.5)
        data[interface.TARGET_SCALE] = np.full(signature.target_statistics_shape, 2.0)
    return data
