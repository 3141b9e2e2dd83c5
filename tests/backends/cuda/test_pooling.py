"""Windows of all kinds over images of all widths: wide strides, padding, ties, and what is no number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret

from backends.cuda.agreement import compare
from backends.cuda.emulator import EmulatedDevice, compiler
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.graph.builder import GraphBuilder
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.pooling import maximum_place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]


def window(size: Any, stride: Any, *padding: tuple[int, int]) -> dict[str, Any]:
    apart = (1,) * len(size)
    return {"size": size, "stride": stride, "padding": padding or ((0, 0),) * len(size), "dilation": apart}


CASES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 8, 8, 32), window((2, 2), (2, 2))),
    ((1, 9, 7, 33), window((2, 2), (2, 2))),
    ((2, 9, 7, 4), window((3, 3), (2, 2), (1, 1), (1, 1))),
    ((1, 7, 7, 12), window((3, 2), (1, 1), (1, 1), (0, 1))),
    ((1, 11, 10, 3), window((2, 3), (4, 5))),
    ((3, 10, 9, 1), window((2, 2), (3, 4), (1, 0), (0, 1))),
    ((2, 6, 5, 255), window((6, 5), (6, 5))),
    ((1, 257, 2), window((3,), (2,), (2, 1))),
    ((1, 1, 1, 1), window((1, 1), (1, 1))),
    ((2, 9, 11, 8), {**window((2, 3), (2, 1), (1, 2), (2, 1)), "dilation": (3, 2)}),
    ((1, 40, 3), {**window((3,), (2,), (4, 3)), "dilation": (5,)}),
]


def images(shape: tuple[int, ...], seed: int) -> Any:
    """Few different numbers, so that windows hold equal ones; and infinities, and what is no number."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, size=shape).astype(float)
    x[rng.random(shape) < 0.05] = math.nan
    x[rng.random(shape) < 0.05] = -math.inf
    return x


@pytest.mark.parametrize(("shape", "how"), CASES)
@pytest.mark.parametrize("name", ["max_pool", "maximum_place", "sum_pool"])
def test_windows_meet_the_places_that_the_reference_says(
    name: str, shape: tuple[int, ...], how: dict[str, Any]
) -> None:
    compare(name, [images(shape, sum(shape))], how, sum(shape) % 3)


@pytest.mark.parametrize(("shape", "how"), CASES)
def test_maxima_and_their_places_are_one_call_that_gives_the_same(shape: tuple[int, ...], how: dict[str, Any]) -> None:
    builder = GraphBuilder("maxima and places")
    x = builder.input("x", shape, role="optimizer state")
    made = {name: builder.apply(name, x, **how) for name in ("max_pool", "maximum_place")}
    graph = builder.graph(made)
    calls = calls_of(lowered(graph, {}))
    assert [[c.function.name for c in of_launch or ()] for of_launch in calls] == [[], ["max_pool_and_place"]]
    storage = {"x": images(shape, 3).astype(np.float32)}
    expected = interpret(graph, storage, {}, np.float64).outputs
    backend = CudaBackend(EmulatedDevice(sum(shape) % 3))
    placed = {key: backend.to_device(array) for key, array in storage.items()}
    found = backend.load(backend.plan(graph, {}), placed).start({}, 1).result().outputs
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name][0], array, err_msg=name)


@pytest.mark.parametrize(("shape", "how"), CASES)
def test_what_flows_back_is_what_the_windows_took(shape: tuple[int, ...], how: dict[str, Any]) -> None:
    x = images(shape, 1)
    place = maximum_place(numpy_namespace(), x, **how)
    g = images(place.shape, 2)
    back = {**how, "lengths": shape[1:-1]}
    compare("put_into_windows", [g, place], back, 0)
    compare("spread_pool", [g], back, 1)
    compare("take_from_windows", [x, place], how, 0)


def test_a_place_outside_the_window_gives_nothing() -> None:
    x, place = np.ones((1, 4, 4, 4)), np.array([[-1, 4], [3, 99]]).reshape(1, 2, 2, 1).repeat(4, axis=3)
    compare("take_from_windows", [x, place], window((2, 2), (2, 2)), 0)
    compare("put_into_windows", [x[:, :2, :2], place], {**window((2, 2), (2, 2)), "lengths": (4, 4)}, 0)


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
@pytest.mark.parametrize("shape", [(2, 1, 4), (1, 33, 3), (3, 5, 7, 8), (1, 2, 257)])
def test_samples_of_cells_of_any_number(shape: tuple[int, ...], factor: int) -> None:
    rng = np.random.default_rng(factor)
    compare("interpolate", [rng.standard_normal(shape)], {"axis": 1, "factor": factor}, 1)
    longer = (shape[0], shape[1] * factor, *shape[2:])
    compare("interpolate_transpose", [rng.standard_normal(longer)], {"axis": 1, "factor": factor}, 7)


@pytest.mark.parametrize(
    "how", [("linear", "half_pixel", True), ("cubic", "align_corners", False), ("nearest", "asymmetric", False)]
)
@pytest.mark.parametrize("after", [1, 3, 40])
@pytest.mark.parametrize("shape", [(2, 9, 4), (3, 5, 7, 33)])
def test_an_axis_of_another_length(shape: tuple[int, ...], after: int, how: tuple[str, str, bool]) -> None:
    rng = np.random.default_rng(after)
    interpolation, coordinates, antialias = how
    rules: dict[str, Any] = {
        "axis": 1, "lengths": (shape[1], after), "scale": after / shape[1], "interpolation": interpolation,
        "coordinates": coordinates, "rounding": "floor", "coefficient": -0.75, "exclude_outside": False,
        "antialias": antialias,
    }  # fmt: skip
    compare("resize", [rng.standard_normal(shape)], rules, 1)
    compare("resize_transpose", [rng.standard_normal((shape[0], after, *shape[2:]))], rules, 2)
