"""Kernels called from tests: any function of generated code, compiled for the types that it is called with."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.cpu.codegen.kinds import Kind
from nnctl.backends.cpu.codegen.vocabulary import vocabulary
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.backends.cpu.compiler.entries import module_of
from nnctl.backends.cpu.compiler.objects import FOR_LOOPS, addresses, object_code
from nnctl.backends.cpu.compiler.types import BYTE, F32, I64, Number

ELEMENTS: dict[Any, Number] = {np.dtype(np.float32): F32, np.dtype(np.int64): I64, np.dtype(np.uint8): BYTE}


class Arguments:
    """Values as a kernel's arguments: their texts, types and words."""

    def __init__(self) -> None:
        self.types: list[tuple[Number, int]] = []
        self.words: list[int] = []
        self._kept: list[NDArray[Any]] = []

    def text(self, value: Any) -> str:
        """The text of a value, which is passed."""
        if value is None:
            return "None"
        if isinstance(value, tuple):
            return f"({', '.join(map(self.text, value))},)"
        name = f"p{len(self.types)}"
        if isinstance(value, np.ndarray):
            assert value.flags.c_contiguous
            self.types.append((ELEMENTS[value.dtype], value.ndim))
            self._kept.append(value)
            self.words += [value.ctypes.data, *value.shape]
        elif isinstance(value, (float, np.floating)):
            self.types.append((F32, 0))
            self.words += struct.unpack("<i", struct.pack("<f", np.float32(value)))
        else:
            self.types.append((I64, 0))
            self.words.append(int(value))
        return name


def call(name: str, *values: Any) -> None:
    """Call a function of generated code by its name. Arrays are passed as they lie, None and tuples as such."""
    arguments = Arguments()
    text = f"{name}({', '.join([arguments.text(value) for value in values])})"
    launch([text], arguments.types, arguments.words)


def result(name: str, *values: Any) -> np.float32:
    """The number that a function of generated code gives."""
    arguments = Arguments()
    made = np.zeros(1, np.float32)
    target = arguments.text(made)
    text = f"{target}[0] = {name}({', '.join([arguments.text(value) for value in values])})"
    launch([text], arguments.types, arguments.words)
    return made[0]


def launch(lines: Sequence[str], types: Sequence[tuple[Number, int]], words: Sequence[int]) -> int:
    """Run lines of the kernel language over parameters p0, p1, … of these types."""
    kind = Kind(tuple(lines), tuple(types))
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(compiled_step([kind], "a test").kinds[kind])
    passed = np.array(words or [0], np.int64)
    return int(function(passed.ctypes.data))


def run(function: Callable[..., Any], *values: Any) -> None:
    """Call a kernel that no generated code knows. Arguments as of `call`."""
    arguments = Arguments()
    text = f"{function.__name__}({', '.join([arguments.text(value) for value in values])})"
    _called(_kernel(function, Kind((text,), tuple(arguments.types))), arguments)


def launch_once(lines: Sequence[str], arguments: Arguments) -> None:
    """Run lines as `launch` does, and keep nothing of them."""
    kind = Kind(tuple(lines), tuple(arguments.types))
    _called(_address(kind, vocabulary()), arguments)


@cache
def _kernel(function: Callable[..., Any], kind: Kind) -> int:
    return _address(kind, function.__globals__)


def _address(kind: Kind, names: Mapping[str, Any]) -> int:
    """The address of a kind's code, in which names mean what they mean there."""
    (address,) = addresses([object_code(module_of(kind.text, kind.types, "tried", names), FOR_LOOPS)], ["tried"])
    return address


def _called(address: int, arguments: Arguments) -> None:
    words = np.array(arguments.words or [0], np.int64)
    ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)(words.ctypes.data)


def elementwise(text: str, *arrays: NDArray[np.float32]) -> NDArray[np.float32]:
    """out[i] = text for every i, where the elements of the arrays are called x, y and z."""
    arguments = Arguments()
    out = np.empty_like(arrays[0])
    names = [arguments.text(array) for array in (out, *arrays)]
    bound = [f"    {letter} = {name}[i]" for letter, name in zip("xyz", names[1:])]
    lines = [f"for i in range({names[0]}.size):", *bound, f"    {names[0]}[i] = {text}"]
    launch(lines, arguments.types, arguments.words)
    return out


def same(function: Callable[..., Any], *values: Any) -> None:
    """Assert that a kernel leaves the same bytes in its arrays, compiled and as Python runs it."""
    given = [[v.copy() if isinstance(v, np.ndarray) else v for v in values] for _ in range(2)]
    run(function, *given[0])
    with np.errstate(all="ignore"):
        function(*[np.float32(v) if isinstance(v, float) else v for v in given[1]])
    for found, wanted in zip(*given, strict=True):
        if isinstance(found, np.ndarray):
            np.testing.assert_array_equal(found, wanted)
            assert np.array_equal(np.signbit(found), np.signbit(wanted)) or np.isnan(wanted).any()


def reals(*shape: int) -> NDArray[np.float32]:
    """Random numbers, the same of one shape."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def integers(*shape: int) -> NDArray[np.int64]:
    """Zeros."""
    return np.zeros(shape, np.int64)
