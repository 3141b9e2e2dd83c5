"""Products by cublasLt: what it is asked for, and the route of a plan through it, by a double of the library."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret
from graph.nets import Case, net

from backends.cuda import test_products
from backends.cuda.cublaslt_double import HANDLE, CublasLtDouble
from backends.cuda.emulator import EmulatedDevice, compiler
from backends.spec_steps import FOLDER, spec_steps
from nnctl.backends.cuda import cublaslt, product_library
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.cublaslt import Algorithm, CublasLt, Heuristic, declared, installed
from nnctl.backends.cuda.product_library import NoAlgorithm, Product, worth_a_library
from nnctl.components.signature import DataSignature
from nnctl.errors import DeviceError
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.network import Network

STREAM = 0x57


WITH_LIBRARY: list[EmulatedDevice] = []


@pytest.fixture(autouse=True)
def nothing_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("nnctl.backends.cache.store.cache_root", lambda: tmp_path)
    yield
    # A device and its library know each other: its workspace would stay until the garbage is looked through.
    for device in WITH_LIBRARY:
        device.products = None
    WITH_LIBRARY.clear()


def with_library(double: CublasLtDouble, order: int = 0) -> EmulatedDevice:
    """An emulated device that has the library's double."""
    double.device = EmulatedDevice(order)
    double.device.products = CublasLt(declared(double), double.device, STREAM, "emulated")
    WITH_LIBRARY.append(double.device)
    return double.device


def multiplied(device: EmulatedDevice, product: Product) -> None:
    """Compare a product and its end with NumPy's."""
    rng = np.random.default_rng([product.m, product.n, product.k])
    a, b = (rng.standard_normal(shape) for shape in ((product.m, product.k), (product.k, product.n)))
    left, right = (
        device.upload(np.ascontiguousarray(x.T if turned else x, np.float32))
        for x, turned in ((a, product.transpose_a), (b, product.transpose_b))
    )
    result = device.empty((product.m, product.n), np.float32)
    before = rng.standard_normal(product.n).astype(np.float32)
    beside = device.upload(before)
    arrays = (left, right, result, beside) if product.end not in ("", "relu") else (left, right, result)
    assert device.products is not None
    work = device.products.prepared(product, *map(device.address, arrays))
    np.testing.assert_array_equal(beside, before)
    work()
    expected = a @ b + before if "bias" in product.end else a @ b
    expected = np.maximum(expected, 0.0) if "relu" in product.end else expected
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    if product.end == "sums":
        np.testing.assert_allclose(beside, b.sum(axis=0), rtol=1e-4, atol=1e-5)


def test_the_structures_are_as_long_as_the_library_has_them() -> None:
    assert ctypes.sizeof(Algorithm) == 64
    assert ctypes.sizeof(Heuristic) == 96
    assert (Heuristic.workspace.offset, Heuristic.state.offset, Heuristic.waves.offset) == (64, 72, 76)


def test_what_the_library_is_asked_for_in_this_order() -> None:
    double = CublasLtDouble(proposed=1)
    multiplied(with_library(double), Product(6, 4, 8, False, True, "tf32"))
    assert double.asked == [
        ("create",),
        ("descriptor", 77, 0),
        ("set", 3, 1),
        ("set", 4, 0),
        # Columns for rows: B (4, 8) as (8, 4), A (6, 8) as (8, 6), C (6, 4) as (4, 6).
        ("layout", 0, 8, 4, 8),
        ("layout", 0, 8, 6, 8),
        ("layout", 0, 4, 6, 4),
        ("preference",),
        ("set", 1, 32 << 20),
        ("set", 5, 256),
        ("set", 6, 256),
        ("set", 7, 256),
        ("set", 8, 256),
        ("propose", 8),
        ("destroy",),
    ]


@pytest.mark.parametrize(("precision", "number"), [("float32", 68), ("tf32", 77), ("bf16", 75)])
def test_each_precision_is_computed_as_the_library_names_it(precision: Any, number: int) -> None:
    double = CublasLtDouble()
    multiplied(with_library(double), Product(2, 3, 4, False, False, precision))
    assert ("descriptor", number, 0) in double.asked


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_no_matrix_is_moved_for_a_transpose(transpose_a: bool, transpose_b: bool) -> None:
    device = with_library(CublasLtDouble())
    for m, n, k in ((1, 1, 1), (5, 3, 7), (4, 64, 16)):
        multiplied(device, Product(m, n, k, transpose_a, transpose_b, "float32"))


