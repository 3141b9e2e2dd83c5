"""Modules of kernels as libraries of the CPU: their text by g++, what they find there in place of CUDA by `shim.h`."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
KEPT = 4000
"""Libraries that stay in the folder of compiled ones, some 20 kB each."""
_WAITS = (
    r"__syncthreads|__syncwarp|grid_barrier|grid_wait|cluster_barrier|cluster_wait|close_copies|await_copies<[^;]*>"
)
BARRIER = re.compile(rf"\b(?:{_WAITS})\((?:[^();]|\([^()]*\))*\);")
"""A statement that waits for other threads, or sees to it that copies are waited for."""

_WRAPPER = re.compile(r'extern "C" __global__ void (?:__\w+__\([\w, ]+\) )*(\w+)\(([^)]*)\)')
_MODULE = ("-std=c++2a", "-O1", "-w", "-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing")
_MACHINE = ("-std=c++17", "-O2", "-w", "-fPIC", "-shared")
_FRESH = ("-ftrivial-auto-var-init=pattern",)
"""Local variables hold nothing of use until they are written."""


class EmulatedError(AssertionError):
    """A kernel does what no kernel may."""


@cache
def compiler() -> str | None:
    """The C++ compiler; None where there is none, or one that leaves fresh variables as they are (before g++ 12)."""
    found = shutil.which("g++")
    if found is None:
        return None
    asked = subprocess.run([found, *_FRESH, "-E", "-x", "c++", os.devnull], capture_output=True, check=False)
    return found if asked.returncode == 0 else None


@cache
def machine(*options: str) -> ctypes.CDLL:
    """The machine that runs modules; every process has one, which all modules find."""
    text = (FOLDER / "machine.cpp").read_text()
    for header in ("fibers.h", "regions.h"):
        text = text.replace(f'#include "{header}"', (FOLDER / header).read_text())
    library = _library(text, (*_MACHINE, *options))
    # It may be asked of two threads: with Python's lock held, one launch runs at a time.
    loaded = ctypes.PyDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    loaded.emulated_allocate.restype = ctypes.c_void_p
    loaded.emulated_allocate.argtypes = [ctypes.c_size_t, ctypes.c_int]
    loaded.emulated_free.argtypes = [ctypes.c_void_p]
    loaded.emulated_memory.restype = ctypes.c_void_p
    loaded.emulated_memory.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]
    loaded.emulated_launch.restype = ctypes.c_char_p
    return loaded


@cache
def module(text: str) -> ctypes.CDLL:
    """A module's text as a library: a function `thunk_…` for each wrapper.

    emulated_ignored: the number of the barrier that is taken out. emulated_met: of each, whether a thread came to it.
    """
    machine()
    return ctypes.PyDLL(str(_library(_translated(text), (*_MODULE, *_FRESH, f"-I{FOLDER}"))))


def _translated(text: str) -> str:
    """The text for g++. Its barriers are numbered, so that each can be taken out of what is compiled."""
    thunks = "\n".join(_thunk(*match) for match in _WRAPPER.findall(text))
    # In C++ an array of unknown size cannot be a local one.
    body = re.sub(r"extern __shared__ __align__\(16\) float shared\[\];", "float* shared = emulated_shared();", text)
    body = re.sub(r'asm volatile\("barrier\.cluster\.arrive[^)]*\);', "", body)
    body = re.sub(r'asm volatile\("barrier\.cluster\.wait[^)]*\);', "emulated_cluster_barrier(EMULATED_HERE);", body)
    shim = (FOLDER / "shim.h").read_text()
    first = f"""
extern "C" {{ int emulated_ignored = -1; unsigned char emulated_met[{len(BARRIER.findall(body)) + 1}]; }}
static inline bool emulated_kept(int barrier) {{ emulated_met[barrier] = 1; return barrier != emulated_ignored; }}"""
    numbers = iter(range(len(text)))
    body = BARRIER.sub(lambda found: f"{{ if (emulated_kept({next(numbers)})) {found[0]} }}", body)
    return f'{shim}\n{first}\n#line 1 "module"\n{body}\n{thunks}\n'


def taken(text: str, entry: str) -> str:
    """The parameters of a wrapper of that name, as its text has them."""
    return next(parameters for name, parameters in _WRAPPER.findall(text) if name == entry)


def _thunk(name: str, parameters: str) -> str:
    """A function that takes its arguments in places of 8 bytes each; a table, which is larger, is the last one."""
    types = [re.sub(r"\s*\w+$", "", " ".join(p.split())) for p in parameters.split(",")]
    given = ", ".join(f"*({kind}*)(a + {8 * i})" for i, kind in enumerate(types))
    return f'extern "C" void thunk_{name}(const char* a) {{ {name}({given}); }}'


# -- compiled, once for all processes ----------------------------------------------------


def _library(text: str, options: tuple[str, ...]) -> Path:
    """The library of a text. Raises EmulatedError where g++ does not take it."""
    folder = _folder()
    key = hashlib.sha256("\0".join([*options, text]).encode()).hexdigest()
    library = folder / f"{key[:24]}.so"
    try:
        # What is used stays.
        os.utime(library)
    except FileNotFoundError:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            source, made = Path(scratch) / "module.cpp", Path(scratch) / "module.so"
            source.write_text(text)
            command = [compiler() or "g++", *options, str(source), "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise EmulatedError(f"g++ does not take the module:\n{done.stderr[:4000]}") from None
            made.replace(library)
        _prune(folder)
    return library


def _folder() -> Path:
    """Where libraries lie: among temporary files, in a folder that is this user's alone."""
    folder = Path(tempfile.gettempdir()) / f"nnctl-emulated-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise EmulatedError(f"{folder} is another user's: code is not loaded from there")
    return folder


def _prune(folder: Path) -> None:
    """Remove the libraries that were not used for longest; those that a process has loaded work on."""
    ages: list[tuple[float, Path]] = []
    for library in folder.glob("*.so"):
        try:
            ages.append((library.stat().st_mtime, library))
        except FileNotFoundError:
            continue
    for _, library in sorted(ages, reverse=True)[KEPT:]:
        library.unlink(missing_ok=True)
