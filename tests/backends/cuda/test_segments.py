"""Launches of one formula in one grid: the same results to the bit, fewer launches, the time shared out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.cuda.emulator import EmulatedDevice, compiler
from backends.spec_steps import FOLDER, SPECS, spec_steps
from nnctl.backends.cuda import product_library
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.calls import Call
from nnctl.backends.cuda.codegen.segments import MOST_BYTES
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph
from nnctl.plan.plan import Plan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]


def one_by_one(plan: Plan, precision: Any, *, joined: bool) -> list[list[Call] | None]:
    return calls_of(plan, precision)


def trained(plan: Plan, storage: Mapping[str, Any], feeds: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Storage and outputs after some steps."""
    backend = CudaBackend(EmulatedDevice(5))
    placed = {name: backend.to_device(array) for name, array in storage.items()}
    result = backend.load(plan, placed).start(feeds, steps).result()
    return {**{name: backend.to_host(array) for name, array in placed.items()}, **result.outputs}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_steps_of_a_spec_are_the_same_to_the_bit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = spec_steps(path, 3, 20, brief=True)
    plan = lowered(steps.network.training_step, steps.sizes)
    if not any(call.shares for calls in calls_of(plan, joined=True) for call in calls or ()):
        pytest.skip("nothing to join")
    joined = trained(plan, steps.storage, steps.feeds(2), 2)
    monkeypatch.setattr(product_library, "calls_of", one_by_one)
    for name, array in trained(plan, steps.storage, steps.feeds(2), 2).items():
        np.testing.assert_array_equal(array, joined[name], err_msg=name)


class CountingDevice(EmulatedDevice):
    """A device whose clock counts launches."""

    launches = 0

    def launch(self, *arguments: Any) -> None:
        self.launches += 1
        super().launch(*arguments)

    def mark(self) -> float:
        return self.launches


def plan_of(name: str) -> tuple[Plan, Any]:
    steps = spec_steps(FOLDER / f"{name}.yaml", 3, 20)
    return lowered(steps.network.training_step, steps.sizes), steps


@pytest.mark.parametrize(("name", "parameters"), [("digits", 4), ("conv-digits", 6), ("residual", 20)])
def test_adam_updates_every_parameter_in_one_launch(
    name: str, parameters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, steps = plan_of(name)
    updates = [i for i, launch in enumerate(plan.launches) if "adam" in launch.op.name]
    assert len(updates) == parameters
    first, *others = (calls_of(plan, joined=True)[i] for i in updates)
    assert len(first or ()) == 1
    assert others == [[]] * len(others)

    def launches() -> int:
        backend = CudaBackend(device := CountingDevice())
        placed = {key: backend.to_device(array) for key, array in steps.storage.items()}
        backend.load(plan, placed).start(steps.feeds(1), 1).result()
        return device.launches

    joined = launches()
    monkeypatch.setattr(product_library, "calls_of", one_by_one)
    assert joined <= launches() - (parameters - 1)


def test_the_time_of_a_grid_is_shared_out_by_blocks() -> None:
    plan, steps = plan_of("digits")
    backend = CudaBackend(CountingDevice())
    placed = {key: backend.to_device(array) for key, array in steps.storage.items()}
    timed = backend.load_timed(plan, placed)
    timed.start(steps.feeds(1), 1).result()
    spent = {launch.outputs[0].name: time for launch, time in zip(plan.launches, timed.spent(), strict=True)}
    blocks = {"dense1.weight⁺": 16, "dense1.bias⁺": 1, "dense2.weight⁺": 3, "dense2.bias⁺": 1}
    for name, own in blocks.items():
        assert spent[name] == pytest.approx(own / 21)
    assert spent["dense1.a"] == 1.0
    assert backend.listing(plan).count("// made by segments0, the call of dense1.weight⁺\n") == 3


def doubled(lengths: list[int]) -> Graph:
    """Storage of these lengths, each of which a step doubles."""
    builder = GraphBuilder("double")
    olds = [builder.input(f"x{i}", (n,), role="optimizer state") for i, n in enumerate(lengths)]
    return builder.graph({}, {old.value: old * 2.0 for old in olds})


def test_a_grid_has_as_many_segments_as_its_parameters_hold() -> None:
    lengths = [1 + 37 * i % 700 for i in range(1, 200)]
    plan = lowered(doubled(lengths), {})
    grids = [call for calls in calls_of(plan, joined=True) for call in calls or () if call.shares]
    # Two pointers each, a constant, a count and a bound.
    assert [len(grid.shares) for grid in grids] == [146, 53]
    for grid in grids:
        assert 8 + sum(8 if p.pointer else 4 for p in grid.function.parameters) <= MOST_BYTES
    storage = {f"x{i}": np.arange(n, dtype=np.float32) for i, n in enumerate(lengths)}
    for name, array in trained(plan, storage, {}, 3).items():
        np.testing.assert_array_equal(array, 8.0 * storage[name])


def test_what_is_nothing_is_in_no_grid() -> None:
    plan = lowered(doubled([0, 257, 0]), {})
    assert not any(call.shares for calls in calls_of(plan, joined=True) for call in calls or ())
    storage = {f"x{i}": np.ones(n, np.float32) for i, n in enumerate([0, 257, 0])}
    np.testing.assert_array_equal(trained(plan, storage, {}, 1)["x1"], np.full(257, 2.0))


def test_no_grid_reaches_over_the_check_of_the_guard() -> None:
    builder = GraphBuilder("guarded")
    cost, other, third = (builder.input(name, (1,), role="optimizer state") for name in ("cost", "other", "third"))
    guard, *outputs = (builder.apply("reshape", x * 2.0, shape=()) for x in (cost, other, third))
    plan = lowered(builder.graph({"other": outputs[0], "third": outputs[1]}, {}, guard), {})
    assert (plan.guarded, [launch.phase for launch in plan.launches]) == (1, [0, 0, 0])
    (first,), (second,), last = (calls or [] for calls in calls_of(plan, joined=True))
    assert (first.shares, second.shares, last) == ((), ((1, 1), (2, 1)), [])


def test_large_updates_stay_where_their_gradients_are_made() -> None:
    builder = GraphBuilder("large and small")
    names = ("large", "small", "chain")
    large, small, chain = (builder.input(n, (1 << 19 if n == "large" else 9,), role="optimizer state") for n in names)
    slow = builder.apply("sum", builder.apply("sum", chain * 3.0, axes=(0,)) * chain, axes=(0,))
    graph = builder.graph({"slow": slow}, {large.value: large * 2.0, small.value: small * 2.0})
    phases = {launch.outputs[0].key: launch.phase for launch in lowered(graph, {}).launches}
    assert (phases["large"], phases["small"]) == (0, 1)
