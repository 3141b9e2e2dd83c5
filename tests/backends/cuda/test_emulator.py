"""The emulated device itself: what it runs, and what it tells of kernels that do what none may."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.cuda import modules
from backends.cuda.emulator import EmulatedDevice, EmulatedError, compiler, without_barrier
from backends.cuda.modules import BARRIER
from nnctl.backends.cuda.codegen.functions import generated_unit, parsed, prelude

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++ 12"),
]

ORDERS = (0, 1, 2, 3)


class Kernel:
    """The last kernel of a text, to be launched on a device."""

    def __init__(self, text: str, order: int = 0, poison: int = 0xFF) -> None:
        self.function = list(parsed(generated_unit("test", [text])).values())[-1]
        self.device = EmulatedDevice(order, poison)
        self.running = self.device.upload(np.ones(1, np.int32))

    def __call__(self, *arguments: Any, blocks: int = 1, shared: int = 0, cooperative: bool = False) -> None:
        given = [
            np.uint64(self.device.address(a)) if isinstance(a, np.ndarray) else a for a in (self.running, *arguments)
        ]
        self.device.launch(self.device.load(self.function), blocks, 256, shared, given, cooperative)


def numbers(kernel: Kernel, count: int) -> Any:
    return kernel.device.upload(np.arange(count, dtype=np.float32))


# -- grids whose blocks run at the same time --------------------------------------------

ACROSS = """
KERNEL across(Block block, float* x, int* arrived, int rounds) {
    // Each element becomes what stood in the block before, round after round.
    for (int round = 0; round < rounds; ++round) {
        int from = (block.index + block.count - 1) % block.count * THREADS + THREADS - 1 - int(threadIdx.x);
        float found = x[from];
        grid_barrier(block.count, arrived);
        x[element_of(block)] = found + 1.0f;
        grid_barrier(block.count, arrived);
    }
}
"""


def after_rounds(x: Any, blocks: int, rounds: int) -> Any:
    for _ in range(rounds):
        x = np.roll(x.reshape(blocks, 256), 1, axis=0)[:, ::-1].reshape(-1) + np.float32(1.0)
    return x


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("blocks", [1, 2, 3, 8])
def test_blocks_of_a_cooperative_launch_meet(blocks: int, order: int) -> None:
    kernel = Kernel(ACROSS, order)
    x, arrived = numbers(kernel, 256 * blocks), kernel.device.upload(np.zeros(1, np.int32))
    kernel(x, arrived, np.int32(5), blocks=blocks, cooperative=True)
    kernel(x, arrived, np.int32(2), blocks=blocks, cooperative=True)
    np.testing.assert_array_equal(x, after_rounds(np.arange(256.0 * blocks, dtype=np.float32), blocks, 7))
    assert arrived[0] == 2 * 7 * blocks


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_grid_without_one_of_its_barriers_is_seen(number: int) -> None:
    """Both barriers of the kernel, and both of threads inside a barrier of the grid."""
    caught = []
    for order in ORDERS:
        kernel = Kernel(ACROSS, order)
        x, arrived = numbers(kernel, 256 * 3), kernel.device.upload(np.zeros(1, np.int32))
        text = kernel.function.unit.module
        first = len(BARRIER.findall(prelude())) - 2
        with without_barrier(text, first + number):
            try:
                kernel(x, arrived, np.int32(5), blocks=3, cooperative=True)
            except EmulatedError:
                caught.append(order)
                continue
        if not np.array_equal(x, after_rounds(np.arange(256.0 * 3, dtype=np.float32), 3, 5)):
            caught.append(order)
    assert caught


def test_more_blocks_than_the_device_holds_do_not_run_together() -> None:
    kernel = Kernel(ACROSS)
    x = numbers(kernel, 256)
    with pytest.raises(EmulatedError, match="across: 1000 blocks are to run at the same time, the device has 16"):
        kernel(x, x, np.int32(5), blocks=1000, cooperative=True)


@pytest.mark.parametrize(("blocks", "cooperative"), [(2, False), (3, True)])
def test_a_wait_without_end_is_told(blocks: int, cooperative: bool) -> None:
    """Of blocks that do not run together; of one block that goes another way."""
    kernel = Kernel("KERNEL stray(Block block, int* arrived) { if (block.index < 2) grid_barrier(3, arrived); }")
    with pytest.raises(
        EmulatedError, match=r"stray: the wait at (unit|prelude.cuh):\d+ has no end: \d of \d blocks have ended"
    ):
        kernel(kernel.device.upload(np.zeros(1, np.int32)), blocks=blocks, cooperative=cooperative)


# -- warps -------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
def test_lanes_exchange_what_they_have(order: int) -> None:
    kernel = Kernel(
        """
