"""A real device: copies, launches, captures, and every kernel against its reference body."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from backends.cuda.agreement import compare_on
from nnctl.backends.cuda.calls import THREADS, blocks_for
from nnctl.backends.cuda.codegen.functions import function, generated_unit, parsed
from nnctl.backends.cuda.component import Cuda
from nnctl.backends.cuda.cupy_device import CupyDevice
from nnctl.backends.cuda.kernels import EMITTERS
from nnctl.ops import OPS

pytestmark = pytest.mark.gpu

Array = Any
COUNT = 1000


@pytest.fixture(scope="module")
def device() -> CupyDevice:
    obstacle = Cuda().obstacle()
    if obstacle is not None:
        pytest.fail(obstacle)
    return CupyDevice(0)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, np.int32])
@pytest.mark.parametrize("shape", [(), (1,), (7, 3), (0, 5), (1 << 20, 9)])
def test_copies(device: CupyDevice, shape: tuple[int, ...], dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    placed = device.upload(values)
    assert device.address(placed) % 256 == 0
    assert np.array_equal(device.download(placed), values)
    if values.ndim and len(values) > 2:
        device.write(placed, values[:2], len(values) - 2)
        assert np.array_equal(device.download(placed)[-2:], values[:2])


@pytest.fixture(scope="module")
def running(device: CupyDevice) -> Array:
    """The flag that every kernel looks at first."""
    placed: Array = device.upload(np.array([1], np.int32))
    return placed


def pointers(device: CupyDevice, *arrays: Array) -> list[np.uint64]:
    return [np.uint64(device.address(array)) for array in arrays]


def copied(device: CupyDevice, running: Array, source: Array, target: Array) -> None:
    loaded = device.load(function("steps.cu", "copy_real"))
    given = (*pointers(device, running, source, target), np.int32(COUNT))
    device.launch(loaded, blocks_for(COUNT), THREADS, 0, given)


def test_a_launch(device: CupyDevice, running: Array) -> None:
    values = np.random.default_rng(1).standard_normal(COUNT, np.float32)
    source, target = device.upload(values), device.upload(np.zeros(COUNT, np.float32))
    first = device.mark()
    copied(device, running, source, target)
    last = device.mark()
    assert np.array_equal(device.download(target), values)
    assert 0.0 < device.seconds(first, last) < 1.0


def test_shared_memory_above_what_is_given_unasked(device: CupyDevice, running: Array) -> None:
    text = (
        "KERNEL turned(Block block, const float* x, float* y, int count) {\n"
        "    for (int i = threadIdx.x; i < count; i += THREADS) block.shared[i] = x[i];\n    __syncthreads();\n"
        "    for (int i = threadIdx.x; i < count; i += THREADS) y[i] = block.shared[count - 1 - i];\n}"
    )
    turned = parsed(generated_unit("turned", [text]))["turned"]
    values = np.random.default_rng(1).standard_normal(20_000, np.float32)
    source, target = device.upload(values), device.upload(np.zeros_like(values))
    given = (*pointers(device, running, source, target), np.int32(len(values)))
    device.launch(device.load(turned), 1, THREADS, values.nbytes, given)
    assert np.array_equal(device.download(target), values[::-1])


def test_blocks_of_a_cooperative_launch_meet(device: CupyDevice, running: Array) -> None:
    text = (
        "KERNEL met(Block block, int* arrived, float* x, float* y) {\n"
        "    if (threadIdx.x == 0) x[block.index] = float(block.index);\n    grid_barrier(block.count, arrived);\n"
        "    if (threadIdx.x == 0) y[block.index] = x[block.count - 1 - block.index];\n}"
    )
    loaded = device.load(parsed(generated_unit("met", [text]))["met"])
    blocks = device.blocks_together(loaded, THREADS, 0)
    assert blocks >= device.multiprocessors
    arrays = [device.upload(a) for a in (np.zeros(1, np.int32), *np.zeros((2, blocks), np.float32))]
    device.launch(loaded, blocks, THREADS, 0, pointers(device, running, *arrays), cooperative=True)
    assert np.array_equal(device.download(arrays[2]), np.arange(blocks, dtype=np.float32)[::-1])


def test_a_capture_runs_when_it_is_launched_and_not_before(device: CupyDevice, running: Array) -> None:
    values = np.random.default_rng(2).standard_normal(COUNT, np.float32)
    source, middle, target = (device.upload(a) for a in (values, np.zeros_like(values), np.zeros_like(values)))
    loaded = device.load(function("steps.cu", "copy_real"))

    def work() -> None:
        for first, last in ((source, middle), (middle, target)):
            given = (*pointers(device, running, first, last), np.int32(COUNT))
            device.launch(loaded, blocks_for(COUNT), THREADS, 0, given)

    graph = device.capture(work)
    assert not device.download(target).any()
    graph()
    assert np.array_equal(device.download(target), values)
    device.write(source, -values)
    graph()
    assert np.array_equal(device.download(target), -values)


def test_a_capture_that_raises_leaves_the_stream_whole(device: CupyDevice, running: Array) -> None:
    def work() -> None:
        raise KeyError("in a capture")

    with pytest.raises(KeyError, match="in a capture"):
        device.capture(work)
    with pytest.raises(RuntimeError, match="a capture holds launches alone"):
        device.capture(lambda: device.empty((5,), np.float32))
    test_a_launch(device, running)


def test_another_thread_writes(device: CupyDevice) -> None:
    placed = device.upload(np.zeros((4, 3), np.float32))
    writer = threading.Thread(target=device.write, args=(placed, np.ones((2, 3), np.float32), 1))
    writer.start()
    writer.join()
    assert device.download(placed).sum(axis=1).tolist() == [0.0, 3.0, 3.0, 0.0]


@pytest.mark.parametrize("name", sorted(EMITTERS))
def test_kernels_agree_with_their_reference_bodies(device: CupyDevice, name: str) -> None:
    rng = np.random.default_rng([9, *name.encode()])
    for _ in range(12):
        compare_on(device, name, *OPS[name].sample(rng))


def test_facts(device: CupyDevice) -> None:
    rows = {row.what: row for row in device.describe()}
    assert {"device 0", "memory of device 0", "CUDA", "copying memory of device 0", "limit of device 0 in tf32"} <= set(
        rows
    )
    assert device.product_limit() > 1e11
    assert device.memory_left() > 0
