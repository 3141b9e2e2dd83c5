"""Whole steps of every spec on the emulated device: the interpreter is the judge."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph.interpretation import Meaning, interpret
from graph.nets import Case

from backends.cuda.emulator import EmulatedDevice, compiler
from backends.spec_steps import FOLDER, SpecSteps, spec_steps
from backends.test_steps import combinations
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.schedule import lowered
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++ 12"),
]

SPECS = sorted(FOLDER.rglob("*.yaml"))
STEPS = 18
"""As many as a graph holds, and two."""
FEW = 2
"""Steps of a spec whose step has more than `MUCH` operations: its batches are small, too."""
MUCH = 1.5e6
TOLERANCE = 1e-4
"""Of the largest entry of each array, as for the compiled backend, see `test_steps`."""


class OnDevice:
    """A graph on an emulated device, with its storage."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int], storage: Mapping[str, Any], *way: int) -> None:
        self.backend = CudaBackend(EmulatedDevice(*way))
        self.storage = {name: self.backend.to_device(array) for name, array in storage.items()}
        self.executable = self.backend.load(self.backend.plan(graph, sizes), self.storage)

    def run(self, feeds: Mapping[str, Any], first: int, last: int) -> Any:
        chunk = {name: array[first:last] for name, array in feeds.items()}
        return self.executable.start(chunk, last - first).result()

    def bits(self) -> dict[str, bytes]:
        return {name: self.backend.to_host(array).tobytes() for name, array in self.storage.items()}


def meanings(graph: Graph, steps: SpecSteps, count: int) -> tuple[list[Meaning], dict[str, Any]]:
    """What each step means, in float32, and what is stored after the last."""
    state, feeds, found = dict(steps.storage), steps.feeds(count), []
    for step in range(count):
        given = state | {name: array[step] for name, array in feeds.items()}
        with np.errstate(all="ignore"):
            found.append(interpret(graph, given, steps.sizes, np.float32))
        state |= found[-1].updates
    return found, state


def way_of(path: Path) -> int:
    """A number from 1 on, of its own for each spec."""
    return 1 + zlib.crc32(path.stem.encode()) % 1000


def joined(outputs: list[Mapping[str, Any]]) -> dict[str, bytes]:
    return {name: np.concatenate([o[name] for o in outputs]).tobytes() for name in outputs[0]}


def same_outputs(found: Mapping[str, Any], expected: Sequence[Meaning]) -> None:
    """Compare the outputs of the first steps within float32's rounding."""
    for step, meaning in enumerate(expected):
        for name, array in meaning.outputs.items():
            size = float(np.max(np.abs(array), initial=1e-3))
            np.testing.assert_allclose(found[name][step], array, rtol=1e-5, atol=1e-5 * size, err_msg=name)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_training_of_every_spec_is_the_interpreters(path: Path) -> None:
    """As stored in the end, its costs, another order of threads in memory that held something else, and its guard."""
    steps, count = spec_steps(path, 5, 13, brief=True), STEPS
    graph = steps.network.training_step
    if lowered(graph, steps.sizes).flops > MUCH:
        steps, count = spec_steps(path, 2, 13, brief=True), FEW
        graph = steps.network.training_step
    feeds = steps.feeds(count)
    expected, state = meanings(graph, steps, count)
    device = OnDevice(graph, steps.sizes, steps.storage)
    result = device.run(feeds, 0, count)
    assert result.completed == count
    same_outputs(result.outputs, expected[:1])
    for old in graph.updates:
        found, array = device.backend.to_host(device.storage[old.name]), state[old.name]
        size = float(np.max(np.abs(array), initial=0.0))
        np.testing.assert_allclose(found, array, rtol=0.0, atol=TOLERANCE * size, err_msg=old.name)

    again = OnDevice(graph, steps.sizes, steps.storage, way_of(path), 0x7F)
    chunks = [again.run(feeds, 0, 1), again.run(feeds, 1, count)]
    assert joined([chunk.outputs for chunk in chunks]) == joined([result.outputs])
    assert again.bits() == device.bits()
    if graph.guard is not None:
        weights = list(steps.network.structure.parameters)[-1]
        again.storage[weights][...] = np.nan
        before = again.bits()
        stopped = again.run(feeds, 0, 2)
        assert stopped.completed == 0
        assert all(len(array) == 0 for array in stopped.outputs.values())
        assert again.bits() == before


@pytest.mark.parametrize("name", ["digits", "dropout", "rbm", "rnn-sine", "vanishing-gradients"])
def test_a_step_that_diverges_ends_its_chunk(name: str) -> None:
    """Storage and outputs are those of the steps before it, though more than one graph of steps follows."""
    steps = spec_steps(FOLDER / f"{name}.yaml", 5, 13)
    graph, feeds = steps.network.training_step, steps.feeds(3 * STEPS)
    # The second step makes the weights what is no number; the third sees it.
    feeds["learning_rate"][1] = np.nan
    sound, stopped = (OnDevice(graph, steps.sizes, steps.storage, order) for order in (0, 1))
    result = stopped.run(feeds, 0, 3 * STEPS)
    assert result.completed == 2
    assert joined([result.outputs]) == joined([sound.run(feeds, 0, 2).outputs])
    assert stopped.bits() == sound.bits()


