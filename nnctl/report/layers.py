"""Layers over time: norms of weights and gradients, activations, saturated and dead units, where a run records them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nnctl.figures.figure import Axis, Chart, Curve, Figure, HeatMap, Table
from nnctl.report.section import Drawn, Listed, Part, Prose, Section
from nnctl.runs.history import History
from nnctl.runs.records import Row
from nnctl.screen.characters import word

_CURVES = 8
"""Layers up to which each is a curve; of more each is a row of a heat map."""
MOST_LAYERS = 400
"""Layers, or parameters, that are drawn."""
MOST_TIMES = 200
"""Measurements of a layer that are drawn, evenly spaced."""
_WIDE = 1.6
"""The width of a heat map over its height, whose cells are squares."""
_MEASURES = (
    ("weight_norm", "Norm of the weights ‖w‖", True),
    ("gradient_norm", "Norm of the gradient ‖∂C/∂w‖", True),
    ("activation_mean", "Mean of the activations", False),
    ("activation_deviation", "Standard deviation of the activations", False),
    ("saturated", "Share of saturated values", False),
    ("dead", "Share of dead units", False),
)
"""(column, title, whether its orders of magnitude are shown)."""


def layers_over_time(run: History) -> Iterator[Section]:
    """A figure for each measure of the layers that a run has watched; nothing where it has not."""
    rows = run.layers()
    if not rows:
        return
    layers = list(dict.fromkeys(str(row["layer"]) for row in rows))
    shown = layers[:MOST_LAYERS]
    steps = list(dict.fromkeys(_number(row["step"]) for row in rows))
    kept = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MOST_TIMES)).round().astype(int))
    epochs = np.array([_number(row["epoch"]) for row in _one_each(rows)])[kept]
    left_out = f" Of {len(layers):,} layers the first {len(shown)} are drawn." if len(layers) > len(shown) else ""
    words = (
        "Measured on the same training examples each time, as the net predicts. A value is saturated where the slope "
        "of sigmoid, tanh or the like is below 5% of its largest; a unit is dead where that of relu or the like is 0 "
        f"at every example.{left_out}"
    )
    parts: list[Part] = [Prose(words)]
    for column, title, logarithmic in _MEASURES:
        values = _grid(rows, column, shown, steps)[:, kept]
        told = np.flatnonzero(np.isfinite(values).any(axis=1))
        if told.size:
            names = [shown[place] for place in told]
            figure = figure_over_time(title, names, epochs, values[told], logarithmic)
            parts.append(Drawn(figure, listed=True, wide=len(names) > _CURVES))
    parts.append(_last(rows, layers))
    yield Section("Layers over time", tuple(parts))


def _one_each(rows: Sequence[Row]) -> list[Row]:
    """The first row of each step."""
    return list({row["step"]: row for row in reversed(rows)}.values())[::-1]


def _grid(rows: Sequence[Row], column: str, layers: Sequence[str], steps: Sequence[float]) -> NDArray[np.float64]:
    """The numbers of a column, NaN where there is none, (layers, steps)."""
    places = {layer: at for at, layer in enumerate(layers)}
    times = {step: at for at, step in enumerate(steps)}
    grid = np.full((len(layers), len(steps)), math.nan)
    for row in rows:
        place = places.get(str(row["layer"]))
        if place is not None:
            grid[place, times[_number(row["step"])]] = _number(row.get(column))
    return grid


def figure_over_time(
    title: str, names: Sequence[str], epochs: NDArray[np.float64], values: NDArray[np.float64], logarithmic: bool
) -> Figure:
    """Curves of a few names, a heat map of many; values (names, epochs). logarithmic: by orders of magnitude."""
    names = [word(name, 40) for name in names]
    if len(names) <= _CURVES:
        curves = tuple(Curve(name, epochs, each) for name, each in zip(names, values))
        positive = values[np.isfinite(values)].min(initial=math.inf) > 0.0
        return Chart(title, Axis("epoch"), Axis("", log=logarithmic and positive), curves)
    if logarithmic:
        title = f"{title}, as log₁₀"
        values = np.log10(np.where(values > 0.0, values, math.nan))
    # A measurement takes as many columns as make the shape, or every so many are one.
    columns = np.linspace(0, len(epochs) - 1, round(_WIDE * len(names))).round().astype(int)
    times = tuple(f"{epoch:.4g}" for epoch in epochs[columns])
    return HeatMap(title, Axis("epoch", categories=times), Axis("", categories=tuple(names)), values[:, columns])


def _last(rows: Sequence[Row], layers: Sequence[str]) -> Listed:
    """The last measurement of each layer."""
    last = {str(row["layer"]): row for row in rows}
    columns = [column for column, *_ in _MEASURES]
    lines = tuple((layer, *(last[layer].get(column) for column in columns)) for layer in layers)
    epoch = _number(rows[-1]["epoch"])
    return Listed(f"The layers at epoch {epoch:g}", Table(("layer", *columns), lines), folded=True)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