@pytest.mark.parametrize(("end", "epilogue"), [("relu", 2), ("bias", 4), ("bias+relu", 6), ("sums", 256)])
def test_an_end_is_an_epilogue(end: Any, epilogue: int) -> None:
    for m, n, k in ((5, 3, 7), (1, 1, 1), (33, 31, 8)):
        double = CublasLtDouble()
        multiplied(with_library(double), Product(m, n, k, bool(n % 2), end != "sums", "float32", end))
        assert ("set", 7, epilogue) in double.asked


def test_a_relu_keeps_a_nan() -> None:
    double = CublasLtDouble(dropping=[0])
    multiplied(with_library(double), Product(5, 3, 7, False, False, "float32", "relu"))
    assert double.ran[0] == 0
    assert double.ran[-1] == 2
    with pytest.raises(NoAlgorithm, match=r"no algorithm for Product.* that keeps a NaN"):
        multiplied(with_library(CublasLtDouble(dropping=[0, 2])), Product(5, 3, 7, True, False, "float32", "bias+relu"))


def test_an_end_that_the_library_has_not() -> None:
    with pytest.raises(NoAlgorithm, match="no algorithm for Product"):
        multiplied(with_library(CublasLtDouble(without=[256])), Product(5, 3, 7, True, False, "float32", "sums"))


def test_an_address_is_not_said_to_be_better_aligned_than_it_is() -> None:
    double, device = CublasLtDouble(), EmulatedDevice()
    made = CublasLt(declared(double), device, STREAM, "emulated")
    memory = device.empty((4096,), np.float32)
    at = device.address(memory)
    made.prepared(Product(4, 4, 4, False, False, "float32"), at + 64, at + 1024, at + 2048 + 16)
    said = {attribute: value for what, attribute, value in (a for a in double.asked if a[0] == "set" and a[1] >= 5)}
    assert said == {5: 256, 6: 64, 7: 16, 8: 16}


def test_the_fastest_algorithm_is_kept_for_runs_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    product, double = Product(4, 4, 4, False, False, "float32"), CublasLtDouble(proposed=3)
    # Of the algorithms 0, 2 and 3 the second is fast; a run before the first mark is not timed.
    clock = iter([t for span in (5.0, 1.0, 3.0) for _ in range(5) for t in (0.0, span)])
    device = with_library(double)
    monkeypatch.setattr(device, "mark", lambda: next(clock))
    multiplied(device, product)
    assert double.ran == [0] * 6 + [2] * 6 + [3] * 6 + [2]
    again = CublasLtDouble(proposed=3)
    multiplied(with_library(again), product)
    assert again.ran == [2]
    assert ("propose", 8) not in again.asked


@pytest.mark.parametrize("failing", ["cublasLtCreate", "cublasLtMatmulAlgoGetHeuristic", "cublasLtMatmul"])
def test_a_library_that_refuses_says_what(failing: str) -> None:
    double = CublasLtDouble()
    double.failing = failing
    with pytest.raises(DeviceError, match=rf"^cublasLt 13\.0\.2 refuses {failing}: status 7$"):
        multiplied(with_library(double), Product(4, 4, 4, False, False, "float32"))


def test_a_library_without_an_algorithm_says_so() -> None:
    with pytest.raises(DeviceError, match="has no algorithm for Product"):
        multiplied(with_library(CublasLtDouble(proposed=-1)), Product(4, 4, 4, False, False, "float32"))


