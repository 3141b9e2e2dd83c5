"""Rows on the layers of a net, from the outputs of the graph that watches them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.graph import interface, watching
from nnctl.graph.structure import Structure

COLUMNS = (
    "layer",
    watching.WEIGHT_NORM,
    watching.GRADIENT_NORM,
    watching.MEAN,
    "activation_deviation",
    "saturated",
    "dead",
)
"""The columns of a row on a layer.

weight_norm, gradient_norm: of all of its weights together. activation_mean, activation_deviation: over all values
that it gives for the batch. saturated: share of the values near the ends of an activation that has two, as sigmoid and
tanh. dead: share of the units that have slope 0 at every example, of an activation that can, as relu. None where there
is no such thing, or it is not finite.
"""

LayerRow = dict[str, float | str | None]


def layer_rows(structure: Structure, outputs: Mapping[str, NDArray[Any]]) -> list[LayerRow]:
    """A row of `COLUMNS` for each layer, in their order. outputs: of one step, by "<owner>/<measure>"."""
    measured: dict[str, dict[str, list[NDArray[np.float64]]]] = {path: {} for path in _order(structure, outputs)}
    for output, array in outputs.items():
        owner, measure = interface.statistic_of(output)
        parameter = structure.parameters.get(owner)
        path = owner if parameter is None else parameter.layer
        measured[path].setdefault(measure, []).append(np.asarray(array, np.float64))
    return [_row(path, arrays) for path, arrays in measured.items()]


def _order(structure: Structure, outputs: Mapping[str, NDArray[Any]]) -> list[str]:
    """Paths of the layers as the net is built; those without measured activations stand last."""
    owners = [interface.statistic_of(output)[0] for output in outputs]
    paths = [owner for owner in owners if owner not in structure.parameters]
    paths += [structure.parameters[owner].layer for owner in owners if owner in structure.parameters]
    return list(dict.fromkeys(paths))


def _row(path: str, measured: Mapping[str, list[NDArray[np.float64]]]) -> LayerRow:
    def norm(measure: str) -> float | None:
        return float(np.linalg.norm([float(a) for a in measured[measure]])) if measure in measured else None

    def mean(measure: str) -> float | None:
        return float(np.mean(measured[measure][0])) if measure in measured else None

    squares = mean(watching.SQUARES)
    moved = measured.get(watching.MOVED)
    values = {
        watching.WEIGHT_NORM: norm(watching.WEIGHT_NORM),
        watching.GRADIENT_NORM: norm(watching.GRADIENT_NORM),
        watching.MEAN: mean(watching.MEAN),
        "activation_deviation": None if squares is None else math.sqrt(squares),
        "saturated": mean(watching.NEAR_ENDS),
        "dead": None if moved is None else float(np.mean(moved[0] == 0.0)),
    }
    return {"layer": path} | {name: None if value is None else _single(value) for name, value in values.items()}


def _single(value: float) -> float | None:
    """A number to the digits that single precision has; None where it is not finite."""
    return float(str(np.float32(value))) if math.isfinite(value) else None
