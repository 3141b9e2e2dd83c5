"""A GPU by way of CuPy: its memory, its stream, kernels compiled by NVRTC, launches captured into graphs.

CuPy's own modules of kernels, its products and its generators of randomness are not used: they look for a
toolkit, or refuse to be captured.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from types import ModuleType
from typing import Any, TypeVar
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Finding
from nnctl.backends.cuda.captures import Captures
from nnctl.backends.cuda.codegen.functions import DeviceFunction
from nnctl.backends.cuda.compilation import architecture_for, compiled
from nnctl.backends.cuda.compiling_beside import CompilingBeside
from nnctl.backends.cuda.cublaslt import CublasLt, installed
from nnctl.backends.cuda.device import UNASKED_SHARED
from nnctl.backends.cuda.device_errors import device_error
from nnctl.backends.cuda.device_limits import Limits
from nnctl.backends.cuda.product_library import ProductLibrary
from nnctl.backends.cuda.shared import Shared
from nnctl.errors import DeviceError, DeviceFull
from nnctl.late import dataclass
from nnctl.process.memory import in_bytes

Array = NDArray[Any]
T = TypeVar("T")

_PIECE = 32 << 20
"""Bytes that are copied to the device at once, by way of pinned memory."""
_ON_THE_WAY = 4
"""Pieces in pinned memory before the host waits for the first of them."""

_CLUSTER_ANYWHERE = 8
"""Blocks of a cluster that every device which has clusters can launch; more must be allowed, kernel by kernel."""
_CLUSTERS = {90: 16, 100: 16}
"""By compute capability, the blocks of a cluster at most; 8 where it is not said here."""
_NON_PORTABLE_CLUSTER_SIZE_ALLOWED = 14
"""Of the driver's function attributes."""

_idle: dict[int, list[CupyDevice]] = {}
"""Devices that nobody uses any more, by number."""
_shared: defaultdict[int, Shared] = defaultdict(Shared)
"""The state that devices of one number share."""
_lent: Counter[int] = Counter()
"""Devices that somebody uses, counted by number."""
_beside = CompilingBeside()


def lent_device(number: int, to: Callable[[CupyDevice], T]) -> T:
    """The thing that `to` makes of a device which nobody else uses, so that it has a stream of its own.

    When that thing is gone the device goes to the next who asks: its stream orders what they put into it. Raises as
    `CupyDevice`.
    """
    idle = _idle.setdefault(number, [])
    device = idle.pop() if idle else CupyDevice(number)
    made = to(device)
    _lent[number] += 1

    def back() -> None:
        _lent[number] -= 1
        idle.append(device)

    finalize(made, back).atexit = False
    return made


@dataclass
class LoadedFunction:
    """A function on the device. shared: bytes of shared memory that its blocks may have."""

    function: Any
    shared: int = UNASKED_SHARED


