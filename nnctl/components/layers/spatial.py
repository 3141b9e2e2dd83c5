"""Windows of layers: fields for each spatial axis, padding, and checks that a window fits.

Inputs are (batch, *spatial, channels): (batch, length, channels), (batch, height, width, channels) or
(batch, depth, height, width, channels).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import MaxLen, MinLen

from nnctl.components.fields import NonNegativeInt, PositiveInt
from nnctl.components.layers.shapes import show
from nnctl.errors import ShapeError

PerAxis: TypeAlias = PositiveInt | tuple[PositiveInt, PositiveInt]
"""One number for all spatial axes, or [height, width]."""
PerAxis3d: TypeAlias = PositiveInt | tuple[PositiveInt, PositiveInt, PositiveInt]
PerAnyAxis: TypeAlias = PositiveInt | Annotated[tuple[PositiveInt, ...], MinLen(2), MaxLen(3)]
"""One number for all spatial axes, [height, width] or [depth, height, width]."""
SamePadding: TypeAlias = Literal["valid", "same", "same_lower"]
Padding1d: TypeAlias = SamePadding | NonNegativeInt
Padding: TypeAlias = SamePadding | NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt]
Padding3d: TypeAlias = SamePadding | NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt]
AnyPadding: TypeAlias = SamePadding | NonNegativeInt | Annotated[tuple[NonNegativeInt, ...], MinLen(2), MaxLen(3)]

PADDING_WORDS = (
    "zeros around the input: 'valid' none, 'same' so many that stride 1 keeps the size, 'same_lower' the same with the "
    "odd one before the input instead of behind it, or how many at each side"
)
CONVENTION_WORDS = (
    "whose 'same' padding: PyTorch's is the same for every stride, Keras's the least that the stride needs; "
    "the spec's if absent"
)
Window: TypeAlias = tuple[int, ...]
"""One number for each spatial axis."""
Pairs: TypeAlias = tuple[tuple[int, int], ...]
"""(before, after) for each spatial axis."""

_INPUT = {
    1: "a sequence (batch, length, channels)",
    2: "an image (batch, height, width, channels)",
    3: "a volume (batch, depth, height, width, channels)",
}
_EXAMPLE = {1: "[28, 28]", 2: "[28, 28, 1]", 3: "[16, 28, 28, 1]"}
_SEVERAL = {1: "sequences", 2: "images", 3: "volumes"}
_AXES = {1: "one spatial axis", 2: "height and width", 3: "depth, height and width"}


def spatial(layer: str, x: Any, ranks: Sequence[int] = (1, 2, 3)) -> tuple[int, ...]:
    """The lengths of the spatial axes. Raises ShapeError where x has none, or another number of them."""
    rank = len(x.shape) - 2
    if rank in ranks:
        return tuple(x.shape[1:-1])
    *others, last = (_INPUT[r] for r in ranks)
    wanted = f"{', '.join(others)} or {last}" if others else last
    if rank < 1:
        example = _EXAMPLE[2 if 2 in ranks else ranks[0]]
        fix = f"put a reshape layer before it, for example {{type: reshape, shape: {example}}}"
    elif rank < ranks[0]:
        fix = f"use conv{rank}d on {_SEVERAL[rank]}, or put a reshape layer before it to add an axis"
    elif rank in _SEVERAL and len(ranks) == 1:
        fix = f"use conv{rank}d on {_SEVERAL[rank]}, or put a reshape layer before it that joins two axes"
    else:
        fix = "put a reshape layer before it that joins axes"
    raise ShapeError(f"{layer} reads {wanted}, found shape {show(x.shape)}", fix)


def per_axis(layer: str, field: str, value: int | tuple[int, ...], rank: int) -> Window:
    """A field's value for each spatial axis. Raises ShapeError where it lists another number of them."""
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        lists = {1: "", 2: " or as [height, width]", 3: " or as [depth, height, width]"}
        raise ShapeError(
            f"{layer} has {field} {list(value)} for {_AXES[len(value)]}, but its input has {_AXES[rank]}",
            f"give {field} as one number{lists[rank]}",
        )
    return value


def padding_pairs(
    layer: str,
    padding: str | int | tuple[int, ...],
    lengths: Sequence[int],
    reach: Sequence[int],
    stride: Sequence[int],
    convention: str,
) -> Pairs:
    """Zeros before and after each spatial axis.

    reach: of the window, from its first place to its last: dilation·(size − 1) + 1.
    'same' gives ⌈length/stride⌉ positions. PyTorch's convention pads reach − 1 in all,
    whatever the stride; Keras's pads what ⌈length/stride⌉ positions need. What does not
    halve goes to the end; with 'same_lower' to the beginning.
    """
    if padding == "valid":
        return ((0, 0),) * len(lengths)
    if padding in ("same", "same_lower"):
        pairs = []
        for length, window, step in zip(lengths, reach, stride):
            needed = (-(-length // step) - 1) * step + window - length if convention == "keras" else window - 1
            total = max(0, needed)
            less, more = total // 2, total - total // 2
            pairs.append((less, more) if padding == "same" else (more, less))
        return tuple(pairs)
    if isinstance(padding, str):
        raise TypeError(f"no padding is called {padding!r}")
    return tuple((n, n) for n in per_axis(layer, "padding", padding, len(lengths)))


def reach_of(size: Sequence[int], dilation: Sequence[int]) -> Window:
    """From the first place of a window to its last, for each axis."""
    return tuple(d * (n - 1) + 1 for n, d in zip(size, dilation))


def beyond(lengths: Sequence[int], reach: Sequence[int], stride: Sequence[int], pairs: Pairs) -> Pairs:
    """The padding with what a last window needs that begins inside and reaches over the end: ⌈…⌉ positions, not ⌊…⌋.

    A window that would begin behind the input is none, as PyTorch and ONNX have it.
    """
    longer = []
    for length, window, step, (before, after) in zip(lengths, reach, stride, pairs):
        last = -(-(before + length + after - window) // step)
        if last * step >= before + length:
            last -= 1
        longer.append((before, max(after, last * step + window - before - length)))
    return tuple(longer)


def check_fit(layer: str, word: str, x: Any, reach: Sequence[int], pairs: Pairs) -> None:
    """Raise ShapeError where a window is longer than the padded input. word: "kernel" or "window"."""
    lengths = x.shape[1:-1]
    if all(window <= before + n + after for n, window, (before, after) in zip(lengths, reach, pairs)):
        return
    around = f" with padding {show([before for before, _ in pairs])}" if any(map(any, pairs)) else ""
    raise ShapeError(
        f"{layer} has a {word} that reaches over {show(reach)}, its input {show(x.shape)} is only "
        f"{show(lengths)}{around}",
        f"use a smaller {word}, fewer pooling layers before it, or padding: same",
    )
