"""The device over CuPy, on a double of CuPy that writes down what is asked of it: arguments, order, errors, threads."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest

from backends.cuda.cupy_double import CudaError, DriverError, FakeCupy, FakeStream, OutOfMemoryError
from nnctl.backends.cuda import cupy_device
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.cupy_device import CupyDevice
from nnctl.backends.cuda.device import BRANCHES
from nnctl.backends.cuda.persistent.text import table_of
from nnctl.backends.cuda.shared import Shared
from nnctl.errors import DeviceError, DeviceFull, DeviceLost, KernelError


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> FakeCupy:
    fake = FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cupy_device, "_shared", defaultdict(Shared))
    monkeypatch.setattr(cupy_device, "_idle", {})
    monkeypatch.setattr(cupy_device, "installed", lambda: None)
    monkeypatch.setattr(cupy_device, "architecture_for", lambda capability: f"sm_{capability}")
    monkeypatch.setattr(cupy_device, "compiled", lambda unit, architecture: f"{unit.name} {architecture}".encode())
    return fake


@pytest.fixture
def device(cupy: FakeCupy) -> CupyDevice:
    made = CupyDevice(1)
    cupy.log.clear()
    return made


def test_one_stream_of_the_device_asked_for(cupy):
    CupyDevice(3)
    assert cupy.log[0] == ("setDevice", 3)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("cudaErrorDevicesUnavailable: all devices are busy", "device 3 is lost: all devices are busy\n"),
        (
            "cudaErrorCallRequiresNewerDriver: not supported in the installed driver",
            "device 3 does not start: cudaErrorCallRequiresNewerDriver: not supported in the installed driver\n",
        ),
    ],
)
def test_a_device_that_does_not_start_is_the_machines_matter(cupy, said, words):
    cupy.fails["setDevice"] = CudaError(said)
    with pytest.raises(DeviceError, match=f"{words}  nvidia-smi tells how it is"):
        CupyDevice(3)


# -- memory ----------------------------------------------------------------------------------


def test_what_is_written_is_read_again(device, cupy):
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    placed = device.upload(values)
    assert np.array_equal(device.download(placed), values)
    # Beside other threads: the host waits for an event, and copies then.
    assert cupy.names().index("event.synchronize") < cupy.names().index("get")
    device.write(placed, -values[:2].astype(np.float64), 2)
    assert np.array_equal(device.download(placed)[2:], -values[:2])
    assert np.array_equal(device.download(placed)[:2], values[:2])
    single = device.upload(np.array(5, np.int64))
    device.write(single, np.array(6, np.int64))
    assert device.download(single) == 6
    assert device.download(device.upload(np.zeros((0, 3), np.float32))).shape == (0, 3)
    assert {entry[3] for entry in cupy.log if entry[0] == "memcpy"} == {77}
    assert device.address(placed) == placed.host.ctypes.data
    assert device.memory_left() == 4 << 30


def test_a_copy_stays_on_the_device(device, cupy):
    order, target = device.upload(np.arange(6)), device.upload(np.zeros(8, np.int64))
    cupy.log.clear()
    device.copy(target, order)
    assert [entry for entry in cupy.log if entry[0] == "memcpy"] == [("memcpy", 48, 3, 77)]
    np.testing.assert_array_equal(device.download(target), [0, 1, 2, 3, 4, 5, 0, 0])


@pytest.mark.parametrize(
    ("shape", "first"), [((3, 3), 2), ((2, 2), 0), ((5, 3), 0), ((1, 3), 4), ((1, 3), -1), ((3,), 0), ((), 0)]
)
def test_rows_that_the_array_has_not_are_refused(device, shape, first):
    placed = device.upload(np.zeros((4, 3), np.float32))
    with pytest.raises(ValueError, match=r"do not fit an array \(4, 3\)"):
        device.write(placed, np.ones(shape, np.float32), first)
    assert not device.download(placed).any()


def test_large_arrays_go_in_pieces(device, cupy, monkeypatch):
    monkeypatch.setattr(cupy_device, "_PIECE", 64)
    values = np.arange(200, dtype=np.int64)
    assert np.array_equal(device.download(device.upload(values)), values)
    sizes = [entry[1] for entry in cupy.log if entry[0] == "memcpy"]
    assert sizes == [64] * 25
    # No more than four pieces are on their way.
    assert cupy.names().count("event.synchronize") == 25 - 4 + 1


# -- launches --------------------------------------------------------------------------------

COPY = function("steps.cu", "copy_real")
ARGUMENTS = (np.uint64(1 << 40), np.uint64(3), np.uint64(4), np.int32(-5))


def test_a_launch_passes_on_the_bytes_that_it_is_given(device, cupy):
    loaded = device.load(COPY)
    device.launch(loaded, 7, 256, 100, ARGUMENTS)
    (launched,) = (entry for entry in cupy.log if entry[0] == "launch")
    _, name, grid, block, args, shared, stream, cooperative = launched
    assert (name, grid, block, shared, stream, cooperative) == ("launch_copy_real", (7, 1), (256,), 100, 77, False)
    assert [(a.dtype, a.shape, a[()]) for a in args] == [(g.dtype, (), g) for g in ARGUMENTS]
    assert [a.nbytes for a in args] == [8, 8, 8, 4]
    assert ("setDevice", 1) in cupy.log
    assert "use" in cupy.names()


def test_a_table_of_several_rows_is_passed_on_as_it_is(device, cupy):
    loaded = device.load(COPY)
    table = table_of([[1, 2, 3], [4, 5, 6]])
    device.launch(loaded, 5, 256, 0, (table,), rows=2)
    _, _, grid, _, (given,), *_ = cupy.log[-1]
    assert grid == (5, 2)
    # CuPy takes the address of an array of one element.
    assert (given.size, given.nbytes) == (1, 4096)
    np.testing.assert_array_equal(given.reshape(1).view(np.int64)[:7], [1, 2, 3, 4, 5, 6, 0])
    with pytest.raises(ValueError, match="10 blocks are to wait for one another, and 8 run at once"):
        device.launch(loaded, 5, 256, 0, (table,), cooperative=True, rows=2)


def test_a_stream_waits_for_a_mark_of_another(device, cupy):
    other = CupyDevice(1)
    mark = other.mark()
    device.wait_for(mark)
    assert cupy.log[-1] == ("wait_event", mark)
    assert device.shared is other.shared
    assert device.shared is not CupyDevice(0).shared


def test_a_module_is_loaded_once_and_compiled_for_the_device(device, cupy):
    device.load(COPY)
    device.load(function("steps.cu", "count_step"))
    assert [entry for entry in cupy.log if entry[0] == "load"] == [("load", b"steps.cu sm_90")]


def test_more_shared_memory_than_there_is_is_told(device, cupy):
    loaded = device.load(COPY)
    expected = r"a kernel takes 228.0 KiB of shared memory a block, and device 1 gives 227.0 KiB\n  precision: float32"
    with pytest.raises(DeviceError, match=expected):
        device.launch(loaded, 1, 256, 228 << 10, ARGUMENTS)
    assert "launch" not in cupy.names()


def test_more_shared_memory_is_asked_for_once(device, cupy):
    loaded = device.load(COPY)
    for shared in (48 << 10, 64 << 10, 50 << 10, 64 << 10, 100 << 10):
        device.launch(loaded, 1, 256, shared, ARGUMENTS)
    asked = [entry for entry in cupy.log if entry[0] == "funcSetAttribute"]
    assert asked == [("funcSetAttribute", 5, 8, 64 << 10), ("funcSetAttribute", 5, 8, 100 << 10)]
    assert cupy.names().index("funcSetAttribute") < len(cupy.log) - 1 - cupy.names()[::-1].index("launch")


def test_blocks_that_wait_for_one_another_run_at_once_or_not_at_all(device, cupy):
    loaded = device.load(COPY)
    device.launch(loaded, 8, 256, 0, ARGUMENTS, cooperative=True)
    assert cupy.log[-1][-1] is True
    assert device.blocks_together(loaded, 256, 0) == 8
    assert device.blocks_together(loaded, 256, 228 << 10) == 0
    with pytest.raises(ValueError, match="9 blocks are to wait for one another, and 8 run at once"):
        device.launch(loaded, 9, 256, 0, ARGUMENTS, cooperative=True)


# -- captures --------------------------------------------------------------------------------


def test_a_capture_begins_and_ends_and_is_launched_in_the_stream(device, cupy):
    loaded = device.load(COPY)
    cupy.log.clear()
    graph = device.capture(lambda: device.launch(loaded, 1, 256, 0, ARGUMENTS))
    steps = [name for name in cupy.names() if name not in ("setDevice", "use")]
    assert steps == ["begin_capture", "launch", "end_capture"]
    assert ("begin_capture", 1) in cupy.log
    graph()
    graph()
    assert cupy.names().count("graph.launch") == 2
    assert cupy.log[-1][1].ptr == 77


@pytest.mark.parametrize("error", [KeyError("wrong"), KeyboardInterrupt(), KernelError("does not compile")])
def test_a_capture_ends_where_work_raises(device, cupy, error):
    def work() -> None:
        raise error

    # The end of a capture that was spoilt is an error itself; what is told is the first one.
    cupy.fails["end_capture"] = CudaError("cudaErrorStreamCaptureInvalidated: operation failed")
    with pytest.raises(type(error)) as raised:
        device.capture(work)
    assert raised.value is error
    assert cupy.names()[-1] == "end_capture"
    cupy.fails.clear()
    device.upload(np.zeros(3, np.float32))
    device.capture(lambda: None)()


@pytest.mark.parametrize("collecting", [True, False])
def test_no_garbage_is_collected_in_a_capture(device, collecting):
    """An old graph that goes meanwhile is refused, and what is captured is spoilt."""
    seen = []

    def work():
        seen.append(gc.isenabled())
        raise KeyError

    (gc.enable if collecting else gc.disable)()
    try:
        device.capture(lambda: seen.append(gc.isenabled()))
        with pytest.raises(KeyError):
            device.capture(work)
        assert seen == [False, False]
        assert gc.isenabled() == collecting
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "what", ["empty", "upload", "download", "write", "synchronize", "mark", "current", "capture", "load"]
)
def test_a_capture_holds_launches_alone(device, what):
    placed = device.upload(np.zeros(3, np.float32))

    def current() -> None:
        with device.current():
            pass

    works = {
        "empty": lambda: device.empty((3,), np.float32),
        "upload": lambda: device.upload(np.zeros(3)),
        "download": lambda: device.download(placed),
        "write": lambda: device.write(placed, np.zeros(3, np.float32)),
        "synchronize": device.synchronize,
        "mark": device.mark,
        "current": current,
        "capture": lambda: device.capture(lambda: None),
        "load": lambda: device.load(COPY),
    }
    with pytest.raises(RuntimeError, match="a capture holds launches alone"):
        device.capture(works[what])


def captured(device: CupyDevice, cupy: FakeCupy, branches: list[int]) -> list[frozenset[int]]:
    """For each launch of a graph those that it waits for: one, then so many a branch, one, two branches of one, one."""
    loaded = device.load(COPY)

    def one() -> None:
        device.launch(loaded, 1, 256, 0, ARGUMENTS)

    def work() -> None:
        one()
        device.in_branches([lambda count=count: [one() for _ in range(count)] for count in branches])
        one()
        device.in_branches([one, one])
        one()

    device.capture(work)
    return cupy.graphs[-1]


def waited_for(branches: list[int]) -> list[frozenset[int]]:
    """The same as it should be."""
    found = [frozenset[int]()]
    for count in branches:
        first = len(found)
        found += [frozenset({0, *range(first, first + i)}) for i in range(count)]
    between = frozenset(range(len(found)))
    behind = between | {len(found)}
    return [*found, between, behind, behind, behind | {len(found) + 1, len(found) + 2}]


@pytest.mark.parametrize("branches", [[1], [2, 1], [1, 3, 2], [2, 1, 1, 3]])
def test_branches_wait_for_what_is_before_and_not_for_each_other(device, cupy, branches):
    assert captured(device, cupy, branches) == waited_for(branches)
    # Again, by the same events and streams.
    assert captured(device, cupy, branches) == waited_for(branches)
    assert cupy.streams == BRANCHES
    streams = {entry[6] for entry in cupy.log if entry[0] == "launch"}
    assert streams == set(range(77, 77 + max(2, len(branches))))


def test_a_stream_that_does_not_come_back_is_told(device, cupy, monkeypatch):
    wait = FakeStream.wait_event
    monkeypatch.setattr(FakeStream, "wait_event", lambda self, event: self.ptr == 77 or wait(self, event))
    with pytest.raises(CudaError, match="unjoined work"):
        captured(device, cupy, [1, 1])
    monkeypatch.setattr(FakeStream, "wait_event", lambda self, event: self.ptr != 77 or wait(self, event))
    with pytest.raises(CudaError, match="an event of another capture, or of none"):
        captured(device, cupy, [1, 1])


def test_branches_are_those_of_a_capture(device, cupy):
    with pytest.raises(RuntimeError, match="branches leave the stream of a capture"):
        device.in_branches([lambda: None, lambda: None])
    with pytest.raises(RuntimeError, match="come back before others leave it"):
        device.capture(lambda: device.in_branches([lambda: None, lambda: device.in_branches([lambda: None])]))
    with pytest.raises(ValueError, match="zip"):
        device.capture(lambda: device.in_branches([lambda: None] * (BRANCHES + 1)))
    assert "launch" not in cupy.names()


def test_a_branch_that_raises_ends_the_capture(device, cupy):
    loaded = device.load(COPY)

    def fails() -> None:
        device.launch(loaded, 1, 256, 0, ARGUMENTS)
        raise KeyError("wrong")

    with pytest.raises(KeyError, match="wrong"):
        device.capture(lambda: device.in_branches([lambda: None, fails]))
    assert captured(device, cupy, [1, 1]) == waited_for([1, 1])
    device.launch(loaded, 1, 256, 0, ARGUMENTS)
    assert cupy.log[-1][6] == 77


def test_devices_have_branches_of_their_own(device, cupy):
    captured(device, cupy, [1, 1, 1, 1])
    other = CupyDevice(1)
    cupy.log.clear()
    captured(other, cupy, [1, 1, 1, 1])
    assert {entry[6] for entry in cupy.log if entry[0] == "launch"} == {81, 82, 83, 84}


def test_what_another_thread_writes_is_in_no_capture(device, cupy):
    placed = device.upload(np.zeros(3, np.float32))
    cupy.log.clear()
    began = threading.Event()
    writer = threading.Thread(target=lambda: (began.set(), device.write(placed, np.ones(3, np.float32))))

    def work() -> None:
        writer.start()
        began.wait(10)
        cupy.log.append(("the end of work",))

    device.capture(work)
    writer.join()
    assert cupy.names().index("end_capture") < cupy.names().index("memcpy")


def test_another_thread_writes_while_one_waits(device, cupy, monkeypatch):
    placed, other = (device.upload(np.zeros(3, np.float32)) for _ in "ab")
    written = threading.Event()

    def wait() -> None:
        # The chunk that is waited for ends when the other thread has written.
        assert written.wait(10)

    event = SimpleNamespace(record=lambda stream: None, synchronize=wait)
    monkeypatch.setattr(device, "mark", lambda: event)
    reader = threading.Thread(target=device.download, args=(placed,))
    reader.start()
    device.write(other, np.ones(3, np.float32))
    written.set()
    reader.join(10)
    assert not reader.is_alive()


# -- time, facts -----------------------------------------------------------------------------


def test_time_between_marks_is_in_seconds(device, cupy):
    first, last = device.mark(), device.mark()
    assert device.seconds(first, last) == 2.5
    assert cupy.names()[-1] == "event.synchronize"


def test_facts_without_cublas(device, monkeypatch):
    monkeypatch.setattr(device._limits, "copies", lambda: 2e12)
    rows = {row.what: (row.value, row.words) for row in device.describe()}
    assert rows["device 1"] == ("A GPU", "compute capability 9.0, 4 multiprocessors")
    assert rows["memory of device 1"] == ("4.0 GiB", "3.0 GiB are free")
    assert rows["CUDA"] == ("13.1", "by the driver; CuPy is for 13.0, NVRTC compiles as 13.0 does")
    assert rows["copying memory of device 1"][0] == "2000 GB/s"
    value, words = rows["limit of device 1 in float32"]
    assert value == "not measured"
    assert "pip install 'nnctl[cuda13]'" in words
    with pytest.raises(DeviceError, match=r"cublasLt, by which .* is not installed"):
        device.product_limit()


# -- errors ----------------------------------------------------------------------------------


def test_memory_that_is_not_there_is_told_with_what_is_left(device, cupy):
    cupy.fails["empty"] = OutOfMemoryError("Out of memory allocating 40 bytes")
    with pytest.raises(DeviceFull, match=r"^8.0 GiB are asked of device 1, and 4.0 GiB are left$"):
        device.empty((1 << 31,), np.float32)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            CudaError("cudaErrorIllegalAddress: an illegal memory access was encountered"),
            DeviceLost,
            "a defect of nnctl",
        ),
        (
            DriverError("CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered"),
            DeviceLost,
            "a defect of",
        ),
        (DriverError("CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure"), DeviceLost, "nvidia-smi tells how it is"),
        (CudaError("cudaErrorECCUncorrectable: uncorrectable ECC error encountered"), DeviceLost, "uncorrectable ECC"),
        (CudaError("cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy"), DeviceLost, "busy"),
        (CudaError("cudaErrorMemoryAllocation: out of memory"), DeviceFull, "no memory left"),
        (OutOfMemoryError("Out of memory"), DeviceFull, "device 1 has no memory left"),
    ],
)
def test_errors_of_cuda_are_what_they_mean(device, cupy, error, kind, words):
    loaded = device.load(COPY)
    cupy.fails["launch"] = error
    with pytest.raises(kind, match=words) as raised:
        device.launch(loaded, 1, 256, 0, ARGUMENTS)
    assert raised.value.exit_code == 2
    assert raised.value.__cause__ is error


def test_a_call_that_is_wrong_stays_a_defect(device, cupy):
    loaded = device.load(COPY)
    cupy.fails["launch"] = DriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
    with pytest.raises(DriverError):
        device.launch(loaded, 1, 256, 0, ARGUMENTS)


def test_work_on_arrays_by_others_has_the_same_errors(device):
    with pytest.raises(DeviceLost, match=r"^device 1 is lost: the launch timed out"), device.current():
        raise CudaError("cudaErrorLaunchTimeout: the launch timed out and was terminated")


def test_importing_the_backend_imports_no_cupy():
    code = "import sys, nnctl.backends.registry, nnctl.backends.cuda.cupy_device; sys.exit('cupy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
