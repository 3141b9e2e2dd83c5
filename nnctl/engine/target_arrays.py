"""A split's targets as graphs read them: labels that are left out apart, and what each example counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.signature import DataSignature
from nnctl.graph import interface
from nnctl.plan.dtypes import REAL, element


def target_arrays(
    signature: DataSignature, targets: NDArray[Any], weights: NDArray[Any] | None
) -> dict[str, NDArray[Any]]:
    """The arrays by the names that graphs have for them.

    targets: labels, −1 where one is left out, or values (n, …). weights: (n, *signature.weights_shape);
    None where all examples count alike. Raises ValueError where the signature says otherwise.
    """
    if (weights is None) != (signature.weights_shape is None):
        raise ValueError("examples have weights where the signature of their data says so, and nowhere else")
    labelled = signature.classes is not None
    arrays = {interface.TARGETS: np.asarray(targets, element("index" if labelled else "real").host)}
    if signature.ignores:
        counted = arrays[interface.TARGETS] >= 0
        # Generated code looks classes up unchecked.
        arrays[interface.TARGETS] = np.where(counted, arrays[interface.TARGETS], 0)
        arrays[interface.COUNTED] = counted.astype(REAL)
    if weights is not None:
        arrays[interface.EXAMPLE_WEIGHTS] = np.asarray(weights, REAL)
    return arrays
