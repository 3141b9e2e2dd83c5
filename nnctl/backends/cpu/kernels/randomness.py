"""Random numbers by counter: the streams of `nnctl.ops.philox`, to the bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.plan.plan import Launch

_LOW = np.uint64(0xFFFFFFFF)
_THIRTY_TWO = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


@compiled
def _word(block: Any, lane: Any, stream: Any, low: Any, high: Any, k0: Any, k1: Any) -> Any:
    """One 32-bit word of Philox 4x32-10, as `nnctl.ops.philox` defines it."""
    c0, c1, c2, c3 = block, stream, low, high
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _THIRTY_TWO) ^ c1 ^ k0, p1 & _LOW, (p0 >> _THIRTY_TWO) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    word = c0 if lane == 0 else c1
    word = c2 if lane == 2 else word
    return c3 if lane == 3 else word


@compiled
def _block(block: Any, stream: Any, low: Any, high: Any, k0: Any, k1: Any) -> Any:
    """The four words of a counter."""
    c0, c1, c2, c3 = block, stream, low, high
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _THIRTY_TWO) ^ c1 ^ k0, p1 & _LOW, (p0 >> _THIRTY_TWO) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@compiled
def _unit(word: Any) -> Any:
    """A word as a uniform on (0, 1)."""
    return (F(word >> np.uint64(9)) + F(0.5)) * F(2.0**-23)


@compiled
def uniform(seed: Any, step: Any, stream: Any, first: Any, out: Any) -> None:
    """Elements first, first + 1, … of a stream's uniforms."""
    k0, k1 = np.uint64(seed[0]), np.uint64(seed[1])
    low, high, s = np.uint64(step) & _LOW, np.uint64(step) >> _THIRTY_TWO, np.uint64(stream)
    done = 0
    while done < out.size and (first + done) % 4 != 0:
        element = first + done
        out[done] = _unit(_word(np.uint64(element // 4), element % 4, s, low, high, k0, k1))
        done += 1
    blocks = (out.size - done) // 4
    start = np.uint64((first + done) // 4)
    for b in range(blocks):
        c0, c1, c2, c3 = _block(start + np.uint64(b), s, low, high, k0, k1)
        out[done + 4 * b] = _unit(c0)
        out[done + 4 * b + 1] = _unit(c1)
        out[done + 4 * b + 2] = _unit(c2)
        out[done + 4 * b + 3] = _unit(c3)
    for i in range(done + 4 * blocks, out.size):
        element = first + i
        out[i] = _unit(_word(np.uint64(element // 4), element % 4, s, low, high, k0, k1))


@compiled
def normal(seed: Any, step: Any, stream: Any, first: Any, out: Any) -> None:
    """Elements first, first + 1, … of a stream's standard normals, by Box and Muller in float64."""
    k0, k1 = np.uint64(seed[0]), np.uint64(seed[1])
    low, high, s = np.uint64(step) & _LOW, np.uint64(step) >> _THIRTY_TWO, np.uint64(stream)
    for i in range(out.size):
        element = 2 * (first + i)
        c0, c1, c2, c3 = _block(np.uint64(element // 4), s, low, high, k0, k1)
        a, b = (c0, c1) if element % 4 == 0 else (c2, c3)
        radius = math.sqrt(-2.0 * math.log(float(_unit(a))))
        out[i] = F(radius * math.cos(2.0 * math.pi * float(_unit(b))))


@emits("uniform", "normal", calls=(normal, uniform), rows=True, blocks=True)
def _random(writer: Writer, launch: Launch) -> None:
    seed, step = launch.inputs
    out = launch.outputs[0]
    part = part_of(launch)
    first = f"{writer.bounds(out)[0]} * {math.prod(out.shape[1:])}" if part == "partition" else "0"
    target = writer.view(out, part)
    stream = launch.attributes["stream"]
    writer.line(f"{launch.op.name}({writer.view(seed, 'full')}, {writer.scalar(step)}, {stream}, {first}, {target})")
