"""The few ops that NumPy can write straight into their output: the same results, without a copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnctl.backends.launch_by_launch import Kernel


def _matmul(inputs: list[Any], output: Any, attributes: Mapping[str, Any]) -> Callable[[], None]:
    a = inputs[0].T if attributes.get("transpose_a") else inputs[0]
    b = inputs[1].T if attributes.get("transpose_b") else inputs[1]

    def launch() -> None:
        np.matmul(a, b, out=output)

    return launch


def _gather(inputs: list[Any], output: Any, attributes: Mapping[str, Any]) -> Callable[[], None]:
    table, index = inputs

    def launch() -> None:
        # "clip" lets NumPy write into `out` unbuffered; indices are within bounds by construction.
        np.take(table, index, axis=0, out=output, mode="clip")

    return launch


KERNELS: dict[str, Kernel] = {"matmul": _matmul, "gather": _gather}
