"""A double of CuPy that writes down what is asked of it; its arrays lie on the host."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np


class CudaError(RuntimeError):
    """CuPy's CUDARuntimeError, as it is printed."""


class DriverError(RuntimeError):
    """CuPy's CUDADriverError."""


class OutOfMemoryError(MemoryError):
    """CuPy's."""


class FakeArray:
    """Bytes that lie nowhere; `data.ptr` is their address."""

    def __init__(self, host: Any, log: list[Any]) -> None:
        self.host, self._log = host, log
        self.shape, self.dtype, self.size, self.nbytes = host.shape, host.dtype, host.size, host.nbytes
        self.data = SimpleNamespace(ptr=host.ctypes.data)

    def __len__(self) -> int:
        return len(self.host)

    def get(self, stream: Any, out: Any) -> None:
        self._log.append(("get", stream.ptr, threading.current_thread().name))
        out[...] = self.host


class FakeCupy:
    """What `CupyDevice` asks of CuPy, each call in `log`.

    fails: by the name of a call, what it raises. streams: how many were made. graphs: for each, by their numbers, the
    launches that each of its launches waits for.
    """

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.fails: dict[str, BaseException] = {}
        self.streams = 0
        self.graphs: list[list[frozenset[int]]] = []
        runtime = SimpleNamespace(
            CUDARuntimeError=CudaError,
            memcpyHostToDevice=1,
            memcpyDeviceToDevice=3,
            streamCaptureModeThreadLocal=1,
            setDevice=self._call("setDevice"),
            getDeviceProperties=lambda number: {"name": b"A GPU", "major": 9, "minor": 0},
            memGetInfo=lambda: (3 << 30, 4 << 30),
            memcpyAsync=self._memcpy,
            driverGetVersion=lambda: 13010,
            runtimeGetVersion=lambda: 13000,
        )
        driver = SimpleNamespace(
            CUDADriverError=DriverError,
            CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8,
            funcSetAttribute=self._call("funcSetAttribute"),
            occupancyMaxActiveBlocksPerMultiprocessor=lambda *a: 2,
        )
        self.cuda = SimpleNamespace(
            runtime=runtime,
            driver=driver,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
            Stream=self._stream,
            Device=lambda number: SimpleNamespace(
                compute_capability="90",
                attributes={"MultiProcessorCount": 4, "MaxSharedMemoryPerBlockOptin": 227 << 10},
            ),
            Module=self._module,
            Event=self._event,
            alloc_pinned_memory=self._pinned,
            get_elapsed_time=lambda first, last: 2500.0,
        )

    def _call(self, name: str, result: Any = None) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.log.append((name, *arguments, *named.items()))
            if name in self.fails:
                raise self.fails[name]
            return result

        return call

    def _stream(self, non_blocking: bool) -> Any:
        assert non_blocking
        self.streams += 1
        return FakeStream(76 + self.streams, self)

    def _module(self) -> Any:
        def get_function(name: str) -> Any:
            self.log.append(("get_function", name))
            return FakeFunction(name, self)

        return SimpleNamespace(load=self._call("load"), get_function=get_function)

    def _event(self, disable_timing: bool = False) -> Any:
        return FakeEvent(self)

    def _pinned(self, size: int) -> Any:
        return FakePinned(size)

    def _memcpy(self, target: int, source: int, size: int, kind: int, stream: int) -> None:
        self.log.append(("memcpy", size, kind, stream))
        if "memcpy" in self.fails:
            raise self.fails["memcpy"]
        ctypes.memmove(target, source, size)

    def empty(self, shape: Any, dtype: Any) -> FakeArray:
        if "empty" in self.fails:
            raise self.fails["empty"]
        return FakeArray(np.full(shape, 9, dtype), self.log)

    def get_default_memory_pool(self) -> Any:
        return SimpleNamespace(free_bytes=lambda: 1 << 30)

    def names(self) -> list[str]:
        return [entry[0] for entry in self.log]


@dataclass
class Capture:
    """What a stream captures. launches: of each, all those that it waits for, by their numbers.

    behind: of the stream and those that have joined it, the launches that what comes next there waits for.
    """

    origin: FakeStream
    launches: list[frozenset[int]] = field(default_factory=list)
    behind: dict[FakeStream, frozenset[int]] = field(default_factory=dict)
    ended: bool = False


class FakeStream:
    """A stream, whose captures are CUDA's: an event of one takes the stream that waits for it along."""

    def __init__(self, ptr: int, cupy: FakeCupy) -> None:
        self.ptr, self._cupy = ptr, cupy
        self.capture: Capture | None = None
        self.use = cupy._call("use")

    def wait_event(self, event: FakeEvent) -> None:
        self._cupy._call("wait_event")(event)
        if self.capture is not event.capture and (self.capture or (event.capture and event.capture.ended)):
            raise CudaError("cudaErrorStreamCaptureIsolation: an event of another capture, or of none")
        if event.capture is not None:
            self.capture = event.capture
            self.capture.behind[self] = self.capture.behind.get(self, frozenset()) | event.behind

    def launched(self) -> None:
        """Write a launch down where it is captured."""
        if self.capture is not None:
            self.capture.launches.append(self.capture.behind[self])
            self.capture.behind[self] |= {len(self.capture.launches) - 1}

    def begin_capture(self, mode: int) -> None:
        self._cupy._call("begin_capture")(mode)
        self.capture = Capture(self)
        self.capture.behind[self] = frozenset()

    def end_capture(self) -> Any:
        capture = self.capture
        assert capture is not None
        assert capture.origin is self
        capture.ended = True
        for stream in capture.behind:
            stream.capture = None
        self._cupy._call("end_capture")()
        if capture.behind[self] != frozenset().union(*capture.behind.values()):
            raise CudaError("cudaErrorStreamCaptureUnjoined: capturing stream has unjoined work")
        self._cupy.graphs.append(capture.launches)
        return SimpleNamespace(launch=self._cupy._call("graph.launch"))


class FakeEvent:
    """An event: where a stream was when it was recorded last."""

    def __init__(self, cupy: FakeCupy) -> None:
        self.done = False
        self.capture: Capture | None = None
        self.behind: frozenset[int] = frozenset()
        self.synchronize = cupy._call("event.synchronize")
        self._cupy = cupy

    def record(self, stream: FakeStream) -> None:
        self._cupy._call("record")(stream)
        self.capture = stream.capture
        self.behind = frozenset() if self.capture is None else self.capture.behind[stream]


class FakeFunction:
    """A kernel of a module."""

    ptr = 5

    def __init__(self, name: str, cupy: FakeCupy) -> None:
        self.name, self._cupy = name, cupy

    def __call__(self, grid: Any, block: Any, args: Any, shared: int, stream: Any, cooperative: bool) -> None:
        self._cupy.log.append(("launch", self.name, grid, block, args, shared, stream.ptr, cooperative))
        stream.launched()
        if "launch" in self._cupy.fails:
            raise self._cupy.fails["launch"]


class FakePinned(bytearray):
    """Pinned memory."""

    @property
    def ptr(self) -> int:
        return int(np.frombuffer(self, np.uint8).ctypes.data)
