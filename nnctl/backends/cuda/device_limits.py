"""The limits of a GPU, measured in a moment: matrix products by cuBLAS, and copies of its memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nnctl.backends.contract import Finding
from nnctl.errors import DeviceError

if TYPE_CHECKING:
    from nnctl.backends.cuda.cupy_device import CupyDevice

_SIZE = 4096
"""Rows of the square product: enough for every multiprocessor, a few milliseconds."""
_COPIED = 1 << 28
"""Bytes copied: more than the caches hold."""
_REPEATS = 7


class Limits:
    """The limits of a device, each measured once."""

    def __init__(self, device: CupyDevice) -> None:
        self._device = device

    def products(self) -> float:
        """Largest FLOP/s of cuBLAS's float32 product. Raises DeviceError without cuBLAS."""
        return self._products

    @cached_property
    def _products(self) -> float:
        xp: Any = self._device.arrays
        a, b, c = (self._device.empty((_SIZE, _SIZE), "float32") for _ in "abc")
        with self._device.current():
            a[...] = 1.0
            b[...] = 1.0
        try:
            return 2.0 * _SIZE**3 / self._best(lambda: xp.matmul(a, b, out=c))
        except RuntimeError as error:
            if "cublas" not in str(error).lower():
                raise
            raise DeviceError(
                "cuBLAS, by which the limit of products is measured, is not installed\n  "
                "pip install 'nnctl[cuda13]', or 'nnctl[cuda12]', brings it"
            ) from error

    @cached_property
    def copies(self) -> float:
        """Bytes a second that the device reads and writes of its memory."""
        source, target = (self._device.empty((_COPIED // 4,), "float32") for _ in "ab")
        xp: Any = self._device.arrays
        return 2.0 * _COPIED / self._best(lambda: xp.copyto(target, source))

    def findings(self, name: str) -> list[Finding]:
        """Rows for `nnctl doctor`. name: of the device."""
        copied = Finding(
            f"copying memory of {name}", f"{self.copies / 1e9:.0f} GB/s", f"{_COPIED >> 20} MiB read and written"
        )
        size = f"{_SIZE}×{_SIZE}×{_SIZE}"
        try:
            rate = f"{self.products() / 1e9:.0f} GFLOP/s"
        except DeviceError as error:
            return [copied, Finding(f"limit of {name}", "not measured", str(error).replace("\n ", ":"))]
        return [copied, Finding(f"limit of {name}", rate, f"float32 products of cuBLAS, {size}, best of several")]

    def _best(self, work: Callable[[], object]) -> float:
        """Seconds of the fastest of several turns after one that does not count."""
        device = self._device
        with device.current():
            work()
            marks = [device.mark()]
            for _ in range(_REPEATS):
                work()
                marks.append(device.mark())
        return min(device.seconds(first, last) for first, last in pairwise(marks))
