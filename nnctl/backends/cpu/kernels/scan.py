"""The scan of a recurrent cell through a sequence: the pieces of its steps, and how a cell's function is called.

A thread scans its own examples, so threads never wait for one another. At each step
the product with the state is added to the inputs' part where the gates are kept, and
the gates are worked on in place: what a step touches stays in the cache. Loops are
short and write one array each, so that LLVM can prove them free of overlaps and turn
them into vectors.

Sequences (rows, time, width) and states (rows, width) are a thread's own examples.
mask (rows, time), or None. What a function writes comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnctl.backends.cpu.codegen.decorators import compiled
from nnctl.backends.cpu.codegen.intrinsics import gemm, window1
from nnctl.backends.cpu.codegen.mathematics import F, exp, tanh
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.kernels.layout import copy
from nnctl.plan.plan import Launch, Slot


@compiled
def at(x: Any, i: Any, t: Any, first: Any, count: Any) -> Any:
    """Entries first … first + count − 1 of example i at step t."""
    return window1(x, (i * x.shape[1] + t) * x.shape[2] + first, count)


@compiled
def add_state_product(first: Any, h: Any, t: Any, last: Any, weight: Any, columns: Any, z: Any, scratch: Any) -> None:
    """z_t[:, :columns] ← z_t[:, :columns] + h_last·weight[:, :columns]; the first state where last < 0."""
    units = h.shape[2]
    state = window1(first, 0, first.size) if last < 0 else window1(h, last * units, h.size - last * units)
    between = units if last < 0 else h.shape[1] * units
    width = z.shape[2]
    gemm(
        0, 0, h.shape[0], columns, units, F(1.0), state, between, weight, weight.shape[1], F(1.0),
        window1(z, t * width, z.size - t * width), h.shape[1] * width, scratch, 1, 0,
    )  # fmt: skip


@compiled
def add_product_back(d: Any, t: Any, columns: Any, weight: Any, beta: Any, out: Any, scratch: Any) -> None:
    """out ← β·out + d_t[:, :columns]·weight[:, :columns]ᵀ; out (rows, units)."""
    width, units = d.shape[2], weight.shape[0]
    gemm(
        0, 1, d.shape[0], units, columns, F(1.0), window1(d, t * width, d.size - t * width), d.shape[1] * width,
        weight, weight.shape[1], beta, out, units, scratch, 1, 0,
    )  # fmt: skip


@compiled
def add(x: Any, out: Any) -> None:
    """out ← out + x."""
    for j in range(out.size):
        out[j] += x[j]


@compiled
def scale(x: Any, out: Any) -> None:
    """out ← out∘x."""
    for j in range(out.size):
        out[j] *= x[j]


@compiled
def to_sigmoid(z: Any) -> None:
    """z ← σ(z). Where e^−z overflows the quotient is 0, as it should be."""
    for j in range(z.size):
        z[j] = F(1.0) / (F(1.0) + exp(-z[j]))


@compiled
def to_tanh(z: Any) -> None:
    """z ← tanh z."""
    for j in range(z.size):
        z[j] = tanh(z[j])


@compiled
def tanh_of(z: Any, out: Any) -> None:
    """out ← tanh z."""
    for j in range(out.size):
        out[j] = tanh(z[j])


@compiled
def to_relu(z: Any) -> None:
    """z ← max(0, z); a NaN stays."""
    for j in range(z.size):
        z[j] = F(0.0) if z[j] < F(0.0) else z[j]


@compiled
def times_sigmoid_slope(a: Any, out: Any) -> None:
    """out ← out∘a∘(1 − a)."""
    for j in range(out.size):
        out[j] *= a[j] * (F(1.0) - a[j])


@compiled
def times_tanh_slope(a: Any, out: Any) -> None:
    """out ← out∘(1 − a²)."""
    for j in range(out.size):
        out[j] *= F(1.0) - a[j] * a[j]


@compiled
def times_relu_slope(a: Any, out: Any) -> None:
    """out ← out where a > 0, else 0."""
    for j in range(out.size):
        out[j] = out[j] if a[j] > F(0.0) else F(0.0)


@compiled
def product(x: Any, y: Any, out: Any) -> None:
    """out ← x∘y."""
    for j in range(out.size):
        out[j] = x[j] * y[j]


@compiled
def add_product(x: Any, y: Any, out: Any) -> None:
    """out ← out + x∘y."""
    for j in range(out.size):
        out[j] += x[j] * y[j]


@compiled
def mixed(x: Any, y: Any, z: Any, out: Any) -> None:
    """out ← (1 − z)∘x + z∘y."""
    for j in range(out.size):
        out[j] = (F(1.0) - z[j]) * x[j] + z[j] * y[j]


@compiled
def of_step(x: Any, t: Any, out: Any) -> None:
    """out_t ← x_t for every example; out may be wider."""
    for i in range(x.shape[0]):
        copy(at(x, i, t, 0, x.shape[2]), at(out, i, t, 0, x.shape[2]))


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