KERNEL exchange(Block block, float* y) {
    int t = threadIdx.x, lane = t % WARP;
    float x = float(t);
    y[t] = __shfl_xor_sync(0xffffffffu, x, 5);
    y[256 + t] = __shfl_sync(0xffffffffu, x, 3);
    y[512 + t] = __shfl_down_sync(0xffffffffu, x, 30);
    y[768 + t] = float(__popc(__ballot_sync(0xffffffffu, lane < 9)));
    // A half of the warp goes on by itself.
    if (lane < 16) y[1024 + t] = __shfl_xor_sync(0x0000ffffu, x, 1);
    else y[1024 + t] = -x;
    // What a lane has that is not asked for is nobody's.
    if (lane < 16) y[1280 + t] = __shfl_sync(0x0000ffffu, x, 20);
    else y[1280 + t] = 0.0f;
}
""",
        order,
    )
    y = kernel.device.empty((6, 256), np.float32)
    kernel(y)
    t = np.arange(256)
    np.testing.assert_array_equal(y[0], t ^ 5)
    np.testing.assert_array_equal(y[1], t // 32 * 32 + 3)
    np.testing.assert_array_equal(y[2], np.where(t % 32 < 2, t + 30, t))
    np.testing.assert_array_equal(y[3], 9)
    np.testing.assert_array_equal(y[4], np.where(t % 32 < 16, t ^ 1, -t))
    np.testing.assert_array_equal(np.isnan(y[5]), t % 32 < 16)


@pytest.mark.parametrize("order", ORDERS)
def test_copies_under_way_come_at_the_first_moment_or_at_the_last(order: int) -> None:
    """Three groups asked for; two are left under way, then none."""
    text = """
KERNEL copies(Block block, const float* x, float* y) {
    float* mine = block.shared + 12 * threadIdx.x;
    for (int group = 0; group < 3; ++group) {
        emulated_copy(mine + 4 * group, x + 4 * group, 3, 4);
        emulated_close_copies();
    }
    emulated_await_copies(2);
    if (threadIdx.x == 0) for (int i = 0; i < 12; ++i) y[i] = mine[i];
    emulated_await_copies(0);
    if (threadIdx.x == 0) for (int i = 0; i < 12; ++i) y[12 + i] = mine[i];
}
"""
    kernel = Kernel(text, order)
    x, y = numbers(kernel, 12), kernel.device.empty((2, 12), np.float32)
    kernel(x, y, shared=48 * 256)
    whole = np.where(np.arange(12) % 4 < 3, x, 0.0)
    np.testing.assert_array_equal(y[1], whole)
    np.testing.assert_array_equal(y[0], whole if order % 2 else np.where(np.arange(12) < 4, whole, np.nan))


# -- what no kernel may do ---------------------------------------------------------------

WRONG = {
    "KERNEL wrong(Block block, float* x) { if (threadIdx.x < 7) __syncthreads(); }": (
        r"the barrier at (unit|prelude.cuh):\d+ is not reached by all threads of the block: 249 of 256 have ended"
    ),
    "KERNEL wrong(Block block, float* x) {\n if (threadIdx.x < 7) __syncthreads();\n else __syncthreads();\n}": (
        r"threads of one block wait at two barriers: unit:\d+ and unit:\d+"
    ),
    "KERNEL wrong(Block block, float* x) { if (threadIdx.x % 2) __syncwarp(); }": (
        r"the barrier at unit:\d+ is not reached by all threads of the warp that it names: 128 of 256 have ended"
    ),
    "KERNEL wrong(Block block, float* x) { x[100] = 1.0f; }": "memory outside an array of 400 bytes is written",
    "KERNEL wrong(Block block, float* x) { x[-1] = 1.0f; }": "memory outside an array of 400 bytes is written",
    "KERNEL wrong(Block block, float* x) { x[500 + threadIdx.x] = 1.0f; }": (
        "thread 0 of block 0 reaches byte 2000 of an array of 400 bytes"
    ),
    "KERNEL wrong(Block block, float* x) { x[0] = x[5000]; }": (
        "thread 0 of block 0 reaches byte 20000 of an array of 400 bytes"
    ),
    "KERNEL wrong(Block block, float* x) { x[0] = block.shared[threadIdx.x]; }": (
        "thread 20 of block 0 reaches byte 80 of its 80 bytes of shared memory"
    ),
    "KERNEL wrong(Block block, float* x) { block.shared[-1 - int(threadIdx.x)] = 0.0f; }": (
        "block 0 writes outside its 80 bytes of shared memory"
    ),
    "KERNEL wrong(Block block, float* x) { x[0] = 7 / int(threadIdx.x); }": "thread 0 of block 0 divides by zero",
    "KERNEL wrong(Block block, float* x) { *(float*)0 = 1.0f; }": "reaches address (0x0|.nil.), where no array is",
}


@pytest.mark.parametrize(("text", "words"), WRONG.items(), ids=range(len(WRONG)))
def test_what_no_kernel_may_do_is_told_at_its_launch(text: str, words: str) -> None:
    kernel = Kernel(text)
    x = numbers(kernel, 100)
    with pytest.raises(EmulatedError, match=f"^wrong: .*{words}"):
        kernel(x, shared=80)
    # The device works on.
    test_blocks_of_a_cooperative_launch_meet(2, 0)


def test_what_nobody_has_written_is_no_number() -> None:
    """Memory, behind its end too, shared memory, and another poison than NaN where it is wished."""
    text = """
