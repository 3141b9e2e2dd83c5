"""Reductions that make their elements themselves: by a formula, several at a time, in one pass and in two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret

from backends.cuda.emulator import EmulatedDevice, compiler
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]

Build = Callable[..., Mapping[str, Any]]


def graph_of(build: Build, *shapes: tuple[int, ...]) -> tuple[Graph, dict[str, Any]]:
    """The graph of what `build` makes of a builder and inputs of these shapes, and numbers for the inputs."""
    rng = np.random.default_rng(len(shapes))
    arrays = {f"x{i}": rng.standard_normal(shape).astype(np.float32) for i, shape in enumerate(shapes)}
    builder = GraphBuilder("reductions")
    tensors = [builder.input(name, a.shape, "real", "optimizer state") for name, a in arrays.items()]
    return builder.graph(build(builder, *tensors)), arrays


def check(build: Build, *shapes: tuple[int, ...]) -> None:
    """Compare the emulated device with the reference bodies, in three orders of threads."""
    graph, arrays = graph_of(build, *shapes)
    expected = interpret(graph, arrays, {}, np.float64).outputs
    for order in (0, 1, 5):
        backend = CudaBackend(EmulatedDevice(order))
        executable = backend.load(backend.plan(graph, {}), {k: backend.to_device(a) for k, a in arrays.items()})
        found = executable.start({}, 1).result().outputs
        for name, array in expected.items():
            np.testing.assert_allclose(found[name][0], array, rtol=1e-5, atol=1e-5, err_msg=name)


def names(build: Build, *shapes: tuple[int, ...]) -> list[list[str]]:
    """The kind of each function that each launch calls, generated ones without their number."""
    calls = calls_of(lowered(graph_of(build, *shapes)[0], {}))
    return [[call.function.name.rstrip("0123456789") for call in of_launch or []] for of_launch in calls]


def spread(builder: Any, x: Any, scale: Any) -> Mapping[str, Any]:
    """The mean square of each column, shifted."""
    return {"y": builder.apply("mean", (x - scale) * (x - scale), axes=(0,))}


@pytest.mark.parametrize("shape", [(5, 3), (70, 33), (5000, 2), (6, 7, 8, 5)])
def test_a_formula_is_added_up_and_never_stored(shape: tuple[int, ...]) -> None:
    check(spread, shape, shape[-1:])
    assert names(spread, (5, 3), (3,)) == [["reduction"]]
    assert names(spread, (5000, 2), (2,)) == [["reduction", "sums"]]


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2), (1, 2), (0, 1, 2)])
def test_over_any_axes(axes: tuple[int, ...]) -> None:
    def build(builder: Any, x: Any, y: Any) -> Mapping[str, Any]:
        return {name: builder.apply(name, x * y, axes=axes) for name in ("sum", "max")}

    check(build, (5, 70, 6), (70, 1))
    check(build, (300, 3, 2), (3, 2))


def several(builder: Any, x: Any, g: Any) -> Mapping[str, Any]:
    """What a scale and a shift learn from, and a maximum."""
    return {
        "shift": builder.apply("sum", g, axes=(0,)),
        "scale": builder.apply("sum", g * x, axes=(0,)),
        "mean": builder.apply("mean", x * x, axes=(0,)),
        "largest": builder.apply("max", x, axes=(0,)),
        "of rows": builder.apply("sum", x + g, axes=(1,)),
    }


@pytest.mark.parametrize("shape", [(7, 5), (1, 40), (5000, 3)])
def test_reductions_over_the_same_places_read_them_once(shape: tuple[int, int]) -> None:
    check(several, shape, shape)
    made = names(several, shape, shape)
    passes = 2 if shape[0] > 1000 else 1
    assert sorted(map(len, made)) == [0, 0, 1, passes, passes]


def test_more_than_fit_into_one_function() -> None:
    def build(builder: Any, x: Any) -> Mapping[str, Any]:
        return {f"y{i}": builder.apply("sum", x * float(i + 2), axes=(0,)) for i in range(6)}

    check(build, (40, 3))
    assert sorted(map(len, names(build, (40, 3)))) == [0, 0, 0, 0, 1, 1]


def test_a_formula_that_others_read_too_is_stored() -> None:
    def build(builder: Any, x: Any) -> Mapping[str, Any]:
        y = x * x
        return {"y": builder.apply("sum", y, axes=(0,)), "z": builder.apply("sum", y, axes=(1,))}

    check(build, (40, 3))
    assert names(build, (40, 3)) == [["formula"], ["sums"], ["sums"]]
