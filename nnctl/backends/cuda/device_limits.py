"""The limits of a GPU, measured in a moment: matrix products by cublasLt, and copies of its memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

from nnctl.backends.contract import Finding
from nnctl.backends.cuda.calls import ProductPrecision
from nnctl.backends.cuda.product_library import Product
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
        self._products: dict[ProductPrecision, float] = {}

    def products(self, precision: ProductPrecision) -> float:
        """Largest FLOP/s of cublasLt's product in a precision. Raises DeviceError without cublasLt."""
        if precision not in self._products:
            library = self._device.products
            if library is None:
                raise DeviceError(
                    "cublasLt, by which the limit of products is measured, is not installed\n  "
                    "pip install 'nnctl[cuda13]', or 'nnctl[cuda12]', brings it"
                )
            a, b, c = (self._device.empty((_SIZE, _SIZE), "float32") for _ in "abc")
            with self._device.current():
                a[...] = 1.0
                b[...] = 1.0
            product = Product(_SIZE, _SIZE, _SIZE, False, False, precision)
            multiply = library.prepared(product, *(self._device.address(each) for each in (a, b, c)))
            self._products[precision] = 2.0 * _SIZE**3 / self._best(multiply)
        return self._products[precision]

    def copies(self) -> float:
        """Bytes a second that the device reads and writes of its memory."""
        source, target = (self._device.empty((_COPIED,), "uint8") for _ in "ab")
        xp: Any = self._device.arrays
        return 2.0 * _COPIED / self._best(lambda: xp.copyto(target, source))

    def findings(self, name: str) -> list[Finding]:
        """Rows for `nnctl doctor`. name: of the device."""
        moved = self._finding(f"copying memory of {name}", self.copies, "GB", f"{_COPIED >> 20} MiB read and written")
        words = f"products of cublasLt, {_SIZE}×{_SIZE}×{_SIZE}, best of several"
        return [
            moved,
            *(
                self._finding(f"limit of {name} in {precision}", partial(self.products, precision), "GFLOP", words)
                for precision in get_args(ProductPrecision)
            ),
        ]

    def _finding(self, what: str, measure: Callable[[], float], unit: str, words: str) -> Finding:
        try:
            return Finding(what, f"{measure() / 1e9:.0f} {unit}/s", words)
        except DeviceError as error:
            return Finding(what, "not measured", str(error).replace("\n ", ":"))

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
