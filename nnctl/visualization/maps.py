"""Feature maps: what every layer of a net makes of one example."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Dataset
from nnctl.figures.figure import Axis, Bars, Chart, Figure, Gallery, HeatMap, Picture
from nnctl.figures.scales import number
from nnctl.inference.opened import TrainedRun
from nnctl.visualization.examples import Chosen, chosen, told
from nnctl.visualization.layers import Answer, answers
from nnctl.visualization.pictures import has_signs, is_picture, mosaic, photographs, tones

MOST_MAPS = 32
"""Channels of a layer that are drawn."""
_MOST_UNITS = 512
"""Units of a layer without places that are drawn, and steps of a sequence."""
_ROW = 32
"""Units in a row."""


def maps(
    run: TrainedRun, data: Dataset, split: str | None = None, example: int = 0, most: int = MOST_MAPS
) -> list[Figure]:
    """The example, if it is an image, and the answer of every layer to it, in order; what is left out is said.

    Channels are pictures; units in a row are a grid, over the steps of a sequence its columns; the last layer's
    answer is bars. Each layer has a scale of its own. Raises UsageError for an example that there is not.
    """
    one = chosen(data, split, example)
    layers = answers(run, one.inputs)
    figures: list[Figure] = [_input(run, data, one)] if is_picture(run.signature.input_shape) else []
    # A flattened picture shows nothing that the picture did not.
    figures += [_layer(layer, most) for layer in layers[:-1] if layer.type != "flatten"]
    return [*figures, _last(run, layers[-1], one, most)]


def _input(run: TrainedRun, data: Dataset, one: Chosen) -> Gallery:
    word = told(run.signature, one.targets[0])
    title = f"Input: {one.names[0]}" + (f", {word}" if word else "")
    return Gallery(title, (Picture(photographs(one.inputs, data.unit)[0], one.names[0]),))


def _layer(layer: Answer, most: int) -> Figure:
    values = layer.values[0]
    match values.ndim:
        case 3 | 4:
            channels = np.moveaxis(values, -1, 0)
            if values.ndim == 4:
                channels = np.stack([mosaic(volume) for volume in channels[:most]])
            if channels[0].size > 1:
                return _channels(layer, channels, values.shape, most)
            return _units(layer, values.reshape(-1))
        case 2:
            return _sequence(layer, values)
        case _:
            return _units(layer, values.reshape(-1))


def _channels(layer: Answer, channels: NDArray[np.float64], shape: tuple[int, ...], most: int) -> Gallery:
    count = shape[-1]
    kept = channels[:most]
    pictures = tones(kept)
    what = f"{count:,} maps" if count <= most else f"the first {most:,} of {count:,} maps"
    size = "×".join(str(n) for n in shape[:-1])
    title = f"{layer.path}: {what} of {size}, {_range(kept)}"
    return Gallery(title, tuple(Picture(pixels, str(channel)) for channel, pixels in enumerate(pictures)))


def _sequence(layer: Answer, values: NDArray[np.float64]) -> HeatMap:
    steps, units = values.shape
    kept = values[:_MOST_UNITS, :_MOST_UNITS]
    title = f"{layer.path}: {_some(units, 'units')} over {_some(steps, 'steps')}, {_range(kept)}"
    return HeatMap(title, Axis("step"), Axis("unit"), kept.T, diverging=has_signs(kept))


def _units(layer: Answer, values: NDArray[np.float64]) -> HeatMap:
    kept = values[:_MOST_UNITS]
    rows = -(-len(kept) // _ROW)
    grid = np.full(rows * _ROW if rows > 1 else len(kept), np.nan)
    grid[: len(kept)] = kept
    several = rows > 1
    heads = Axis("from unit" * several, categories=tuple(str(row * _ROW) * several for row in range(rows)))
    title = f"{layer.path}: {_some(len(values), 'units')}, {_range(kept)}"
    return HeatMap(title, Axis("unit"), heads, grid.reshape(rows, -1), diverging=has_signs(kept))


def _last(run: TrainedRun, layer: Answer, one: Chosen, most: int) -> Figure:
    values = layer.values[0]
    if values.ndim != 1 or len(values) > _ROW:
        return _layer(layer, most)
    classes = run.classes
    names = classes if classes is not None and len(classes) == len(values) else tuple(map(str, range(len(values))))
    label = "class" if names is classes else "unit"
    word = told(run.signature, one.targets[0])
    title = f"{layer.path}: the answer" + (f" to an example of {word}" if word else "")
    return Chart(title, Axis(label, categories=names), Axis("output"), (Bars("output", values),))


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}" if count <= _MOST_UNITS else f"the first {_MOST_UNITS} of {count:,} {what}"


def _range(values: NDArray[np.float64]) -> str:
    kept = values[np.isfinite(values)]
    if not kept.size:
        return "no finite number"
    if has_signs(kept):
        reach = number(float(np.abs(kept).max()))
        return f"±{reach}"
    return f"from {number(float(kept.min()))} to {number(float(kept.max()))}"
