"""Runs on one device, each in a stream of its own: what is under way of one while others go on changes no bit."""

from __future__ import annotations

import gc
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_contents import contents

from backends.conftest import emulated
from backends.cuda.cublaslt_double import CublasLtDouble
from backends.cuda.cupy_double import FakeCupy
from backends.cuda.emulator import EmulatedDevice, compiler
from backends.cuda.stream_double import Stream
from nnctl.analysis.bench import bench
from nnctl.backends.cuda import cupy_device
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.component import Cuda
from nnctl.backends.cuda.cublaslt import WORKSPACE, declared
from nnctl.backends.cuda.cupy_device import CupyDevice, lent_device
from nnctl.backends.cuda.device import BRANCHES
from nnctl.backends.cuda.product_library import Product
from nnctl.backends.cuda.shared import Shared
from nnctl.components.signature import DataSignature
from nnctl.errors import DivergedError
from nnctl.process.together import Together, to_its_end
from nnctl.reporting.follow import RunSink, following
from nnctl.spec.load import load_text
from nnctl.training import saving, session
from nnctl.training.events import Finished, Paused
from nnctl.training.kept import Kept

SPEC = """
name: tiny
data: {type: blobs, examples: 24, validation: 6, test: 6}
layers: [{type: dense, units: 3, activation: linear}]
cost: mse
optimizer: {type: sgd, learning_rate: 0.05}
schedule: {epochs: 3, batch_size: 8}
backend: {type: cuda, persistent: false}
"""
TRIALS = {
    "one": (),
    "two": ("seed=2",),
    "diverges": ("optimizer.learning_rate=1e30",),
    "three": ("seed=3", "optimizer.learning_rate=0.01"),
    "stops": ("schedule.early_stopping={patience: 1}", "optimizer.learning_rate=1e-12", "schedule.epochs=9"),
    "pruned": ("schedule.epochs=6",),
}


def a_run(name: str, out: str, *settings: str, kept: Kept | None = None) -> Generator[None, None, Any]:
    loaded = load_text(SPEC, "tiny.yaml", (*TRIALS[name], *settings))
    pause = (lambda epochs, rows: epochs >= 2) if name == "pruned" else None
    events = session.train(loaded, out=Path(out), chunk=2, kept=kept, pause=pause)
    try:
        return (yield from following(events, [RunSink()]))
    except DivergedError as error:
        return str(error)


def opened_streams(log: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> list[Stream]:
    """The streams of one device that are opened from now on, one for each run."""
    shared, streams = Shared(), list[Stream]()

    def opened(self: Cuda, workers: int | None = None) -> CudaBackend:
        streams.append(Stream(f"stream {len(streams)}", log, shared))
        return CudaBackend(streams[-1], persistent=self.persistent)

    monkeypatch.setattr(Cuda, "obstacle", lambda self: None)
    monkeypatch.setattr(Cuda, "open", opened)
    return streams


def trained(
    names: list[str], out: str, log: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, *settings: str
) -> tuple[dict[str, Any], list[int]]:
    """Runs together, each with a stream of its own; how each ends, and the rows of each launch."""
    streams = opened_streams(log, monkeypatch)
    together, kept = Together[str, Any](), Kept()
    for name in names:
        together.add(name, a_run(name, f"{out}/{name}", *settings, kept=kept))
    ends = {}
    while together:
        if (ended := together.turn()) is not None:
            ends[ended[0]] = ended[1]
    return ends, [rows for stream in streams for rows in stream.launched]


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++ 12")
@pytest.mark.parametrize("persistent", ["false", "true"])
def test_runs_in_streams_of_their_own_are_to_the_bit_what_each_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, persistent: str
) -> None:
    monkeypatch.chdir(tmp_path)
    # How long g++ takes decides about no checkpoint of the run that diverges.
    monkeypatch.setattr(saving, "SAVE_SECONDS", math.inf)
    log: list[tuple[str, str]] = []
    settings = (f"backend.persistent={persistent}",)
    ends, rows = trained(list(TRIALS), "together", log, monkeypatch, *settings)
    # By persistent kernels chunks of several are rows of one launch.
    assert (max(rows) > 1) == (persistent == "true")
    assert {name for name, end in ends.items() if isinstance(end, Finished)} == {"one", "two", "three", "stops"}
    assert "no longer finite" in ends["diverges"]
    assert ends["stops"].summary["epochs"] < 9
    assert isinstance(ends["pruned"], Paused)
    # Chunks of several streams were under way at once: the work of another was put in before one was waited for.
    under_way, most = set(), 0
    for what, name in log:
        (under_way.add if what == "put" else under_way.discard)(name)
        most = max(most, len(under_way))
    assert most >= 3
    for name in TRIALS:
        (alone,) = trained([name], "alone", [], monkeypatch, *settings)[0].values()
        assert isinstance(alone, Finished) or alone == ends[name]
        assert contents(f"together/{name}") == contents(f"alone/{name}")


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++ 12")
def test_a_bench_says_what_trials_gain_together() -> None:
    """On the emulated device, whose one core has nothing to gain."""
    loaded = load_text(SPEC, "tiny.yaml")
    with emulated(CudaBackend(EmulatedDevice())):
        found = bench(loaded.spec, DataSignature((2,), classes=("a", "b", "c")), steps=2)
        evaluated = bench(loaded.spec, DataSignature((2,), classes=("a", "b", "c")), steps=2, step="evaluate")
    assert (found.together, evaluated.together, evaluated.gain) == (8, 1, None)
    assert found.gain is not None
    assert 0 < found.gain < 3
    small = EmulatedDevice()
    small.memory_left = lambda: 1 << 18  # type: ignore[method-assign]
    with emulated(CudaBackend(small)):
        cramped = bench(loaded.spec, DataSignature((2,), classes=("a", "b", "c")), steps=2)
    assert (cramped.together, cramped.gain) == (8, None)


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++ 12")
def test_a_bench_times_trials_as_rows_of_one_launch_where_these_run_them(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = opened_streams([], monkeypatch)
    monkeypatch.setattr(Cuda, "together", lambda self, jobs: 4)
    loaded = load_text(SPEC, "tiny.yaml", ("backend.persistent=true",))
    found = bench(loaded.spec, DataSignature((2,), classes=("a", "b", "c")), steps=2)
    assert found.together == 4
    assert found.gain is not None
    # Half of the four, and of the one that is timed in turn with them.
    assert max(rows for stream in streams for rows in stream.launched) == 3


@pytest.mark.gpu
@pytest.mark.parametrize("persistent", ["false", "true"])
def test_runs_on_a_gpu_are_to_the_bit_what_each_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, persistent: str
) -> None:
    monkeypatch.chdir(tmp_path)
    together: Together[str, Any] = Together()
    settings = (f"backend.persistent={persistent}", "schedule.epochs=200")
    for number in range(6):
        together.add(f"{number}", a_run("one", f"together/{number}", f"seed={number}", *settings))
    while together:
        together.turn()
    for number in range(6):
        alone = to_its_end(a_run("one", f"alone/{number}", f"seed={number}", *settings))
        assert isinstance(alone, Finished)
        assert contents(f"together/{number}") == contents(f"alone/{number}")


