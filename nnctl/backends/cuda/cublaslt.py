"""Matrix products by cublasLt, asked by way of ctypes: CuPy's own wrappers refuse to be captured.

The library knows matrices by columns. Ours by rows are their transposes, so it is asked for
Cᵀ = op(B)ᵀ·op(A)ᵀ, in which no matrix moves. Numbers of its interface: cublasLt.h and cublas_api.h of CUDA 13.0,
where they are what they were in CUDA 12.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping
from ctypes import POINTER, byref, c_float, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from nnctl.backends.cache.store import kept_bytes
from nnctl.backends.cuda.calls import ProductPrecision
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.product_library import NoAlgorithm, Product
from nnctl.errors import DeviceError

Work = Callable[[], None]

WORKSPACE = 32 << 20
"""Bytes that all products of a device share. They are in one stream, one after the other."""

_REAL_32 = 0  # CUDA_R_32F
_COMPUTE: Mapping[ProductPrecision, int] = {
    "float32": 68,  # CUBLAS_COMPUTE_32F
    "tf32": 77,  # CUBLAS_COMPUTE_32F_FAST_TF32
    "bf16": 75,  # CUBLAS_COMPUTE_32F_FAST_16BF
}
_TRANSPOSE_A, _TRANSPOSE_B = 3, 4  # CUBLASLT_MATMUL_DESC_TRANSA, _TRANSB: cublasOperation_t as int32
_EPILOGUE, _BIAS_POINTER = 7, 8  # CUBLASLT_MATMUL_DESC_EPILOGUE: int32, _BIAS_POINTER: an address
# CUBLASLT_EPILOGUE_RELU, _BIAS, _RELU_BIAS, _BGRADA. A bias lies along the rows of the library's result, which are our
# columns; BGRADA puts the sums of the rows of its A, our B, which must not be transposed, where a bias would be.
_EPILOGUES = {"relu": 2, "bias": 4, "bias+relu": 6, "sums": 256}
_WORKSPACE_LIMIT = 1  # CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: uint64
_ALIGNMENTS = (5, 6, 7, 8)  # CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_{A,B,C,D}_BYTES: uint32
_NOT_SUPPORTED = 15  # CUBLAS_STATUS_NOT_SUPPORTED: no algorithm
_CANDIDATES = 8
_TRIALS = 5


class Algorithm(ctypes.Structure):
    """cublasLtMatmulAlgo_t: bytes that mean the same to every process with this version of the library."""

    _fields_ = (("data", c_uint64 * 8),)


class Heuristic(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t."""

    _fields_ = (
        ("algorithm", Algorithm),
        ("workspace", c_size_t),
        ("state", c_int),
        ("waves", c_float),
        ("reserved", c_int * 4),
    )


_SIGNATURES: Mapping[str, tuple[Any, ...]] = {
    "cublasLtCreate": (POINTER(c_void_p),),
    "cublasLtMatmulDescCreate": (POINTER(c_void_p), c_int, c_int),
    "cublasLtMatmulDescSetAttribute": (c_void_p, c_int, c_void_p, c_size_t),
    "cublasLtMatrixLayoutCreate": (POINTER(c_void_p), c_int, c_uint64, c_uint64, c_int64),
    "cublasLtMatmulPreferenceCreate": (POINTER(c_void_p),),
    "cublasLtMatmulPreferenceSetAttribute": (c_void_p, c_int, c_void_p, c_size_t),
    "cublasLtMatmulPreferenceDestroy": (c_void_p,),
    "cublasLtMatmulAlgoGetHeuristic": (*(c_void_p,) * 7, c_int, POINTER(Heuristic), POINTER(c_int)),
    "cublasLtMatmul": (
        *(c_void_p, c_void_p, c_void_p),  # handle, descriptor, α
        *(c_void_p, c_void_p, c_void_p, c_void_p),  # A, B
        c_void_p,  # β
        *(c_void_p, c_void_p, c_void_p, c_void_p),  # C, D
        *(POINTER(Algorithm), c_void_p, c_size_t, c_void_p),  # workspace, stream
    ),
}


