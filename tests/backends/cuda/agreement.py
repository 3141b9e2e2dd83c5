"""An op on the emulated device against its reference body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from graph.interpretation import interpret

from backends.cuda.emulator import EmulatedDevice
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph

STORED = {"f": np.float32, "i": np.int64, "u": np.uint8}
ROLES = {"f": ("real", "optimizer state"), "i": ("index", "data"), "u": ("uint8", "data")}


def compare(
    name: str, inputs: Any, attributes: Mapping[str, Any], order: int, reference: Any = np.float32, rtol: float = 2e-5
) -> None:
    """Run one op on the emulated device and compare all of its outputs with those of the reference body.

    reference: the precision in which that one computes.
    """
    graph, storage = _graph(name, inputs, attributes)
    with np.errstate(all="ignore"):
        expected = interpret(graph, storage, {}, reference).outputs
    found = outputs(name, inputs, attributes, order)
    for output, array in expected.items():
        assert found[output].shape == array.shape
        message = f"{name} {attributes} {output}"
        np.testing.assert_allclose(found[output], array, rtol=rtol, atol=2e-6, err_msg=message)


def outputs(name: str, inputs: Any, attributes: Mapping[str, Any], order: int) -> dict[str, Any]:
    """The outputs of one op on the emulated device, twice the same to the bit."""
    graph, storage = _graph(name, inputs, attributes)
    device = EmulatedDevice(order)
    backend = CudaBackend(device)
    assert backend.missing(graph) == ()
    executable = backend.load(backend.plan(graph, {}), {k: backend.to_device(a) for k, a in storage.items()})
    first = {output: array[0] for output, array in executable.start({}, 1).result().outputs.items()}
    again = executable.start({}, 1).result().outputs
    for output, array in first.items():
        np.testing.assert_array_equal(again[output][0], array, err_msg=f"{name} does not repeat")
    return first


def _graph(name: str, inputs: Any, attributes: Mapping[str, Any]) -> tuple[Graph, dict[str, Any]]:
    """The graph of the op alone, and what it is given, as storage."""
    arrays = [np.asarray(x) for x in inputs]
    storage = {f"x{i}": a.astype(STORED[a.dtype.kind]) for i, a in enumerate(arrays)}
    builder = GraphBuilder(name)
    tensors = [builder.input(k, a.shape, *ROLES[a.dtype.kind]) for k, a in storage.items()]
    made = builder.apply_all(name, *tensors, **attributes)
    return builder.graph({f"y{i}": tensor for i, tensor in enumerate(made)}), storage