# -- of a GPU, by a double of CuPy -------------------------------------------------------


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> FakeCupy:
    fake = FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cupy_device, "_shared", defaultdict(Shared))
    monkeypatch.setattr(cupy_device, "_idle", {})
    monkeypatch.setattr(cupy_device, "_lent", Counter())
    monkeypatch.setattr(cupy_device, "installed", lambda: None)
    monkeypatch.setattr(cupy_device, "architecture_for", lambda capability: f"sm_{capability}")
    monkeypatch.setattr(cupy_device, "compiled", lambda unit, architecture: b"")
    return fake


def test_work_of_two_devices_goes_into_two_streams_and_modules_are_loaded_once(cupy: FakeCupy) -> None:
    one, other = CupyDevice(0), CupyDevice(0)
    for device in (one, other, one):
        loaded = device.load(function("steps.cu", "count_step"))
        device.launch(loaded, 1, 256, 0, (np.uint64(1), np.uint64(2)))
        device.upload(np.ones(3, np.float32))
    assert [entry[6] for entry in cupy.log if entry[0] == "launch"] == [77, 81, 77]
    assert [entry[3] for entry in cupy.log if entry[0] == "memcpy"] == [77, 81, 77]
    assert cupy.names().count("load") == 1
    # Another GPU has memory of its own for them.
    CupyDevice(1).load(function("steps.cu", "count_step"))
    assert cupy.names().count("load") == 2


def test_what_one_captures_is_not_added_to_by_another(cupy: FakeCupy) -> None:
    one, other = CupyDevice(0), CupyDevice(0)
    loaded = one.load(function("steps.cu", "count_step"))

    def work() -> None:
        # The other's memory can be asked for: it captures nothing.
        other.upload(np.ones(3, np.float32))
        one.launch(loaded, 1, 256, 0, (np.uint64(1), np.uint64(2)))

    graph = one.capture(work)
    graph()
    assert cupy.log[-1][:1] == ("graph.launch",)
    assert cupy.log[-1][1].ptr == 77


def test_products_of_two_devices_share_no_memory(
    cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nnctl.backends.cache.store.cache_root", lambda: tmp_path)
    double = CublasLtDouble(proposed=1)
    asked: list[tuple[int, int]] = []

    def multiply(*arguments: Any) -> int:
        asked.append((arguments[-3], arguments[-1]))
        return 0

    library = declared(double)
    monkeypatch.setattr(cupy_device, "installed", lambda: library)
    devices = [CupyDevice(0), CupyDevice(0)]
    library.cublasLtMatmul = multiply
    for device in devices:
        memory = device.upload(np.ones(256, np.float32))
        at = device.address(memory)
        device.products.prepared(Product(4, 4, 4, False, False, "float32"), at, at + 256, at + 512)()
    (first, stream), (second, other) = asked
    assert {stream, other} == {77, 81}
    assert abs(first - second) >= WORKSPACE


class Borrower:
    """Whoever is lent a device."""

    def __init__(self, device: CupyDevice) -> None:
        self.device = device


def test_a_device_goes_to_the_next_who_asks_when_nobody_uses_it(cupy: FakeCupy) -> None:
    first, second = (lent_device(0, Borrower) for _ in range(2))
    assert first.device is not second.device
    kept = first.device
    assert (kept.sharers, second.device.sharers) == (2, 2)
    del first
    gc.collect()
    assert second.device.sharers == 1
    third = lent_device(0, Borrower)
    assert third.device is kept
    assert lent_device(1, Borrower).device.number == 1
    assert cupy.streams == 3 * BRANCHES
