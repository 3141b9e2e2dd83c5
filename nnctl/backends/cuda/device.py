"""The seam to the machine: what the backend asks of a device, so that one without a GPU can stand in for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from nnctl.backends.contract import Finding
from nnctl.backends.cuda.codegen.functions import DeviceFunction

if TYPE_CHECKING:
    from nnctl.backends.cuda.product_library import ProductLibrary
    from nnctl.backends.cuda.shared import Shared

UNASKED_SHARED = 48 << 10
"""Bytes of dynamic shared memory that any device gives a block; more is asked for, function by function."""
SHARED_EVERYWHERE = 99 << 10
"""Bytes of shared memory that a block can ask for on every device with tensor cores for TF32 and BF16, that is from
compute capability 8.0 on: 8.6 and 8.9 give no more."""
MOST_SHARED = 227 << 10
"""Bytes of shared memory that a block can ask for on the devices with the most."""

BRANCHES = 4
"""Branches of a graph that lie beside each other, at most: a phase has few large launches."""


class Device(Protocol):
    """A device, its memory, and one stream of work.

    arrays: a module like NumPy whose arrays lie on the device; reference bodies run on it.
    """

    @property
    def arrays(self) -> ModuleType: ...

    @property
    def products(self) -> ProductLibrary | None:
        """The library that makes large matrix products in the stream, where there is one."""

    @property
    def shared(self) -> Shared:
        """The state in common with the other streams of this machine's device that this process uses."""

    @property
    def multiprocessors(self) -> int:
        """Multiprocessors: as many blocks run at once, whatever they need."""

    @property
    def sharers(self) -> int:
        """Streams of this machine's device that this process uses, this one among them: they run beside each other."""

    @property
    def largest_cluster(self) -> int:
        """Blocks, at most, that can be launched as a cluster, which has barriers of its own; 0 where none can."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """A new array that holds nothing of use, aligned to 256 bytes."""

    def upload(self, array: NDArray[Any]) -> Any:
        """A copy of an array, on the device."""

    def download(self, array: Any) -> NDArray[Any]:
        """A copy of an array, on the host, when all work before it is done."""

    def write(self, array: Any, values: NDArray[Any], first: int = 0) -> None:
        """Let the rows of an array from `first` on be `values`; an array without axes has its value replaced."""

    def copy(self, array: Any, other: Any) -> None:
        """Put a copy into the stream: of all elements of another flat array to the first of an array of their type."""

    def memory_left(self) -> int:
        """Bytes that new arrays may take."""

    def address(self, array: Any) -> int:
        """The address of an array in the device's memory."""

    def load(self, function: DeviceFunction) -> Any:
        """The launchable wrapper of a function, compiled. Raises `KernelError` where that fails."""

    def ready(self, function: DeviceFunction, *, begin: bool) -> bool:
        """True where `load` need not wait for a compiler. begin: whether to have a function compiled beside else."""

    def blocks_together(self, loaded: Any, threads: int, shared: int) -> int:
        """The most blocks of a wrapper that run at the same time, with so many bytes of shared memory each.

        0 where a block cannot have so many.
        """

    def launch(
        self,
        loaded: Any,
        blocks: int,
        threads: int,
        shared: int,
        arguments: Sequence[Any],
        cooperative: bool = False,
        rows: int = 1,
    ) -> None:
        """Put a launch into the stream.

        arguments: NumPy scalars of the parameters' sizes, addresses as uint64. cooperative: all blocks run at the
        same time, so that they may wait for one another. rows: along the grid's other axis, each of so many blocks.
        """

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """The launches that `work` makes as one that may be repeated; they do not run now."""

    def in_branches(self, works: Sequence[Callable[[], None]]) -> None:
        """The launches of several works, at most `BRANCHES`, in a capture: no work waits for another.

        All come after what has been captured, and before what will be. Products of the library are in the first work
        alone.
        """

    def current(self) -> AbstractContextManager[None]:
        """A time in which work on arrays by functions of their module goes into the stream, too."""

    def synchronize(self) -> None:
        """Wait until all work in the stream is done."""

    def mark(self) -> Any:
        """A point in the stream."""

    def wait_for(self, mark: Any) -> None:
        """Let all that is put into the stream from now on wait for a point in another stream of the same device."""

    def seconds(self, first: Any, last: Any) -> float:
        """The time between two marks that have been passed."""

    def product_limit(self) -> float:
        """FLOP/s that matrix products in float32 reach, measured. Raises `DeviceError` where that cannot be."""

    def describe(self) -> Sequence[Finding]:
        """Facts for `nnctl doctor`."""