def test_large_products_alone_are_worth_a_call() -> None:
    assert worth_a_library(1024, 2048, 2048)
    assert worth_a_library(784, 2048, 1024)
    assert not worth_a_library(10, 30, 784)
    assert not worth_a_library(128, 100, 784)
    assert not worth_a_library(8192, 10, 8192)
    assert not worth_a_library(0, 2048, 2048)


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")
class TestPlans:
    @pytest.fixture
    def double(self, monkeypatch: pytest.MonkeyPatch) -> CublasLtDouble:
        """The double, which is asked for all products of devices made meanwhile."""
        double = CublasLtDouble()
        monkeypatch.setattr(product_library, "worth_a_library", lambda m, n, k: True)
        monkeypatch.setattr(test_products, "EmulatedDevice", lambda order: with_library(double, order))
        return double

    @pytest.mark.parametrize("transpose_a", [False, True])
    @pytest.mark.parametrize("transpose_b", [False, True])
    def test_products_and_updates(self, double: CublasLtDouble, transpose_a: bool, transpose_b: bool) -> None:
        for update in (False, True):
            double.ran.clear()
            test_products.check(7, 5, 9, transpose_a, transpose_b, update=update, order=1)
            assert double.ran

    def test_a_step_that_its_guard_stops_changes_nothing(self, double: CublasLtDouble) -> None:
        builder = GraphBuilder("guarded")
        w, x = builder.input("w", (4, 4), "real", "optimizer state"), builder.input("x", (4, 4))
        guard = builder.apply("sum", x, axes=(0, 1))
        alpha, beta = builder.input("alpha", ()), builder.input("beta", ())
        new = builder.apply("accumulate_product", w, x, x, alpha, beta)
        graph = builder.graph({}, {w.value: new}, guard)
        device = with_library(double)
        backend = CudaBackend(device)
        before = np.arange(16, dtype=np.float32).reshape(4, 4)
        storage = {"w": device.upload(before)}
        xs = np.random.default_rng(0).standard_normal((3, 4, 4)).astype(np.float32)
        xs[1, 2, 3] = np.nan
        feeds = {"x": xs, "alpha": np.full(3, 0.5, np.float32), "beta": np.full(3, 0.9, np.float32)}
        result = backend.load(backend.plan(graph, {}), storage).start(feeds, 3).result()
        assert result.completed == 1
        assert len(double.ran) > 3
        first = {"w": before, "x": xs[0], "alpha": np.float32(0.5), "beta": np.float32(0.9)}
        expected = interpret(graph, first, {}, np.float32).updates["w"]
        np.testing.assert_allclose(storage["w"], expected, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("without", [(), (6,), (6, 256)])
    @pytest.mark.parametrize("optimizer", ["sgd", "adam"])
    def test_a_net_steps_as_its_graph_means(
        self, double: CublasLtDouble, optimizer: str, without: tuple[int, ...]
    ) -> None:
        """Ends by the library, or by what is there instead."""
        double.without = without
        hidden = "{type: dense, units: 7, activation: relu}"
        spec = net(f"layers: [{hidden}, {hidden}, {{type: dense, units: 3}}]\noptimizer: {optimizer}")
        case = Case(spec, DataSignature((6,), "real", None, (3,)), 5, 0)
        graph = Network(case.spec, case.signature).training_step
        storage, feeds = case.storage(np.float32), case.feeds(1, np.float32)
        meaning = interpret(graph, storage | {k: v[0] for k, v in feeds.items()}, case.sizes(), np.float32)
        device = with_library(double)
        backend = CudaBackend(device)
        placed = {name: device.upload(array) for name, array in storage.items()}
        plan = backend.plan(graph, case.sizes())
        assert backend.load(plan, placed).start(feeds, 1).result().completed == 1
        for name, array in meaning.updates.items():
            np.testing.assert_allclose(placed[name], array, rtol=1e-4, atol=1e-6, err_msg=name)
        ends = re.findall(r"end='([^']*)'", backend.listing(plan))
        assert ends.count("bias+relu") == 2
        assert ends.count("sums") == 3

    def test_what_a_product_makes_beside_it_has_its_time_there(self, double: CublasLtDouble) -> None:
        spec = spec_steps(FOLDER / "blobs.yaml", 6, 20)
        device = with_library(double)
        backend = CudaBackend(device)
        storage = {name: device.upload(array) for name, array in spec.storage.items()}
        timed = backend.load_timed(backend.plan(spec.network.training_step, spec.sizes), storage)
        timed.start(spec.feeds(1), 1).result()
        assert timed.elsewhere()
        assert {number for number, seconds in enumerate(timed.spent()) if seconds == 0.0} == timed.elsewhere()

    def test_listings_name_products_of_the_library(self, double: CublasLtDouble) -> None:
        builder = GraphBuilder("listed")
        tensors = [builder.input(name, (4, 4), "real", "optimizer state") for name in "ab"]
        backend = CudaBackend(with_library(double))
        plan = backend.plan(builder.graph({"y": builder.apply("matmul", *tensors)}), {})
        assert "// Product(m=4, n=4, k=4, " in backend.listing(plan)
        assert "product_" not in backend.listing(plan)


def test_the_real_library_takes_our_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    found = installed()
    if found is None:
        pytest.skip("libcublasLt is not installed")
    # It starts on a device alone, but describes without one.
    monkeypatch.setattr(CublasLt, "_made", _without_a_handle(CublasLt._made))
    made = CublasLt(found, EmulatedDevice(), STREAM, "none")
    assert int(made.version.split(".")[0]) >= 12
    for precision in cublaslt._COMPUTE:
        product = Product(6, 4, 8, False, True, precision)
        assert made._descriptor(product, 0).value
        assert made._descriptor(replace(product, end="bias+relu"), 4096).value
        assert all(layout.value for layout in made._operands(product))


def _without_a_handle(made: Any) -> Any:
    def anything_else(self: CublasLt, name: str, *arguments: Any) -> Any:
        return ctypes.c_void_p(HANDLE) if name == "cublasLtCreate" else made(self, name, *arguments)

    return anything_else
