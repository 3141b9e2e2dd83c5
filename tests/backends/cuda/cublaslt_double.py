"""A double of libcublasLt: it records what it is asked, checks sizes as the real one does, and multiplies by NumPy.

It knows matrices by columns and nothing of what asks it, so that a product which comes out right was asked for right.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Collection
from ctypes import POINTER, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.cuda.emulator import EmulatedDevice
from nnctl.backends.cuda.cublaslt import Algorithm, Heuristic

INVALID, UNSUPPORTED = 7, 15
DESCRIPTOR_ATTRIBUTES = {3: c_int32, 4: c_int32, 7: c_int32, 8: c_uint64}
RELU, BIAS, RELU_BIAS, BGRADA = 2, 4, 6, 256
PREFERENCES = {1: c_uint64, 5: c_uint32, 6: c_uint32, 7: c_uint32, 8: c_uint32}
HANDLE = 0x1000


class CublasLtDouble:
    """Functions as ctypes has them, by the names of the library's, on an emulated device.

    asked: name and what tells one question from another. proposed: how many algorithms it proposes, beside one
    that it then says it cannot run. failing: a function that refuses. without: epilogues that it has no algorithm
    for. dropping: algorithms whose relu of a NaN is 0.
    """

    def __init__(self, proposed: int = 2, without: Collection[int] = (), dropping: Collection[int] = ()) -> None:
        self.without = without
        self.dropping = dropping
        self.device = EmulatedDevice()
        self.asked: list[tuple[Any, ...]] = []
        self.ran: list[int] = []
        self.proposed = proposed
        self.failing = ""
        self._things: dict[int, dict[Any, Any]] = {}
        self._numbers = count(HANDLE + 1)
        pointer = POINTER(c_void_p)
        for name, body, types in (
            ("cublasLtCreate", self._create, (pointer,)),
            ("cublasLtMatmulDescCreate", self._descriptor, (pointer, c_int, c_int)),
            ("cublasLtMatmulDescSetAttribute", self._set_descriptor, (c_void_p, c_int, c_void_p, c_size_t)),
            ("cublasLtMatrixLayoutCreate", self._layout, (pointer, c_int, c_uint64, c_uint64, c_int64)),
            ("cublasLtMatmulPreferenceCreate", self._preference, (pointer,)),
            ("cublasLtMatmulPreferenceSetAttribute", self._set_preference, (c_void_p, c_int, c_void_p, c_size_t)),
            ("cublasLtMatmulPreferenceDestroy", self._destroy, (c_void_p,)),
            (
                "cublasLtMatmulAlgoGetHeuristic", self._propose,
                (*(c_void_p,) * 7, c_int, POINTER(Heuristic), POINTER(c_int)),
            ),
            ("cublasLtMatmul", self._multiply, (*(c_void_p,) * 12, POINTER(Algorithm), c_void_p, c_size_t, c_void_p)),
        ):  # fmt: skip
            setattr(self, name, ctypes.CFUNCTYPE(c_int, *types)(self._refusing(name, body)))
        # ctypes has no callbacks that return text.
        self.cublasLtGetStatusString: Any = lambda status: b"status %d" % status
        self.cublasLtGetVersion = ctypes.CFUNCTYPE(c_size_t)(lambda: 130002)

    def _refusing(self, name: str, body: Any) -> Any:
        def function(*arguments: Any) -> int:
            return INVALID if name == self.failing else body(*arguments)

        return function

    def _new(self, at: Any, **what: Any) -> int:
        number = next(self._numbers)
        self._things[number] = what
        at[0] = c_void_p(number)
        return 0

    def _create(self, at: Any) -> int:
        self.asked.append(("create",))
        at[0] = c_void_p(HANDLE)
        return 0

    def _descriptor(self, at: Any, compute: int, scale: int) -> int:
        self.asked.append(("descriptor", compute, scale))
        return self._new(at, compute=compute)

    def _layout(self, at: Any, kind: int, rows: int, columns: int, lead: int) -> int:
        self.asked.append(("layout", kind, rows, columns, lead))
        return self._new(at, rows=rows, columns=columns, lead=lead)

    def _preference(self, at: Any) -> int:
        self.asked.append(("preference",))
        return self._new(at)

    def _destroy(self, preference: int) -> int:
        self.asked.append(("destroy",))
        del self._things[preference]
        return 0

    def _set_descriptor(self, of: int, attribute: int, at: int, size: int) -> int:
        return self._set(DESCRIPTOR_ATTRIBUTES, of, attribute, at, size)

    def _set_preference(self, of: int, attribute: int, at: int, size: int) -> int:
        return self._set(PREFERENCES, of, attribute, at, size)

    def _set(self, kinds: dict[int, Any], of: int, attribute: int, at: int, size: int) -> int:
        if ctypes.sizeof(kinds[attribute]) != size:
            return INVALID
        value = kinds[attribute].from_address(at).value
        self._things[of][attribute] = value
        self.asked.append(("set", attribute, value))
        return 0

    def _propose(self, *arguments: Any) -> int:
        handle, descriptor, _, _, _, _, preference, most, found, returned = arguments
        assert handle == HANDLE
        if self._things[descriptor].get(7) in self.without:
            return UNSUPPORTED
        assert self._things[preference].keys() == PREFERENCES.keys()
        returned[0] = min(most, self.proposed + 1)
        for i in range(returned[0]):
            found[i].algorithm.data[0] = i
            found[i].state = UNSUPPORTED if i == 1 else 0
        self.asked.append(("propose", most))
        return 0

    def _multiply(self, *arguments: Any) -> int:
        handle, descriptor, alpha, a, of_a, b, of_b, beta, c, of_c, d, of_d, algorithm, _, size, stream = arguments
        assert (handle, c, of_c, stream) == (HANDLE, d, of_d, 0x57)
        scale = c_float.from_address(alpha).value
        assert scale == 1.0 or math.isnan(scale)
        assert c_float.from_address(beta).value == 0.0
        assert algorithm[0].data[0] != 1
        assert size == 32 << 20
        how = self._things[descriptor]
        left, right = self._matrix(a, of_a), self._matrix(b, of_b)
        result, number = self._matrix(d, of_d), algorithm[0].data[0]

        end = how.get(7)
        assert end in (None, RELU, BIAS, RELU_BIAS, BGRADA)
        assert (8 in how) is (end in (BIAS, RELU_BIAS, BGRADA))
        assert end != BGRADA or not how[3]
        beside = np.frombuffer((c_float * len(result)).from_address(how.get(8, d)), np.float32)
        relu = np.fmax if number in self.dropping else np.maximum

        def run() -> None:
            result[...] = scale * ((left.T if how[3] else left) @ (right.T if how[4] else right))
            if end in (BIAS, RELU_BIAS):
                result[...] += beside[:, None]
            if end in (RELU, RELU_BIAS):
                result[...] = relu(result, np.float32(0.0))
            if end == BGRADA:
                beside[...] = left.sum(axis=1)
            self.ran.append(number)

        self.device.in_stream(run)
        return 0

    def _matrix(self, address: int, layout: int) -> NDArray[np.float32]:
        shape = self._things[layout]
        rows, columns, lead = shape["rows"], shape["columns"], shape["lead"]
        memory = (c_float * (lead * columns)).from_address(address)
        return np.frombuffer(memory, np.float32).reshape(columns, lead).T[:rows]
