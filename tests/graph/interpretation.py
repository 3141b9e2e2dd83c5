"""What a graph means, computed the plainest way: node by node, every value an array of its own, nothing shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.graph.ir import Graph, Value
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.shapes import resolve

Array = NDArray[Any]


@dataclass(frozen=True)
class Meaning:
    """outputs: by name. updates: the new arrays by the name of what they replace."""

    outputs: dict[str, Array]
    updates: dict[str, Array]

    def by_name(self) -> dict[str, Array]:
        return self.outputs | {f"{name}⁺": array for name, array in self.updates.items()}


def interpret(
    graph: Graph,
    inputs: Mapping[str, Array],
    sizes: Mapping[str, int],
    dtype: Any = np.float64,
    xp: Any = None,
) -> Meaning:
    """The graph's results. inputs: by name, what is stored and what is fed. Bodies cannot write to their inputs."""
    xp = xp or numpy_namespace()
    dtypes = {"real": np.dtype(dtype), "index": np.dtype(np.int64), "uint8": np.dtype(np.uint8)}
    values: dict[Value, Array] = {}

    def keep(value: Value, array: Any) -> None:
        values[value] = np.array(array, dtypes[value.type.dtype])
        assert values[value].shape == resolve(value.shape, sizes), f"{value!r} has shape {np.shape(array)}"
        values[value].setflags(write=False)

    for value in graph.inputs:
        keep(value, inputs[value.name])
    for node in graph.nodes:
        attributes = {k: resolve(v, sizes) for k, v in node.attributes.items()}
        results = node.op.run(xp, [values[v] for v in node.inputs], attributes)
        for value, result in zip(node.outputs, results, strict=True):
            keep(value, np.broadcast_to(result, resolve(value.shape, sizes)))
    return Meaning(
        {name: values[v] for name, v in graph.outputs.items()},
        {old.name: values[new] for old, new in graph.updates.items()},
    )


def assert_same(found: Mapping[str, Array], expected: Mapping[str, Array], tolerance: float = 1e-8) -> None:
    """AssertionError naming the first array that differs by more than rounding."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=tolerance, atol=tolerance, err_msg=name)
