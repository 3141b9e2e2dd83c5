"""Copying at any size, as LLVM has it for this processor: the limit of passes over memory or a cache."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cache

import numpy as np

_LEAST = 1 << 14
"""Bytes, read and written: less lies in the nearest cache."""
_MOST = 1 << 27
"""Bytes: more than the caches hold."""
_TURN = 2e-3
"""Seconds of a measurement, about."""
_REPEATS = 7
_UNROLLED = 4
_WIDTH = 16
"""Floats of a vector, which LLVM divides where registers are narrower."""


@cache
def copy_rate(moved: int, threads: int) -> float:
    """Bytes a second, read and written together, where `moved` of them lie in the same place each time.

    threads: that share them, each with its own part; the best of several measurements, of a power of two of bytes.
    """
    size = min(max(_LEAST, 1 << (moved - 1).bit_length()), _MOST)
    return _measured(size, threads)


@cache
def _measured(size: int, threads: int) -> float:
    step = _WIDTH * _UNROLLED
    count = max(step, size // (8 * threads) // step * step)
    parts = [(_aligned(count), _aligned(count)) for _ in range(threads)]
    turns = 1
    while (seconds := _together(parts, count, turns)) < _TURN:
        turns = max(2 * turns, int(turns * _TURN / max(seconds, 1e-6)))
    fastest = min(_together(parts, count, turns) for _ in range(_REPEATS))
    return 8.0 * count * threads * turns / fastest


def _together(parts: list[tuple[np.ndarray, np.ndarray]], count: int, turns: int) -> float:
    """Seconds from the moment when all threads are there until the last has copied its part so many times."""
    ended = [0.0] * len(parts)
    began: list[float] = []
    gate = threading.Barrier(len(parts), lambda: began.append(time.perf_counter()))
    copy = _copy()[0]

    def work(number: int) -> None:
        source, target = parts[number]
        gate.wait()
        copy(source.ctypes.data, target.ctypes.data, count, turns)
        ended[number] = time.perf_counter()

    started = [threading.Thread(target=work, args=(number,)) for number in range(len(parts))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return max(ended) - began[0]


def _aligned(count: int) -> np.ndarray:
    raw = np.zeros(count + _WIDTH, np.float32)
    start = -raw.ctypes.data % 64 // 4
    return raw[start : start + count]


@cache
def _copy() -> tuple[Callable[[int, int, int, int], None], object]:
    """The function `copy(source, target, floats, turns)`, and what keeps it alive."""
    import llvmlite.binding as llvm

    from nnctl.backends.machine import llvm_features, processor

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=processor(), features=llvm_features(), opt=3)
    # No pass of the optimizer is run, which would see that all turns but one are idle.
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(_text()), machine)
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    return kind(engine.get_function_address("copy")), engine


def _text() -> str:
    vector = f"<{_WIDTH} x float>"
    body = []
    for k in range(_UNROLLED):
        body += [
            f"%p{k} = add i64 %i, {k * _WIDTH}",
            f"%s{k} = getelementptr float, ptr %source, i64 %p{k}",
            f"%t{k} = getelementptr float, ptr %target, i64 %p{k}",
            f"%v{k} = load {vector}, ptr %s{k}, align 64",
            f"store {vector} %v{k}, ptr %t{k}, align 64",
        ]
    lines = "\n  ".join(body)
    return f"""
define void @copy(ptr %source, ptr %target, i64 %count, i64 %turns) {{
entry:
  br label %turn
turn:
  %done = phi i64 [0, %entry], [%one_more, %turned]
  br label %copied
copied:
  %i = phi i64 [0, %turn], [%next, %copied]
  {lines}
  %next = add i64 %i, {_WIDTH * _UNROLLED}
  %within = icmp ult i64 %next, %count
  br i1 %within, label %copied, label %turned
turned:
  %one_more = add i64 %done, 1
  %again = icmp ult i64 %one_more, %turns
  br i1 %again, label %turn, label %end
end:
  ret void
}}
"""