def declared(library: Any) -> Any:
    """The library with the types of what its functions take, so that nothing is passed on in another width."""
    for name, types in _SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = types, c_int
    library.cublasLtGetStatusString.argtypes = (c_int,)
    library.cublasLtGetStatusString.restype = ctypes.c_char_p
    library.cublasLtGetVersion.argtypes = ()
    library.cublasLtGetVersion.restype = c_size_t
    return library


def installed() -> Any | None:
    """The library as it is installed with CuPy or CUDA, declared; None where there is none."""
    pathfinder = import_module("cuda.pathfinder")
    try:
        path = pathfinder.load_nvidia_dynamic_lib("cublasLt").abs_path
    except pathfinder.DynamicLibNotFoundError:
        return None
    return declared(ctypes.CDLL(path))


class CublasLt:
    """A `ProductLibrary`. library: declared. stream: of the device, as CUDA knows it. name: of the device's model.

    Raises DeviceError where the library refuses.
    """

    def __init__(self, library: Any, device: Device, stream: int, name: str) -> None:
        self._library = library
        self._device = device
        self._stream = stream
        self._name = name
        self._handle = self._made("cublasLtCreate")
        self._workspace: Any = None
        self._one, self._zero, self._no_number = c_float(1.0), c_float(0.0), c_float(math.nan)
        self._layouts: dict[tuple[int, int], c_void_p] = {}
        self._descriptors: dict[tuple[Any, ...], c_void_p] = {}

    @property
    def version(self) -> str:
        """The library's version, as "13.0.2"."""
        number = int(self._library.cublasLtGetVersion())
        return f"{number // 10000}.{number // 100 % 100}.{number % 100}"

    def prepared(self, product: Product, a: int, b: int, c: int, beside: int = 0) -> Work:
        """See `ProductLibrary`."""
        if self._workspace is None:
            self._workspace = self._device.empty((WORKSPACE,), np.uint8)
        alignments = tuple(min(256, address & -address) for address in (b, a, c, c))
        descriptor = self._descriptor(product, beside)
        algorithm = Algorithm.from_buffer_copy(
            kept_bytes(
                "product",
                (self.version, self._name, repr(product), repr(alignments), repr(min(256, beside & -beside))),
                lambda: bytes(self._fastest(product, descriptor, a, b, alignments)),
            )
        )
        return lambda: self._multiply(product, descriptor, algorithm, a, b, c)

    def _multiply(
        self,
        product: Product,
        descriptor: c_void_p,
        algorithm: Algorithm,
        a: int,
        b: int,
        c: int,
        alpha: c_float | None = None,
    ) -> None:
        left, right, result = self._operands(product)
        self._ask(
            "cublasLtMatmul",
            self._handle, descriptor, byref(alpha or self._one), b, left, a, right,
            byref(self._zero), c, result, c, result,
            byref(algorithm), self._device.address(self._workspace), WORKSPACE, self._stream,
        )  # fmt: skip

    # -- the choice of an algorithm ------------------------------------------------

    def _fastest(
        self, product: Product, descriptor: c_void_p, a: int, b: int, alignments: tuple[int, ...]
    ) -> Algorithm:
        """The algorithm that is fastest on this device, of those that the library's heuristic proposes.

        It is measured once and then kept: another algorithm may round sums in another order, and runs repeat.
        """
        candidates = self._proposed(product, descriptor, alignments)
        if len(candidates) == 1 and "relu" not in product.end:
            return candidates[0]
        # Alone: what another thread puts into the stream would be measured, too.
        with self._device.current():
            result = self._device.empty((product.m * product.n,), np.float32)
            sums = self._device.empty((product.n,), np.float32)
            if product.end == "sums":
                descriptor = self._descriptor(product, self._device.address(sums))
            turn = partial(self._multiply, product, descriptor, a=a, b=b, c=self._device.address(result))
            if "relu" in product.end:
                candidates = [each for each in candidates if self._keeps_nan(partial(turn, each), result)]
            if not candidates:
                raise NoAlgorithm(f"cublasLt {self.version} has no algorithm for {product} that keeps a NaN")
            return min(candidates, key=lambda each: self._seconds(partial(turn, each)))

    def _keeps_nan(self, turn: Callable[..., None], result: Any) -> bool:
        """True where a relu of what is no number is none, which is said nowhere: a net that diverges is found by it."""
        turn(alpha=self._no_number)
        return bool(np.isnan(self._device.download(result)).all())

    def _proposed(self, product: Product, descriptor: c_void_p, alignments: tuple[int, ...]) -> list[Algorithm]:
        left, right, result = self._operands(product)
        preference = self._made("cublasLtMatmulPreferenceCreate")
        found, count = (Heuristic * _CANDIDATES)(), c_int(0)
        try:
            self._set("cublasLtMatmulPreferenceSetAttribute", preference, _WORKSPACE_LIMIT, c_uint64(WORKSPACE))
            for attribute, alignment in zip(_ALIGNMENTS, alignments, strict=True):
                self._set("cublasLtMatmulPreferenceSetAttribute", preference, attribute, c_uint32(alignment))
            self._ask(
                "cublasLtMatmulAlgoGetHeuristic",
                self._handle, descriptor, left, right, result, result, preference,
                _CANDIDATES, found, byref(count), but=_NOT_SUPPORTED,
            )  # fmt: skip
        finally:
            self._ask("cublasLtMatmulPreferenceDestroy", preference)
        proposed = [Algorithm.from_buffer_copy(each.algorithm) for each in found[: count.value] if each.state == 0]
        if not proposed:
            raise NoAlgorithm(f"cublasLt {self.version} has no algorithm for {product}")
        return proposed

    def _seconds(self, work: Work) -> float:
        """The shortest of a few runs, after one that loads what it needs."""
        work()
        spans = []
        for _ in range(_TRIALS):
            first = self._device.mark()
            work()
            spans.append((first, self._device.mark()))
        self._device.synchronize()
        return min(self._device.seconds(*span) for span in spans)

    # -- what the library knows a product by ---------------------------------------

    def _operands(self, product: Product) -> tuple[c_void_p, c_void_p, c_void_p]:
        """The layouts of B, A and C, as it takes them."""
        m, n, k = product.m, product.n, product.k
        right = self._layout(k, n) if product.transpose_b else self._layout(n, k)
        left = self._layout(m, k) if product.transpose_a else self._layout(k, m)
        return right, left, self._layout(n, m)

    def _layout(self, rows: int, columns: int) -> c_void_p:
        if (rows, columns) not in self._layouts:
            made = self._made("cublasLtMatrixLayoutCreate", _REAL_32, rows, columns, rows)
            self._layouts[rows, columns] = made
        return self._layouts[rows, columns]

    def _descriptor(self, product: Product, beside: int) -> c_void_p:
        key = (product.precision, product.transpose_a, product.transpose_b, product.end, beside)
        if key not in self._descriptors:
            made = self._made("cublasLtMatmulDescCreate", _COMPUTE[product.precision], _REAL_32)
            self._set("cublasLtMatmulDescSetAttribute", made, _TRANSPOSE_A, c_int(product.transpose_b))
            self._set("cublasLtMatmulDescSetAttribute", made, _TRANSPOSE_B, c_int(product.transpose_a))
            if product.end:
                self._set("cublasLtMatmulDescSetAttribute", made, _EPILOGUE, c_int(_EPILOGUES[product.end]))
            if product.end and beside:
                self._set("cublasLtMatmulDescSetAttribute", made, _BIAS_POINTER, c_uint64(beside))
            self._descriptors[key] = made
        return self._descriptors[key]

    # -- the library ---------------------------------------------------------------

    def _made(self, name: str, *arguments: Any) -> c_void_p:
        made = c_void_p()
        self._ask(name, byref(made), *arguments)
        return made

    def _set(self, name: str, of: c_void_p, attribute: int, value: Any) -> None:
        self._ask(name, of, attribute, byref(value), ctypes.sizeof(value))

    def _ask(self, name: str, *arguments: Any, but: int = 0) -> None:
        """Ask the library. but: a status that is an answer, too."""
        status = getattr(self._library, name)(*arguments)
        if status not in (0, but):
            words = self._library.cublasLtGetStatusString(status)
            raise DeviceError(f"cublasLt {self.version} refuses {name}: {words.decode()}")
