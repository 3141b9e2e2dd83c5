"""Windows over images: their geometry as generated code passes it, and the positions at which a tap is inside.

One spatial axis is an image of height 1. Images x (images, height, width, channels); a thread
gets its partition. geometry: the tuple (kh, kw, stride down, stride across, padding above,
padding to the left, height with padding, width with padding).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnctl.backends.cpu.codegen.writer import Part, Writer
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.plan.plan import Slot


def as_images(writer: Writer, slot: Slot, part: Part) -> str:
    """A view of a slot as (images, height, width, channels)."""
    lengths = slot.shape[1:-1] if len(slot.shape) == 4 else (1, *slot.shape[1:-1])
    return writer.view(slot, part, ["-", *lengths, slot.shape[-1]])


def two(values: Sequence[Any], missing: Any) -> tuple[Any, Any]:
    """Something for height and width, where there may be a width alone."""
    first, second = (missing, *values)[-2:]
    return first, second


def geometry_of(size: Sequence[int], attributes: Mapping[str, Any], lengths: Sequence[int]) -> tuple[int, ...]:
    """The geometry of windows of `size` over images of these spatial lengths."""
    (kh, kw), (down, across) = two(size, 1), two(attributes["stride"], 1)
    (top, bottom), (left, right) = two(attributes["padding"], (0, 0))
    height, width = two(lengths, 1)
    return (kh, kw, down, across, top, left, top + height + bottom, left + width + right)


def as_tuple(numbers: Sequence[int]) -> str:
    """Numbers as the text of a tuple."""
    return f"({', '.join(map(str, numbers))})"


@compiled
def met(tap: Any, stride: Any, padding: Any, length: Any, positions: Any) -> Any:
    """(first, end) of the positions at which a tap, `tap` pixels from the first, lies inside the image."""
    first = (padding - tap + stride - 1) // stride
    end = (length - 1 + padding - tap) // stride + 1
    return max(first, 0), min(end, positions)
