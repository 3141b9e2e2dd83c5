"""The interpreter is the judge: many steps of every spec on both, and every component of the registry once."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, islice, repeat
from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret
from graph.nets import ACTIVATIONS, CLIPPINGS, COSTS, INPUT, OPTIMIZERS, REGULARIZERS, Case, net

from backends.conftest import ExactlyThreads
from backends.spec_steps import FOLDER, SpecSteps, compiled_specs, spec_steps
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.backends.registry import reference_backend
from nnctl.components.layers.dense import Dense
from nnctl.components.layers.reshaping import Flatten
from nnctl.components.registry import components
from nnctl.components.signature import DataSignature
from nnctl.graph.network import Network

pytestmark = pytest.mark.compile

STEPS = 50
TOLERANCE = 1e-4
"""Of the largest entry of each array. One step differs by a few ULP (1e-7 of a weight): sums run in another order,
exp, log and tanh are off by up to two. Fifty steps add such differences up: 5e-6 of a weight at most was measured,
and 2e-5 of a velocity that is itself a small difference of gradients."""


def after(backend, steps: SpecSteps, count: int):
    """What is stored after so many steps, and the outputs of each."""
    plan = backend.plan(steps.network.training_step, steps.sizes)
    storage = {name: backend.to_device(array) for name, array in steps.storage.items()}
    result = backend.load(plan, storage).start(steps.feeds(count), count).result()
    assert result.completed == count
    return {name: backend.to_host(array) for name, array in storage.items()}, result.outputs


@pytest.mark.parametrize("path", compiled_specs(), ids=lambda path: path.stem)
def test_fifty_steps_of_every_spec_give_the_interpreters_weights(path):
    _fifty_steps_give_the_interpreters_weights(path)


def test_what_the_guard_needs_may_be_what_is_stored(tmp_path):
    """Running statistics that are those of the batch: the cost needs them, so they cannot wait for it."""
    path = tmp_path / "momentum.yaml"
    path.write_text(
        "data: blobs\nlayers: [{type: dense, units: 5}, {type: batch_norm, momentum: 1.0}, {type: dense, units: 3}]\n"
        "cost: mse\noptimizer: sgd\n"
    )
    _fifty_steps_give_the_interpreters_weights(path)


def _fifty_steps_give_the_interpreters_weights(path):
    steps = spec_steps(path, 10, 50)
    expected, measured = after(reference_backend(), steps, STEPS)
    found, outputs = after(CpuBackend(2), steps, STEPS)
    again, _ = after(CpuBackend(2), steps, STEPS)
    for name, array in expected.items():
        size = float(np.max(np.abs(array), initial=0.0))
        np.testing.assert_allclose(found[name], array, rtol=0.0, atol=TOLERANCE * size, err_msg=name)
        assert found[name].tobytes() == again[name].tobytes(), f"{name} differs between two runs"
    # The first step has the same weights: its cost tells the same masks from others.
    np.testing.assert_allclose(outputs["cost"][0], measured["cost"][0], rtol=1e-5)


def bits_after(steps: SpecSteps, threads: int, count: int) -> dict[str, bytes]:
    """What is stored after so many steps on exactly so many threads, and the outputs of each."""
    stored, outputs = after(ExactlyThreads(threads), steps, count)
    return {name: array.tobytes() for name, array in (stored | outputs).items()}


@pytest.mark.parametrize("path", compiled_specs(), ids=lambda path: path.stem)
def test_no_bit_depends_on_the_number_of_threads(path):
    """Of batches that no number of threads divides, and of fewer examples than threads."""
    for batch in (7, 2):
        steps = spec_steps(path, batch, 20)
        expected = bits_after(steps, 1, 3)
        for threads in (2, 3):
            assert bits_after(steps, threads, 3) == expected, (batch, threads)


@pytest.mark.parametrize(("name", "batch"), [("conv-digits", 450), ("book/ch3-100-l2", 450), ("book/ch3-100-l2", 1300)])
def test_no_bit_depends_on_the_threads_where_one_packs_what_another_does_not(name, batch):
    """Products pack their operands where a thread has enough rows of them, and cut long sums."""
    steps = spec_steps(FOLDER / f"{name}.yaml", batch, batch)
    expected = bits_after(steps, 1, 2)
    for threads in (2, 3, 4):
        assert bits_after(steps, threads, 2) == expected, threads


def combinations() -> list[Case]:
    """Nets that together have every activation, cost, optimizer, regularizer and clipping of the registry."""
    # One of each type: variants of a component are the random nets' business.
    every = (ACTIVATIONS, COSTS, OPTIMIZERS, REGULARIZERS, CLIPPINGS)
    lists = [list({getattr(value, "type", None): value for value in values}.values()) for values in every]
    count = max(map(len, lists))
    cycled = (islice(chain.from_iterable(repeat(values)), count) for values in lists)
    return [_case(*parts, seed=seed) for seed, parts in enumerate(zip(*cycled, strict=True))]


def _case(activation: Any, cost: Any, optimizer: Any, regularizer: Any, clip: Any, *, seed: int) -> Case:
    output = {"log_likelihood": "softmax", "cross_entropy": "sigmoid"}.get(cost.type, "linear")
    spec = replace(
        net("layers: [flatten]"),
        layers=(
            Flatten(),
            Dense(units=5, activation=activation),
            Dense(units=3, activation=components("activation")[output]()),
        ),
        cost=cost,
        regularizer=regularizer,
        optimizer=replace(optimizer, clip=clip),
    )
    return Case(spec, DataSignature(INPUT, "uint8", ("a", "b", "c"), (), ()), 3, seed)


@pytest.mark.parametrize(
    "case",
    combinations(),
    ids=lambda c: f"{c.spec.layers[1].activation.type}-{c.spec.cost.type}-{c.spec.optimizer.type}",
)
def test_every_component_compiles_and_steps_as_its_graph_means(case):
    network = Network(case.spec, case.signature)
    feeds = case.feeds(1, np.float32)
    storage = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in case.storage().items()}
    meaning = interpret(network.training_step, storage | {k: v[0] for k, v in feeds.items()}, case.sizes())
    backend = CpuBackend(2)
    kept = {name: backend.to_device(array) for name, array in storage.items()}
    result = backend.load(backend.plan(network.training_step, case.sizes()), kept).start(feeds, 1).result()
    assert result.completed == 1
    _same_on_other_threads(case, network, storage, {name: backend.to_host(array) for name, array in kept.items()})
    for name, array in meaning.outputs.items():
        np.testing.assert_allclose(result.outputs[name][0], array, rtol=2e-5, atol=1e-5, err_msg=name)
    for name, array in meaning.updates.items():
        size = max(1e-3, float(np.max(np.abs(array), initial=0.0)))
        np.testing.assert_allclose(backend.to_host(kept[name]), array, rtol=2e-5, atol=1e-4 * size, err_msg=name)


def _same_on_other_threads(case: Case, network: Network, storage: dict[str, Any], expected: dict[str, Any]) -> None:
    for threads in (1, 2, 3):
        backend = ExactlyThreads(threads)
        kept = {name: backend.to_device(array) for name, array in storage.items()}
        backend.load(backend.plan(network.training_step, case.sizes()), kept).start(
            case.feeds(1, np.float32), 1
        ).result()
        for name, array in expected.items():
            assert backend.to_host(kept[name]).tobytes() == array.tobytes(), (name, threads)
