"""Extents of charts: the scales of both axes, and what is marked on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.figure import Axis, Bars, Chart, Curve, Layer
from nnctl.figures.scales import Scale, number, scale_over


def scales_of(chart: Chart) -> tuple[Scale, Scale]:
    """The scales of x and y that hold all that a chart shows, bars down to 0."""
    bars = any(isinstance(layer, Bars) for layer in chart.layers)
    x = _scale([_x_of(layer) for layer in chart.layers], chart.x)
    y = _scale([values for layer in chart.layers for values in _y_of(layer)], chart.y, bars=bars)
    return x, y


def marks(axis: Axis, scale: Scale, most: int = 6) -> list[tuple[float, str]]:
    """The places that are marked on an axis, and what stands there: at most about `most`, or some of its categories."""
    if axis.categories:
        step = -(-len(axis.categories) // (2 * most))
        return [(float(n), text) for n, text in enumerate(axis.categories) if n % step == 0]
    return [(value, number(value)) for value in scale.ticks(most)]


def _scale(parts: list[NDArray[np.float64]], axis: Axis, *, bars: bool = False) -> Scale:
    if axis.categories:
        return Scale(-0.5, len(axis.categories) - 0.5)
    return scale_over(np.concatenate([*parts, np.empty(0)]), log=axis.log, zero=bars)


def _x_of(layer: Layer) -> NDArray[np.float64]:
    return np.arange(-0.5, len(layer.y) + 0.5) if isinstance(layer, Bars) else layer.x


def _y_of(layer: Layer) -> list[NDArray[np.float64]]:
    edges = [layer.low, layer.high] if isinstance(layer, Curve) else []
    return [layer.y, *(edge for edge in edges if edge is not None)]
