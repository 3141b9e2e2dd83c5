"""The scan of a recurrent cell through a sequence: the pieces of its steps, and how a cell's function is called.

A thread scans its own examples, so threads never wait for one another. It packs the recurrent
weights once, and keeps what goes from step to step side by side in its scratch: examples of a
sequence lie so far apart that they would drive one another from the cache. A step is a product
with all examples' states, then for each example one pass (`nnctl.backends.cpu.vectors`) from the sums
to the next state.

Sequences (rows, time, width) and states (rows, width) are a thread's own examples.
mask (rows, time), or None. What a function writes comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import window1
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.plan.plan import Launch, Slot


@compiled
def at(x: Any, i: Any, t: Any, first: Any, count: Any) -> Any:
    """Entries first … first + count − 1 of example i at step t."""
    return window1(x, (i * x.shape[1] + t) * x.shape[2] + first, count)


@compiled
def of_example(x: Any, i: Any, width: Any) -> Any:
    """Example i's row of a flat array (rows, width)."""
    return window1(x, i * width, width)


@compiled
def or_zeros(x: Any, i: Any, t: Any, zeros: Any) -> Any:
    """Example i's gradient from outside at step t: zeros where nothing depends on what it is of."""
    if x is None:
        return zeros
    return at(x, i, t, 0, x.shape[2])


@compiled
def carved(scratch: Any, first: Any, count: Any) -> Any:
    """(`count` floats of the scratch from `first` on, where the next part begins)."""
    return window1(scratch, first, count), first + (count + 15) // 16 * 16


@compiled
def rest_of(scratch: Any, first: Any) -> Any:
    """The scratch from `first` on."""
    return window1(scratch, first, scratch.size - first)


@compiled
def add(x: Any, out: Any) -> None:
    """out ← out + x."""
    for j in range(out.size):
        out[j] += x[j]


@compiled
def earlier(first: Any, h: Any, i: Any, last: Any) -> Any:
    """Example i's state before a step."""
    units = h.shape[2]
    return window1(first, i * units, units) if last < 0 else at(h, i, last, 0, units)


@compiled
def moment(s: Any, steps: Any, reverse: Any) -> Any:
    """(t, the step before it or −1) at turn s of the scan."""
    if reverse:
        return steps - 1 - s, (steps - s if s > 0 else -1)
    return s, s - 1


@compiled
def is_skipped(mask: Any, i: Any, t: Any) -> Any:
    """True where example i skips step t."""
    if mask is None:
        return False
    return mask[i, t] == 0


# -- the call of a cell --------------------------------------------------------------------


def write_scan(writer: Writer, launch: Launch, name: str, inputs: Sequence[Slot | None], flags: Sequence[str]) -> None:
    """name(inputs, flags, scratch, outputs): a sequence, state or mask is the thread's, weights are full."""
    read = ["None" if slot is None else _view(writer, launch, slot) for slot in inputs]
    made = [_view(writer, launch, slot) for slot in launch.outputs]
    written = made[0] if len(made) == 1 else f"({', '.join(made)})"
    writer.line(f"{name}({', '.join([*read, *flags, 'scratch', written])})")


def _view(writer: Writer, launch: Launch, slot: Slot) -> str:
    """A slot in its shape, of a batch the thread's partition."""
    layout: list[int | str] | None = ["-", *slot.shape[1:]] if len(slot.shape) > 1 else None
    return writer.view(slot, part_of(launch) if slot.batched else "full", layout)


def room(*counts: int) -> int:
    """Floats of scratch that parts of so many floats take, as `carved` lays them."""
    return sum(-(-count // 16) * 16 for count in counts)


def flag(launch: Launch, name: str) -> str:
    """A switch among the attributes as an integer."""
    return "1" if launch.attributes[name] else "0"


def optional(slots: Sequence[Slot]) -> Slot | None:
    """The mask, if there is one."""
    return slots[0] if slots else None


def gradients_given(launch: Launch, rest: Sequence[Slot], outputs: Sequence[str]) -> list[Slot | None]:
    """The gradients of the cell's outputs, None for those that nothing depends on; then the mask."""
    given = launch.attributes["given"]
    there = dict(zip(given, rest))
    return [*(there.get(name) for name in outputs), optional(rest[len(given) :])]
