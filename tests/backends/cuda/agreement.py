"""An op on a device, most often the emulated one, against its reference body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from graph.interpretation import interpret
from numpy.typing import NDArray

from backends.cuda.emulator import POISON, EmulatedDevice, EmulatedError
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.calls import ProductPrecision, elements
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.kernels.ends import EndKind
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Plan, Slot

STORED = {"f": np.float32, "i": np.int64, "u": np.uint8}
ROLES = {"f": ("real", "optimizer state"), "i": ("index", "data"), "u": ("uint8", "data")}
_ROOM = 1024
"""Bytes around each output that nobody writes."""


def compare(
    name: str,
    inputs: Any,
    attributes: Mapping[str, Any],
    order: int,
    reference: Any = np.float32,
    rtol: float = 2e-5,
    precision: ProductPrecision = "float32",
) -> None:
    """Run one op on the emulated device and compare all of its outputs with those of the reference body.

    reference: the precision in which that one computes. precision: of products on the device.
    """
    _agree(outputs(name, inputs, attributes, order, precision), name, inputs, attributes, reference, rtol)


def compare_on(device: Device, name: str, inputs: Any, attributes: Mapping[str, Any], rtol: float = 2e-5) -> None:
    """The same on any device, twice the same to the bit."""
    graph, storage = _graph(name, inputs, attributes)
    backend = CudaBackend(device)
    executable = backend.load(backend.plan(graph, {}), {k: backend.to_device(a) for k, a in storage.items()})
    found, again = (executable.start({}, 1).result().outputs for _ in range(2))
    for output, array in found.items():
        np.testing.assert_array_equal(again[output], array, err_msg=f"{name} {attributes} {output} does not repeat")
    _agree({output: array[0] for output, array in found.items()}, name, inputs, attributes, np.float32, rtol)


def _agree(
    found: Mapping[str, Any], name: str, inputs: Any, attributes: Mapping[str, Any], reference: Any, rtol: float
) -> None:
    graph, storage = _graph(name, inputs, attributes)
    with np.errstate(all="ignore"):
        expected = interpret(graph, storage, {}, reference).outputs
    for output, array in expected.items():
        assert found[output].shape == array.shape
        message = f"{name} {attributes} {output}"
        np.testing.assert_allclose(found[output], array, rtol=rtol, atol=2e-6, err_msg=message)


def outputs(
    name: str, inputs: Any, attributes: Mapping[str, Any], order: int, precision: ProductPrecision = "float32"
) -> dict[str, Any]:
    """The outputs of one op on the emulated device.

    Three times the same to the bit: in fresh memory, in the memory of the first time, in memory that holds something
    else. Raises EmulatedError where something beside the outputs is written.
    """
    return _outputs(*_graph(name, inputs, attributes), f"{name} {attributes}", order, precision)


def compare_ended(
    name: str, shapes: Any, attributes: Mapping[str, Any], kind: EndKind, order: int, precision: ProductPrecision
) -> None:
    """Run a product of that name with its end, one launch, and compare it with what the interpreter makes of both.

    shapes: of its inputs, which are small whole numbers, so that sums are exact, and a NaN.
    """
    rng = np.random.default_rng([*name.encode(), *kind.encode(), order])
    storage = {f"x{i}": rng.integers(-4, 5, shape).astype(np.float32) for i, shape in enumerate(shapes)}
    storage["x0"].reshape(-1)[-1:] = np.nan
    builder = GraphBuilder(name)
    made = builder.apply(name, *(builder.input(k, a.shape, *ROLES["f"]) for k, a in storage.items()), **attributes)
    if kind != "relu":
        shape = made.shape if kind == "mask" else made.shape[-1:]
        storage["beside"] = rng.integers(-4, 5, shape).astype(np.float32)
        beside = builder.input("beside", shape, *ROLES["f"])
        storage["beside"].reshape(-1)[:1] = np.nan
    if kind == "mask":
        made = builder.formula("mask", lambda xp, g, a: g * xp.where(xp.greater(a, 0.0), 1.0, 0.0), made, beside)
    else:
        made = made + beside if "bias" in kind else made
        made = builder.formula("relu", lambda xp, z: xp.maximum(0.0, z), made) if "relu" in kind else made
    graph = builder.graph({"y": made})
    message = f"{name} {[*shapes]} {attributes} {kind}"
    found = _outputs(graph, storage, message, order, precision)["y"]
    np.testing.assert_array_equal(found, interpret(graph, storage, {}, np.float32).outputs["y"], err_msg=message)


def _outputs(
    graph: Graph, storage: Mapping[str, Any], message: str, order: int, precision: ProductPrecision
) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for poison, times in ((POISON, 2), (0x7F, 1)):
        device = EmulatedDevice(order, poison)
        backend = CudaBackend(device, precision)
        assert backend.missing(graph) == ()
        plan, room = _apart(backend.plan(graph, {}))
        executable = backend.load(plan, {k: backend.to_device(a) for k, a in storage.items()})
        for _ in range(times):
            made = executable.start({}, 1).result().outputs
            found.append({output: array[0] for output, array in made.items()})
            if not (executable.memory.arena[room] == poison).all():
                raise EmulatedError(f"{message} writes beside its outputs")
    for again in found[1:]:
        for output, array in found[0].items():
            np.testing.assert_array_equal(again[output], array, err_msg=f"{message} {output} does not repeat")
    return found[0]


def _apart(plan: Plan) -> tuple[Plan, NDArray[np.bool_]]:
    """The plan of one launch with room around each of its outputs, and which bytes of the arena are that room."""
    (launch,) = plan.launches
    room = np.ones(_ROOM, np.bool_)
    moved: dict[Slot, Slot] = {}
    for slot in dict.fromkeys(s for s in launch.outputs if s.place == "arena"):
        moved[slot] = slot._replace(offset=len(room))
        size = elements(slot) * element(slot.dtype).host.itemsize
        room = np.concatenate([room, np.zeros(size, np.bool_), np.ones(_ROOM + -size % 256, np.bool_)])
    launch = replace(launch, outputs=tuple(moved.get(s, s) for s in launch.outputs))
    kept = {name: moved.get(slot, slot) for name, slot in plan.outputs.items()}
    return replace(plan, launches=(launch,), outputs=kept, arena_bytes=len(room)), room


def _graph(name: str, inputs: Any, attributes: Mapping[str, Any]) -> tuple[Graph, dict[str, Any]]:
    """The graph of the op alone, and what it is given, as storage."""
    arrays = [np.asarray(x) for x in inputs]
    storage = {f"x{i}": a.astype(STORED[a.dtype.kind]) for i, a in enumerate(arrays)}
    builder = GraphBuilder(name)
    tensors = [builder.input(k, a.shape, *ROLES[a.dtype.kind]) for k, a in storage.items()]
    made = builder.apply_all(name, *tensors, **attributes)
    return builder.graph({f"y{i}": tensor for i, tensor in enumerate(made)}), storage
