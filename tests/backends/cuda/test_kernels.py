"""Every kernel against its reference body, on random and odd shapes, in several orders of threads and blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret

from backends.cuda.emulator import EmulatedDevice, compiler
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.kernels import EMITTERS
from nnctl.graph.builder import GraphBuilder
from nnctl.ops import OPS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]

STORED = {"f": np.float32, "i": np.int64, "u": np.uint8}
ROLES = {"f": ("real", "optimizer state"), "i": ("index", "data"), "u": ("uint8", "data")}
SAMPLES = 12


def compare(name: str, inputs: Any, attributes: Mapping[str, Any], order: int) -> None:
    """Run one op on the emulated device and compare all of its outputs with those of the reference body."""
    arrays = [np.asarray(x) for x in inputs]
    storage = {f"x{i}": a.astype(STORED[a.dtype.kind]) for i, a in enumerate(arrays)}
    builder = GraphBuilder(name)
    tensors = [builder.input(k, a.shape, *ROLES[a.dtype.kind]) for k, a in storage.items()]
    made = builder.apply_all(name, *tensors, **attributes)
    graph = builder.graph({f"y{i}": tensor for i, tensor in enumerate(made)})
    expected = interpret(graph, storage, {}, np.float32).outputs
    device = EmulatedDevice(order)
    backend = CudaBackend(device)
    assert backend.missing(graph) == ()
    executable = backend.load(backend.plan(graph, {}), {k: backend.to_device(a) for k, a in storage.items()})
    first = executable.start({}, 1).result().outputs
    again = executable.start({}, 1).result().outputs
    device.check_zones()
    for output, array in expected.items():
        (found,) = first[output]
        assert found.shape == array.shape
        np.testing.assert_allclose(found, array, rtol=2e-5, atol=2e-6, err_msg=f"{name} {attributes} {output}")
        np.testing.assert_array_equal(again[output][0], found, err_msg=f"{name} does not repeat")


@pytest.mark.parametrize("order", [0, 1, 7])
@pytest.mark.parametrize("name", sorted(EMITTERS))
def test_kernels_agree_with_their_reference_bodies(name: str, order: int) -> None:
    rng = np.random.default_rng([order, *name.encode()])
    for _ in range(SAMPLES):
        compare(name, *OPS[name].sample(rng), order)


@pytest.mark.parametrize("columns", [1, 2, 31, 32, 33, 255, 256, 257, 1000])
def test_softmax_of_rows_of_any_length(columns: int) -> None:
    z = 5.0 * np.random.default_rng(columns).standard_normal((3, columns))
    for order in (0, 1, 5):
        compare("softmax", [z], {}, order)


def test_softmax_keeps_what_is_no_number() -> None:
    compare("softmax", [np.array([[1.0, math.nan, 2.0], [0.0, 1.0, 2.0], [88.0, 1e4, -1e4]])], {}, 0)