KERNEL fresh(Block block, const float* x, float* y) {
    float local[8];
    y[0] = x[3];
    y[1] = x[100];
    y[2] = block.shared[5];
    y[3] = local[int(block.shared[6] != 0.0f)];
}
"""
    for poison in (0xFF, 0x7F):
        kernel = Kernel(text, poison=poison)
        x, y = kernel.device.empty((100,), np.float32), kernel.device.empty((4,), np.float32)
        kernel(x, y, shared=80)
        expected = np.frombuffer(bytes([poison] * 4), np.float32)[0]
        np.testing.assert_array_equal(y[:3], [expected, np.nan, expected])
        assert abs(y[3]) > 1e38


def test_arguments_of_another_size_are_refused() -> None:
    kernel = Kernel("KERNEL sized(Block block, const float* x, int n, float a) {}")
    x = numbers(kernel, 1)
    with pytest.raises(EmulatedError, match=r"sized takes n as int32, np\.int64\(3\) is given"):
        kernel(x, np.int64(3), np.float32(1.0))
    with pytest.raises(EmulatedError, match=r"sized takes a as float32, 1\.0 is given"):
        kernel(x, np.int32(3), 1.0)
    with pytest.raises(EmulatedError, match="sized takes 4 arguments, 2 are given"):
        kernel(x)
    with pytest.raises(EmulatedError, match=r"sized: argument 1, .*, is no address of memory that is there"):
        kernel(np.zeros(3), np.int32(3), np.float32(1.0))
    with pytest.raises(EmulatedError, match="sized cannot run as 0 blocks of 256 threads and 0 bytes"):
        kernel(x, np.int32(3), np.float32(1.0), blocks=0)


def test_memory_goes_with_its_arrays() -> None:
    kernel = Kernel("KERNEL none(Block block, const float* x) {}")
    whole = numbers(kernel, 100)
    part, address = whole[50:].reshape(5, 10), whole.ctypes.data
    del whole
    kernel(part)
    assert part[0, 0] == 50.0
    del part
    with pytest.raises(EmulatedError, match="is no address of memory that is there"):
        kernel(np.uint64(address))


# -- graphs, libraries, machines -----------------------------------------------------------


def test_a_captured_graph_holds_launches_alone() -> None:
    kernel = Kernel("KERNEL count(Block block, float* x) { if (threadIdx.x == 0) x[0] += 1.0f; }")
    x = numbers(kernel, 1)
    graph = kernel.device.capture(lambda: [kernel(x) for _ in range(3)])
    assert x[0] == 0.0
    graph()
    graph()
    assert x[0] == 6.0
    for work in (lambda: kernel.device.download(x), lambda: kernel.device.empty((1,), np.float32)):
        with pytest.raises(EmulatedError, match="while a graph is captured"):
            kernel.device.capture(work)
    assert kernel.device.download(x)[0] == 6.0


def test_a_text_that_is_none_is_told() -> None:
    with pytest.raises(EmulatedError, match=r"g\+\+ does not take the module:\nunit: .*wrong.*\nunit:\d+"):
        Kernel("KERNEL wrong(Block block, float* x) { y[0] = 1.0f; }")(np.zeros(1, np.float32))


def test_libraries_that_nobody_uses_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "KEPT", 2)
    monkeypatch.setattr(modules, "_folder", lambda: tmp_path)
    made = []
    for number in range(4):
        made.append(modules._library(f"int number = {number};", ("-shared", "-fPIC")))
        os.utime(made[-1], (number, number))
    modules._library("int number = 2;", ("-shared", "-fPIC"))
    modules._library("int number = 4;", ("-shared", "-fPIC"))
    assert [library.exists() for library in made] == [False, False, True, False]


def test_fibers_of_any_machine() -> None:
    """Where no switch is written for the processor, the system's runs: the same results, errors told the same way."""
    script = "\n".join(
        [
            "import backends.cuda.modules as modules, pytest",
            "machine = modules.machine('-DEMULATED_UCONTEXT')",
            "modules.machine = lambda: machine",
            "import backends.cuda.emulator as emulator",
            "emulator.machine = modules.machine",
            "import backends.cuda.test_emulator as tests",
            "tests.test_blocks_of_a_cooperative_launch_meet(3, 2)",
            "tests.test_lanes_exchange_what_they_have(3)",
            "for wrong in tests.WRONG.items(): tests.test_what_no_kernel_may_do_is_told_at_its_launch(*wrong)",
        ]
    )
    folders = [str(Path(__file__).parents[2]), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
