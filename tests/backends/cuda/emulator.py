"""A device without a GPU: the kernels' text by g++ and a shim, their threads as fibers on one core.

Arrays are NumPy's, each between red zones; new ones and shared memory hold NaNs. Used in tests alone.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Finding
from nnctl.backends.cuda.codegen.functions import DeviceFunction

SHIM = Path(__file__).with_name("shim.h")
_WRAPPER = re.compile(r'extern "C" __global__ void (?:__launch_bounds__\(\w+\) )?(\w+)\(([^)]*)\)')
_ZONE = 256
"""Bytes before and behind each array that nobody may write."""
_OPTIONS = ("-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing")


class EmulatedError(AssertionError):
    """A kernel does what no kernel may."""


def compiler() -> str | None:
    """The C++ compiler; None where there is none."""
    return shutil.which("g++")


def built(text: str, folder: Path | None = None) -> ctypes.CDLL:
    """A module's text as a library; made once for all tests and processes."""
    thunks = "\n".join(_thunk(*match) for match in _WRAPPER.findall(text))
    # In C++ an array of unknown size cannot be a local one: all blocks have the shim's.
    body = re.sub(r"extern __shared__ __align__\(16\) float shared\[\];", "float* shared = ::shared;", text)
    whole = f'#include "{SHIM.name}"\n#line 1 "module"\n{body}\n{thunks}\n'
    shim = SHIM.read_bytes()
    key = hashlib.sha256(shim + whole.encode() + " ".join(_OPTIONS).encode()).hexdigest()[:24]
    folder = folder or Path(tempfile.gettempdir()) / f"nnctl-emulated-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{key}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            source, made = Path(scratch) / "module.cpp", Path(scratch) / "module.so"
            source.write_text(whole)
            command = [compiler() or "g++", *_OPTIONS, f"-I{SHIM.parent}", str(source), "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise EmulatedError(f"g++ does not take the module:\n{done.stderr[:4000]}")
            made.replace(library)
    loaded = ctypes.CDLL(str(library))
    loaded.emulated_launch.restype = ctypes.c_char_p
    return loaded


def _thunk(name: str, parameters: str) -> str:
    """A function that takes its arguments as cuLaunchKernel gives them."""
    types = [re.sub(r"\s*\w+$", "", " ".join(p.split())) for p in parameters.split(",")]
    given = ", ".join(f"*({kind}*)a[{i}]" for i, kind in enumerate(types))
    return f'extern "C" void thunk_{name}(void** a) {{ {name}({given}); }}'


class EmulatedDevice:
    """See `nnctl.backends.cuda.device.Device`. order: of threads and blocks, 0 up, 1 down, from 2 on shuffled."""

    arrays: ModuleType = np

    def __init__(self, order: int = 0) -> None:
        self.order = order
        self._zones: list[tuple[NDArray[np.uint8], int]] = []
        self._libraries: dict[str, ctypes.CDLL] = {}

    def empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=int)) * kind.itemsize
        raw = np.full(size + 3 * _ZONE, 0xFF, np.uint8)
        start = _ZONE + -(raw.ctypes.data + _ZONE) % _ZONE
        self._zones.append((raw[:start], size))
        self._zones.append((raw[start + size :], size))
        return raw[start : start + size].view(kind).reshape(shape)

    def upload(self, array: NDArray[Any]) -> NDArray[Any]:
        placed = self.empty(array.shape, array.dtype)
        placed[...] = array
        return placed

    def download(self, array: NDArray[Any]) -> NDArray[Any]:
        return np.array(array, order="C")

    def write(self, array: NDArray[Any], values: NDArray[Any], first: int = 0) -> None:
        array[slice(first, first + len(values)) if values.ndim else ...] = values

    def address(self, array: NDArray[Any]) -> int:
        return array.ctypes.data

    def load(self, function: DeviceFunction) -> Any:
        text = function.unit.module
        if text not in self._libraries:
            self._libraries[text] = built(text)
        library = self._libraries[text]
        return library, getattr(library, f"thunk_{function.entry}")

    def launch(self, loaded: Any, blocks: int, threads: int, shared: int, arguments: Sequence[Any]) -> None:
        library, kernel = loaded
        kept = [np.asarray(a) for a in arguments]
        pointers = (ctypes.c_void_p * len(kept))(*(a.ctypes.data for a in kept))
        problem = library.emulated_launch(kernel, pointers, blocks, threads, shared, self.order)
        if problem is not None:
            raise EmulatedError(problem.decode())

    def check_zones(self) -> None:
        """Raise EmulatedError where something was written outside its array."""
        for zone, size in self._zones:
            if not (zone == 0xFF).all():
                raise EmulatedError(f"memory outside an array of {size} bytes is written")

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        return work

    def synchronize(self) -> None:
        self.check_zones()

    def mark(self) -> float:
        return time.perf_counter()

    def seconds(self, first: float, last: float) -> float:
        return last - first

    def describe(self) -> Sequence[Finding]:
        return (Finding("device", "emulated", "fibers on one core"),)
