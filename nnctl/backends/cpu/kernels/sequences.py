"""The generated code of recurrent cells and embeddings: calls of `recurrence`, `gated_unit` and `tables`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.gemm.product import room
from nnctl.plan.plan import Launch, Slot


def _view(writer: Writer, launch: Launch, slot: Slot) -> str:
    """A sequence, state or mask of the thread's examples, or weights, in its shape."""
    layout: list[int | str] | None = ["-", *slot.shape[1:]] if len(slot.shape) > 1 else None
    return writer.view(slot, part_of(launch) if slot.batched else "whole", layout)


def _call(
    writer: Writer, launch: Launch, name: str, inputs: Sequence[Slot | None], flags: Sequence[str], products: int
) -> None:
    """name(inputs, flags, room, outputs); products: the most terms that a product of a step sums."""
    writer.needs_room(products)
    read = ["None" if slot is None else _view(writer, launch, slot) for slot in inputs]
    made = [_view(writer, launch, slot) for slot in launch.outputs]
    written = made[0] if len(made) == 1 else f"({', '.join(made)})"
    writer.line(f"{name}({', '.join([*read, *flags, 'room', written])})")


def _flag(launch: Launch, name: str) -> str:
    return "1" if launch.attributes[name] else "0"


def _optional(slots: Sequence[Slot]) -> Slot | None:
    """The mask, if there is one."""
    return slots[0] if slots else None


def _given(launch: Launch, rest: Sequence[Slot], outputs: Sequence[str]) -> list[Slot | None]:
    """The gradients of the cell's outputs, None for those that nothing depends on; then the mask."""
    given = launch.attributes["given"]
    there = dict(zip(given, rest))
    return [*(there.get(name) for name in outputs), _optional(rest[len(given) :])]


@emits("rnn", rows=True, whole=(1,))
def _rnn(writer: Writer, launch: Launch) -> None:
    p, weight, first, *mask = launch.inputs
    flags = [str(int(launch.attributes["activation"] == "relu")), _flag(launch, "reverse")]
    needed = room(p.shape[0], p.shape[2], transposed=False)
    _call(writer, launch, "rnn", [p, weight, first, _optional(mask)], flags, needed)


@emits("rnn_gradient", rows=True, whole=(1,))
def _rnn_gradient(writer: Writer, launch: Launch) -> None:
    h, weight, g, *mask = launch.inputs
    flags = [str(int(launch.attributes["activation"] == "relu")), _flag(launch, "reverse")]
    needed = room(h.shape[0], h.shape[2], transposed=False)
    _call(writer, launch, "rnn_gradient", [h, weight, g, _optional(mask)], flags, needed)


@emits("leaky_rnn", rows=True, whole=(1,))
def _leaky_rnn(writer: Writer, launch: Launch) -> None:
    p = launch.inputs[0]
    leak = writer.number(float(launch.attributes["leak"]))
    _call(writer, launch, "leaky_rnn", launch.inputs, [leak], room(p.shape[0], p.shape[2], transposed=False))


@emits("lstm", rows=True, whole=(1,))
def _lstm(writer: Writer, launch: Launch) -> None:
    p, weight, h, c, *mask = launch.inputs
    needed = room(p.shape[0], weight.shape[0], transposed=False)
    _call(writer, launch, "lstm", [p, weight, h, c, _optional(mask)], [_flag(launch, "reverse")], needed)


@emits("lstm_gradient", rows=True, whole=(1,))
def _lstm_gradient(writer: Writer, launch: Launch) -> None:
    gates, weight, c, c0, *rest = launch.inputs
    needed = weight.shape[0] + room(gates.shape[0], weight.shape[1], transposed=False)
    read = [gates, weight, c, c0, *_given(launch, rest, ("h", "c", "gates"))]
    _call(writer, launch, "lstm_gradient", read, [_flag(launch, "reverse")], needed)


def _variant(launch: Launch, name: str) -> str:
    return name if launch.attributes["reset_after"] else f"{name}_reset_before"


@emits("gru", rows=True, whole=(1, 2))
def _gru(writer: Writer, launch: Launch) -> None:
    p, weight, bias, h, *mask = launch.inputs
    units = weight.shape[0]
    needed = p.shape[0] * units + room(p.shape[0], units, transposed=False)
    read = [p, weight, bias, h, _optional(mask)]
    _call(writer, launch, _variant(launch, "gru"), read, [_flag(launch, "reverse")], needed)


@emits("gru_gradient", rows=True, whole=(1,))
def _gru_gradient(writer: Writer, launch: Launch) -> None:
    gates, weight, h, h0, *rest = launch.inputs
    units = weight.shape[0]
    needed = gates.shape[0] * units + room(gates.shape[0], weight.shape[1], transposed=False)
    read = [gates, weight, h, h0, *_given(launch, rest, ("h", "gates"))]
    _call(writer, launch, _variant(launch, "gru_gradient"), read, [_flag(launch, "reverse")], needed)


# -- tables ------------------------------------------------------------------------------


@emits("lookup", rows=True, whole=(0,))
def _lookup(writer: Writer, launch: Launch) -> None:
    table, index = launch.inputs
    out = launch.outputs[0]
    part = part_of(launch)
    result = writer.view(out, part, ["-", out.shape[-1]])
    writer.line(f"lookup({_view(writer, launch, table)}, {writer.view(index, part)}, {result})")


@emits("add_rows", blocks=True)
def _add_rows(writer: Writer, launch: Launch) -> None:
    x, index = launch.inputs
    out = launch.outputs[0]
    part = part_of(launch)
    first = writer.bounds(out)[0] if part == "own" else "0"
    rows = writer.view(x, "whole", ["-", x.shape[-1]])
    result = writer.view(out, part, ["-", out.shape[-1]])
    writer.line(f"add_rows({rows}, {writer.view(index, 'whole')}, {first}, {result})")


@emits("differs", rows=True)
def _differs(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    part = part_of(launch)
    features = 1 if x.dtype == "index" else math.prod(x.shape[len(out.shape) :])
    value = writer.number(float(launch.attributes["value"]))
    writer.line(f"differs({writer.view(x, part, ['-', features])}, {value}, {writer.view(out, part)})")
