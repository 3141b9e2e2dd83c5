"""Filters: the weights of a net as pictures, of a first layer that reads images and of every convolution."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from nnctl.errors import UsageError
from nnctl.figures.figure import Gallery, Picture
from nnctl.figures.scales import number
from nnctl.graph.arrays import Parameter
from nnctl.inference.opened import TrainedRun
from nnctl.ops.shapes import show
from nnctl.visualization.pictures import is_picture, mosaic, tones

MOST_FILTERS = 64
"""Filters of a layer that are drawn."""
MOST_CHANNELS = 16
"""Channels of a filter that are drawn."""


def filters(run: TrainedRun, most: int = MOST_FILTERS, shape: tuple[int, ...] | None = None) -> list[Gallery]:
    """The filters of each layer that has some, a picture each, at most `most` a layer; what is left out is said.

    shape: the picture that a flat row of inputs is; if None, square where the inputs are bytes and their number is.

    A filter's channels stand beside one another; of a first layer that reads three colours they are those of the
    picture, grey where a weight is 0. All filters of a layer have one scale, which its title says.
    Raises UsageError for a net without filters, and for another number of inputs than the shape has.
    """
    network = run.engine.network
    example = _picture_of(run, shape)
    parameters = [p for p in network.structure.parameters.values() if p.kind == "weight"]
    values = run.engine.read(parameter.name for parameter in parameters)
    drawn = [
        _drawn(parameter, grids, most, colours=number == 0 and grids.shape[-1] == 3)
        for number, parameter in enumerate(parameters)
        if (grids := _grids(parameter, values[parameter.name], example, number == 0)) is not None
    ]
    if shape is not None and drawn and by_unit(parameters[0], values[parameters[0].name]).ndim != 2:
        raise UsageError("--shape: says nothing to this net, whose first layer with weights is a convolution")
    if not drawn:
        raise UsageError(
            f"{run.folder.path}: this net has no filters to draw\n"
            "  filters are the kernels of convolutions, and the weights of a first layer that reads images;\n"
            "  of flat rows of pixels --shape 28x28 says what picture they are"
        )
    return drawn


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """The shape in a text, as 28x28 or 32x32x3. Raises UsageError."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})(?:[x×](1|3))?", text.strip().lower())
    if found is None:
        raise UsageError(
            f"--shape {text}: expected height and width of a picture, as 28x28, or 32x32x3 for three colours"
        )
    return tuple(int(size) for size in found.groups() if size is not None)


def _picture_of(run: TrainedRun, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape of an example as a picture; as the data has it where it is none."""
    own = run.signature.input_shape
    if shape is not None:
        if len(own) != 1 or math.prod(shape) != own[0]:
            given = "×".join(map(str, shape))
            raise UsageError(
                f"--shape: a picture of {given} has {math.prod(shape):,} numbers in a flat row, "
                f"and this net reads examples of shape {show(own)}"
            )
        return shape
    side = math.isqrt(own[0]) if len(own) == 1 else 0
    flat = run.signature.input_dtype == "uint8" and side * side == math.prod(own) and is_picture((side, side))
    return (side, side) if flat else own


def by_unit(parameter: Parameter, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights as (incoming axes…, units): those into one unit, or one filter, for each of them."""
    shape, incoming = parameter.units
    seen = values.reshape(shape)
    outgoing = [axis for axis in range(len(shape)) if axis not in incoming]
    ordered = seen.transpose(*incoming, *outgoing)
    return ordered.reshape(*(shape[axis] for axis in incoming), -1)


def _grids(
    parameter: Parameter, values: NDArray[np.float64], example: tuple[int, ...], first: bool
) -> NDArray[np.float64] | None:
    """Filters (units, height, width, channels); None of weights that are no pictures."""
    weights = by_unit(parameter, values.astype(np.float64))
    if weights.ndim == 2:
        if not (first and is_picture(example) and len(weights) == math.prod(example)):
            return None
        weights = weights.reshape(*example, -1)
        if len(example) == 2:
            weights = weights[:, :, None]
    elif weights.ndim == 3:
        weights = weights[:, :, None]
    elif weights.ndim == 5:
        # Planes of a volume stand where channels do.
        depth, height, width, channels, units = weights.shape
        weights = weights.transpose(1, 2, 3, 0, 4).reshape(height, width, channels * depth, units)
    if weights.ndim != 4 or weights[..., 0, 0].size == 1:
        return None
    return np.moveaxis(weights, -1, 0)


def _drawn(parameter: Parameter, grids: NDArray[np.float64], most: int, *, colours: bool) -> Gallery:
    count, height, width, channels = grids.shape
    kept = grids[:most]
    reach = float(np.abs(kept[np.isfinite(kept)]).max(initial=0.0)) or 1.0
    if colours:
        pictures = list(np.clip(0.5 + kept / (2 * reach), 0.0, 1.0))
    else:
        kept = kept[..., :MOST_CHANNELS]
        pictures = tones(np.stack([mosaic(np.moveaxis(each, -1, 0)) for each in kept]), signed=True)
        reach = float(np.abs(kept[np.isfinite(kept)]).max(initial=0.0)) or 1.0
    what = f"{count:,} filters" if count <= most else f"the first {most:,} of {count:,} filters"
    size = f"{height}×{width}×{channels}" + (
        f", {MOST_CHANNELS} channels drawn" if channels > MOST_CHANNELS and not colours else ""
    )
    title = f"{parameter.name}: {what} of {size}, ±{number(reach)}"
    return Gallery(title, tuple(Picture(pixels, str(unit)) for unit, pixels in enumerate(pictures)))
