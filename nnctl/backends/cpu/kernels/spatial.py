"""The generated code of convolution and pooling: calls of `convolution`'s functions with the window's geometry.

One spatial axis is an image of height 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Part, Writer, part_of
from nnctl.backends.cpu.gemm.product import room
from nnctl.ops.resampling import shares
from nnctl.plan.plan import Launch, Slot


def _image(writer: Writer, slot: Slot, part: Part) -> str:
    """A slot as (images, height, width, channels)."""
    lengths = slot.shape[1:-1] if len(slot.shape) == 4 else (1, *slot.shape[1:-1])
    return writer.view(slot, part, ["-", *lengths, slot.shape[-1]])


def _two(values: Sequence[Any], missing: Any) -> tuple[Any, Any]:
    """Something for height and width, where there may be a width alone."""
    first, second = (missing, *values)[-2:]
    return first, second


def _geometry(size: Sequence[int], attributes: Mapping[str, Any], lengths: Sequence[int]) -> tuple[int, ...]:
    (kh, kw), (down, across) = _two(size, 1), _two(attributes["stride"], 1)
    (top, bottom), (left, right) = _two(attributes["padding"], (0, 0))
    height, width = _two(lengths, 1)
    return (kh, kw, down, across, top, left, top + height + bottom, left + width + right)


def _text(geometry: Sequence[int]) -> str:
    return f"({', '.join(map(str, geometry))})"


def _spaces(attributes: Mapping[str, Any]) -> tuple[int, int, int]:
    """(gap down, gap across, groups)."""
    return (*_two(attributes["dilation"], 1), attributes["groups"])


def _convolves(launch: Launch, arguments: str, geometry: Sequence[int]) -> str:
    """The call of the op's function; of the one for gaps and groups where there are some."""
    spaces = _spaces(launch.attributes)
    if spaces == (1, 1, 1):
        return f"{launch.op.name}({arguments}, {_text(geometry)}, room)"
    return f"{launch.op.name}_apart({arguments}, {_text(geometry)}, {_text(spaces)}, room)"


@emits("convolution", rows=True, whole=(1,))
def _convolution(writer: Writer, launch: Launch) -> None:
    x, w = launch.inputs
    out = launch.outputs[0]
    geometry = _geometry(w.shape[:-2], launch.attributes, x.shape[1:-1])
    terms = math.prod(w.shape[:-1])
    writer.needs_room(geometry[6] * geometry[7] * x.shape[-1] + room(1, terms, transposed=False))
    images, result = _image(writer, x, part_of(launch)), _image(writer, out, part_of(launch))
    writer.line(_convolves(launch, f"{images}, {writer.view(w, 'whole')}, {result}", geometry))


@emits("convolution_transpose", rows=True, whole=(1,))
def _convolution_transpose(writer: Writer, launch: Launch) -> None:
    y, w = launch.inputs
    out = launch.outputs[0]
    geometry = _geometry(w.shape[:-2], launch.attributes, out.shape[1:-1])
    kh, kw = geometry[:2]
    gap_down, gap_across, _ = _spaces(launch.attributes)
    height, width = _two(out.shape[1:-1], 1)
    spread = (height + (kh - 1) * gap_down) * (width + (kw - 1) * gap_across) * w.shape[-1]
    writer.needs_room(math.prod(w.shape) + spread + room(1, kh * kw * w.shape[-1], transposed=False))
    kernel = writer.view(w, "whole", ["-", kw, *w.shape[-2:]] if len(w.shape) == 4 else None)
    if len(w.shape) == 3:
        kernel = f"window4({kernel}, 0, 1, {kw}, {w.shape[-2]}, {w.shape[-1]})"
    images, result = _image(writer, y, part_of(launch)), _image(writer, out, part_of(launch))
    writer.line(_convolves(launch, f"{images}, {kernel}, {result}", geometry))


@emits("convolution_kernel", blocks=True)
def _convolution_kernel(writer: Writer, launch: Launch) -> None:
    x, y = launch.inputs
    out = launch.outputs[0]
    geometry = _geometry(launch.attributes["kernel"], launch.attributes, x.shape[1:-1])
    gap_down, gap_across, _ = _spaces(launch.attributes)
    positions = math.prod(y.shape[1:-1])
    writer.needs_room(geometry[6] * geometry[7] * x.shape[-1] + room(1, positions, transposed=False))
    images, gradients = _image(writer, x, "whole"), _image(writer, y, "whole")
    # A thread makes some rows of the kernel; of a kernel of one row some columns.
    channels = x.shape[-1]
    step, across = (geometry[7] * channels * gap_down, geometry[1]) if len(out.shape) == 4 else (
        channels * gap_across, 1
    )  # fmt: skip
    part = part_of(launch)
    first, last = writer.bounds(out) if part == "own" else ("0", str(out.shape[0]))
    arguments = f"{images}, {gradients}, {first}, {last}, {step}, {across}, {writer.view(out, part)}"
    writer.line(_convolves(launch, arguments, geometry))


@emits("max_pool", "maximum_place", "sum_pool", rows=True)
def _pool(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    geometry = _geometry(launch.attributes["size"], launch.attributes, x.shape[1:-1])
    writer.needs_room(x.shape[-1])
    images, result = _image(writer, x, part_of(launch)), _image(writer, out, part_of(launch))
    writer.line(f"{launch.op.name}({images}, {result}, {_text(geometry)}, room)")


@emits("put_into_windows", "spread_pool", rows=True)
def _unpool(writer: Writer, launch: Launch) -> None:
    out = launch.outputs[0]
    geometry = _geometry(launch.attributes["size"], launch.attributes, out.shape[1:-1])
    read = ", ".join(_image(writer, s, part_of(launch)) for s in launch.inputs)
    writer.line(f"{launch.op.name}({read}, {_image(writer, out, part_of(launch))}, {_text(geometry)}, room)")


@emits("interpolate", "interpolate_transpose", rows=True)
def _interpolate(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    axis, factor = launch.attributes["axis"], launch.attributes["factor"]
    read, made = (
        writer.view(s, part_of(launch), ["-", s.shape[axis], math.prod(s.shape[axis + 1 :])]) for s in (x, out)
    )
    samples = list(shares(factor))
    own = ", ".join(writer.number(share) for _, share in samples)
    early = sum(offset < 0.0 for offset, _ in samples)
    writer.line(f"{launch.op.name}({read}, ({own},), {early}, {made})")
