"""The geometry of convolutions over images, as kernels take it; one spatial axis is an image of height 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnctl.late import dataclass
from nnctl.plan.plan import Launch


def two(values: Sequence[Any], missing: Any) -> tuple[Any, Any]:
    """Something for height and width, where there may be a width alone: an image of one row."""
    first, second = (missing, *values)[-2:]
    return first, second


@dataclass(frozen=True)
class Geometry:
    """A convolution over images, its fields those of geometry.cuh."""

    images: int
    height: int
    width: int
    channels: int
    rows: int
    columns: int
    filters: int
    kh: int
    kw: int
    down: int
    across: int
    spread_down: int
    spread_across: int
    top: int
    left: int
    groups: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """All of them, as arguments."""
        return tuple(vars(self).values())


def geometry_of(launch: Launch) -> Geometry:
    """The geometry of a convolution, its transpose, or the gradient of its kernel."""
    (first, second), (third,), window = launch.inputs, launch.outputs, launch.attributes
    match launch.op.name:
        case "convolution_transpose":
            x, w, y = third.shape, second.shape, first.shape
        case "convolution_kernel":
            x, w, y = first.shape, third.shape, second.shape
        case _:
            x, w, y = first.shape, second.shape, third.shape
    (down, across), (spread_down, spread_across) = two(window["stride"], 1), two(window["dilation"], 1)
    (top, _), (left, _) = two(window["padding"], (0, 0))
    sizes = (*two(x[1:-1], 1), x[-1], *two(y[1:-1], 1), y[-1], *two(w[:-2], 1))
    return Geometry(x[0], *sizes, down, across, spread_down, spread_across, top, left, window["groups"])