@pytest.mark.parametrize("name", ["digits", "batch-norm", "conv-digits", "residual"])
def test_batches_of_any_size_share_what_is_stored(name: str) -> None:
    """The rest of an epoch is a smaller batch; one of a single example, one of more than a block's threads."""
    state = dict(spec_steps(FOLDER / f"{name}.yaml", 5, 300).storage)
    backend = CudaBackend(EmulatedDevice(3))
    storage = {key: backend.to_device(array) for key, array in state.items()}
    for batch in (5, 3, 1, 33 if "conv" in name or "batch" in name else 260):
        steps = spec_steps(FOLDER / f"{name}.yaml", batch, 300)
        graph, feeds = steps.network.training_step, steps.feeds(1)
        meaning = interpret(graph, state | {key: array[0] for key, array in feeds.items()}, steps.sizes, np.float32)
        result = backend.load(backend.plan(graph, steps.sizes), storage).start(feeds, 1).result()
        same_outputs(result.outputs, [meaning])
        for key, array in meaning.updates.items():
            size = float(np.max(np.abs(array), initial=0.0))
            np.testing.assert_allclose(backend.to_host(storage[key]), array, rtol=0.0, atol=1e-5 * size, err_msg=key)
            state[key] = backend.to_host(storage[key])


@pytest.mark.parametrize("name", ["dropout", "dropconnect"])
def test_masks_are_the_same_to_the_bit(name: str) -> None:
    """What is random in a step, made its output: uniform numbers, masks, noise."""
    steps = spec_steps(FOLDER / f"{name}.yaml", 3, 7)
    graph = steps.network.training_step
    random = {f"{n.op.name}{i}": n for i, n in enumerate(graph.nodes) if n.op.name in ("uniform", "normal", "mask")}
    assert random
    graph = replace(graph, outputs={key: node.outputs[0] for key, node in random.items()})
    expected, _ = meanings(graph, steps, 2)
    outputs = OnDevice(graph, steps.sizes, steps.storage).run(steps.feeds(2), 0, 2).outputs
    for step, meaning in enumerate(expected):
        for key, array in meaning.outputs.items():
            if random[key].op.name == "normal":
                np.testing.assert_allclose(outputs[key][step], array, rtol=1e-5, atol=1e-5, err_msg=key)
            else:
                assert outputs[key][step].tobytes() == array.tobytes(), key


def test_updates_that_need_one_anothers_old_values() -> None:
    """a, b ← b, a + b: neither can be made in place."""
    builder = GraphBuilder("swap")
    a, b = (builder.input(name, (300,), role="optimizer state") for name in "ab")
    total = builder.apply("sum", a, axes=(0,))
    graph = builder.graph({"total": total}, {a.value: b * 1.0, b.value: a + b}, total)
    device = OnDevice(graph, {}, {"a": np.ones(300, np.float32), "b": np.full(300, 2.0, np.float32)})
    assert device.executable.plan.copies
    result = device.run({}, 0, 20)
    one, other, totals = 1.0, 2.0, []
    for _ in range(20):
        totals.append(300.0 * one)
        one, other = other, one + other
    np.testing.assert_array_equal(result.outputs["total"], np.array(totals, np.float32))
    np.testing.assert_array_equal(device.backend.to_host(device.storage["a"]), np.float32(one))
    np.testing.assert_array_equal(device.backend.to_host(device.storage["b"]), np.float32(other))


@pytest.mark.parametrize("kind", ["evaluation", "prediction"])
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_other_graphs_of_every_spec_are_the_interpreters(path: Path, kind: str) -> None:
    steps = spec_steps(path, 4, 9, brief=True)
    graph = getattr(steps.network, kind)
    expected, state = meanings(graph, steps, 2)
    device = OnDevice(graph, steps.sizes, steps.storage, way_of(path))
    result = device.run(steps.feeds(2), 0, 2)
    assert result.completed == 2
    same_outputs(result.outputs, expected)
    for old in graph.updates:
        found = device.backend.to_host(device.storage[old.name])
        np.testing.assert_allclose(found, state[old.name], rtol=1e-5, atol=1e-6, err_msg=old.name)


@pytest.mark.parametrize(
    "case",
    combinations(),
    ids=lambda c: f"{c.spec.layers[1].activation.type}-{c.spec.cost.type}-{c.spec.optimizer.type}",
)
def test_every_component_steps_as_its_graph_means(case: Case) -> None:
    """Nets that together have every activation, cost, optimizer, regularizer and clipping."""
    graph = Network(case.spec, case.signature).training_step
    feeds = case.feeds(1, np.float32)
    storage = case.storage(np.float32)
    with np.errstate(all="ignore"):
        meaning = interpret(graph, storage | {key: array[0] for key, array in feeds.items()}, case.sizes(), np.float32)
    device = OnDevice(graph, case.sizes(), storage, case.seed)
    result = device.run(feeds, 0, 1)
    assert result.completed == 1
    for name, array in meaning.outputs.items():
        np.testing.assert_allclose(result.outputs[name][0], array, rtol=2e-5, atol=1e-5, err_msg=name)
    for name, array in meaning.updates.items():
        size = max(1e-3, float(np.max(np.abs(array), initial=0.0)))
        found = device.backend.to_host(device.storage[name])
        np.testing.assert_allclose(found, array, rtol=2e-5, atol=1e-4 * size, err_msg=name)