class CupyDevice:
    """See `nnctl.backends.cuda.device.Device`. number: of the GPU, from 0.

    There may be several of one GPU: their streams run beside each other. Several threads may use one; what one
    captures, no other adds to. Raises DeviceError where the GPU cannot be had.
    """

    def __init__(self, number: int) -> None:
        import cupy

        self.number = number
        self.shared = _shared[number]
        self._cupy: Any = cupy
        self._cuda: Any = cupy.cuda
        self._lock = RLock()
        self._on_the_way: deque[tuple[Any, Any]] = deque()
        try:
            with self._asked():
                self._cuda.runtime.setDevice(number)
                self._captures = Captures(self._cuda)
                self._stream = self._captures.stream
                capability = int(self._cuda.Device(number).compute_capability)
                name = self._cuda.runtime.getDeviceProperties(number)["name"].decode()
        except (self._cuda.runtime.CUDARuntimeError, self._cuda.driver.CUDADriverError) as error:
            # Whatever else CUDA says here, no call of ours is wrong yet.
            raise DeviceError(f"device {number} does not start: {error}\n  nvidia-smi tells how it is") from error
        self.largest_cluster = _CLUSTERS.get(capability, _CLUSTER_ANYWHERE if capability >= 90 else 0)
        self._architecture = architecture_for(capability)
        library = installed()
        self._products = None if library is None else CublasLt(library, self, self._stream.ptr, name)
        self._limits = Limits(self)

    @property
    def arrays(self) -> ModuleType:
        """See `Device`."""
        module: ModuleType = self._cupy
        return module

    @property
    def products(self) -> ProductLibrary | None:
        """See `Device`: cublasLt, where it is installed."""
        return self._products

    # -- memory --------------------------------------------------------------------

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """See `Device`. Raises DeviceFull where no memory is left, RuntimeError in a capture."""
        with self.current():
            try:
                return self._cupy.empty(shape, dtype)
            except self._cuda.memory.OutOfMemoryError as error:
                size = math.prod(shape) * np.dtype(dtype).itemsize
                raise DeviceFull(
                    f"{in_bytes(size)} are asked of device {self.number}, and {in_bytes(self.memory_left())} are left"
                ) from error

    def upload(self, array: Array) -> Any:
        """See `Device`. Raises as `empty`."""
        placed = self.empty(array.shape, array.dtype)
        self.write(placed, array)
        return placed

    def download(self, array: Any) -> Array:
        """See `Device`."""
        host = np.empty(array.shape, array.dtype)
        if host.size:
            self.synchronize()
            with self.current():
                array.get(stream=self._stream, out=host)
        return host

    def write(self, array: Any, values: Array, first: int = 0) -> None:
        """See `Device`. The values may change when it returns. Raises ValueError for rows that the array has not."""
        fits = array.shape == values.shape
        if values.ndim:
            fits = array.shape[1:] == values.shape[1:] and 0 <= first <= len(array) - len(values)
        if not fits:
            raise ValueError(f"values {values.shape} from row {first} on do not fit an array {array.shape}")
        host = np.require(values, array.dtype, "C")
        row = host.nbytes // max(1, len(host)) if host.ndim else 0
        with self.current():
            self._copy(array.data.ptr + first * row, host.reshape(-1).view(np.uint8))

    def copy(self, array: Any, other: Any) -> None:
        """See `Device`."""
        with self.current():
            runtime = self._cuda.runtime
            size, kind = other.nbytes, runtime.memcpyDeviceToDevice
            runtime.memcpyAsync(array.data.ptr, other.data.ptr, size, kind, self._stream.ptr)

    def _copy(self, address: int, host: NDArray[np.uint8]) -> None:
        """Put copies of bytes into the stream. From memory that is not pinned they would wait for all work before."""
        while self._on_the_way and self._on_the_way[0][0].done:
            self._on_the_way.popleft()
        for start in range(0, host.nbytes, _PIECE):
            piece = host[start : start + _PIECE]
            if len(self._on_the_way) >= _ON_THE_WAY and piece.nbytes == _PIECE:
                self._on_the_way.popleft()[0].synchronize()
            pinned = self._cuda.alloc_pinned_memory(piece.nbytes)
            np.frombuffer(pinned, np.uint8, piece.nbytes)[...] = piece
            runtime = self._cuda.runtime
            runtime.memcpyAsync(address + start, pinned.ptr, piece.nbytes, runtime.memcpyHostToDevice, self._stream.ptr)
            copied = self._cuda.Event(disable_timing=True)
            copied.record(self._stream)
            # Pinned memory goes to the next who asks as soon as nobody holds it.
            self._on_the_way.append((copied, pinned))

    def address(self, array: Any) -> int:
        """See `Device`."""
        return int(array.data.ptr)

    def memory_left(self) -> int:
        """See `Device`: what the driver has, and what CuPy's pool keeps and does not use."""
        with self.current():
            free, _ = self._cuda.runtime.memGetInfo()
            return int(free) + int(self._cupy.get_default_memory_pool().free_bytes())

    # -- work ----------------------------------------------------------------------

    def load(self, function: DeviceFunction) -> LoadedFunction:
        """See `Device`."""
        text = function.unit.module
        with self.current():
            module = self.shared.modules.get(text)
            if module is None:
                module = self._cuda.Module()
                module.load(compiled(function.unit, self._architecture))
                self.shared.modules[text] = module
            loaded = module.get_function(function.entry)
            if function.cluster > _CLUSTER_ANYWHERE:
                self._cuda.driver.funcSetAttribute(loaded.ptr, _NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1)
            return LoadedFunction(loaded)

    def ready(self, function: DeviceFunction, *, begin: bool) -> bool:
        """See `Device`."""
        loaded = function.unit.module in self.shared.modules
        return loaded or _beside.ready(function.unit, self._architecture, begin=begin)

    def launch(
        self,
        loaded: LoadedFunction,
        blocks: int,
        threads: int,
        shared: int,
        arguments: Sequence[Any],
        cooperative: bool = False,
        rows: int = 1,
    ) -> None:
        """See `Device`.

        Raises DeviceError for more shared memory than a block can have, ValueError for more blocks of a cooperative
        launch than run at once.
        """
        with self._lock, self._asked():
            self._make_current()
            self._allow(loaded, shared)
            if cooperative and blocks * rows > (most := self._together(loaded, threads, shared)):
                # CuPy would launch fewer.
                raise ValueError(f"{blocks * rows} blocks are to wait for one another, and {most} run at once")
            # By arrays of one element CuPy passes on the bytes that it is given; numbers it would widen.
            given = tuple(np.asarray(argument) for argument in arguments)
            loaded.function((blocks, rows), (threads,), given, shared, self._captures.into, cooperative)

    def blocks_together(self, loaded: LoadedFunction, threads: int, shared: int) -> int:
        """See `Device`."""
        with self._lock, self._asked():
            self._make_current()
            if shared > self._most_shared:
                return 0
            self._allow(loaded, shared)
            return self._together(loaded, threads, shared)

    def _allow(self, loaded: LoadedFunction, shared: int) -> None:
        if shared > loaded.shared:
            if shared > (most := self._most_shared):
                raise DeviceError(
                    f"a kernel takes {in_bytes(shared)} of shared memory a block, and device {self.number} gives "
                    f"{in_bytes(most)}\n  precision: float32 takes less"
                )
            driver = self._cuda.driver
            attribute = driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            driver.funcSetAttribute(loaded.function.ptr, attribute, shared)
            loaded.shared = shared

    @property
    def _most_shared(self) -> int:
        """Bytes of shared memory that a block can have."""
        return int(self._cuda.Device(self.number).attributes["MaxSharedMemoryPerBlockOptin"])

    def _together(self, loaded: LoadedFunction, threads: int, shared: int) -> int:
        each = self._cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(loaded.function.ptr, threads, shared)
        return int(each) * self.multiprocessors

    @property
    def multiprocessors(self) -> int:
        """See `Device`."""
        return int(self._cuda.Device(self.number).attributes["MultiProcessorCount"])

    @property
    def sharers(self) -> int:
        """See `Device`."""
        return max(1, _lent[self.number])

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """See `Device`. What `work` raises comes out; the stream can be used again then."""
        with self.current():
            graph = self._captures.graph(work)

        def launch() -> None:
            with self._lock, self._asked():
                self._make_current()
                graph.launch(self._stream)

        return launch

    def in_branches(self, works: Sequence[Callable[[], None]]) -> None:
        """See `Device`. Raises RuntimeError outside of a capture, and in a branch."""
        with self._lock, self._asked():
            self._captures.in_branches(works)

    def _make_current(self) -> None:
        self._cuda.runtime.setDevice(self.number)
        self._stream.use()

    def synchronize(self) -> None:
        """See `Device`."""
        passed = self.mark()
        # Not with the lock: another thread writes what the next chunk reads.
        with self._asked():
            passed.synchronize()

    def mark(self) -> Any:
        """See `Device`."""
        with self.current():
            event = self._cuda.Event()
            event.record(self._stream)
            return event

    def wait_for(self, mark: Any) -> None:
        """See `Device`."""
        with self.current():
            self._stream.wait_event(mark)

    def seconds(self, first: Any, last: Any) -> float:
        """See `Device`."""
        with self._asked():
            last.synchronize()
            return float(self._cuda.get_elapsed_time(first, last)) / 1e3

    @contextmanager
    def current(self) -> Iterator[None]:
        """See `Device`. Raises RuntimeError in a capture. Other threads wait until it is left."""
        with self._lock, self._asked():
            if self._captures.active:
                raise RuntimeError("a capture holds launches alone: nothing is allocated, copied or waited for in it")
            self._make_current()
            yield

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Errors of CUDA are raised as what they mean."""
        cuda = self._cuda
        try:
            yield
        except cuda.memory.OutOfMemoryError as error:
            raise DeviceFull(f"device {self.number} has no memory left\n  a smaller batch takes less") from error
        except (cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError) as error:
            meant = device_error(self.number, str(error))
            if meant is None:
                raise
            raise meant from error

    # -- facts ---------------------------------------------------------------------

    def product_limit(self) -> float:
        """See `Device`. Raises DeviceError without cublasLt."""
        return self._limits.products("float32")

    def describe(self) -> Sequence[Finding]:
        """See `Device`."""
        with self.current():
            runtime = self._cuda.runtime
            found = runtime.getDeviceProperties(self.number)
            free, total = runtime.memGetInfo()
            versions = [int(runtime.driverGetVersion()), int(runtime.runtimeGetVersion())]
            driver, built = (f"{version // 1000}.{version % 1000 // 10}" for version in versions)
            nvrtc = ".".join(map(str, self._cuda.nvrtc.getVersion()))
        name = f"device {self.number}"
        capability = f"compute capability {found['major']}.{found['minor']}"
        return [
            Finding(name, found["name"].decode(), f"{capability}, {self.multiprocessors} multiprocessors"),
            Finding(f"memory of {name}", in_bytes(total), f"{in_bytes(free)} are free"),
            Finding("CUDA", driver, f"by the driver; CuPy is for {built}, NVRTC compiles as {nvrtc} does"),
            *self._limits.findings(name),
        ]
