"""Metrics of outputs that no net of its own gave: of an ensemble, or of a net's mean over changed copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import Metric
from nnctl.engine.measures import Gathered
from nnctl.graph import interface, measuring
from nnctl.graph.evaluate import evaluate

_BATCH = 1000
"""Examples judged at once."""


def judge(
    metrics: Mapping[str, Metric], outputs: NDArray[np.float64], targets: NDArray[Any], *, labelled: bool
) -> dict[str, float | None]:
    """The metrics of outputs (n, …) against targets, in float64; None where one is not defined for them.

    targets: labels, one axis short of the outputs, or values of their shape.
    """
    graph = measuring.judging(metrics, outputs.shape[1:], targets.shape[1:], labelled)
    parts = []
    for first in range(0, len(outputs), _BATCH):
        stop = min(first + _BATCH, len(outputs))
        given = {interface.OUTPUT: outputs[first:stop], interface.GIVEN_TARGETS: targets[first:stop]}
        computed = {c.value: c.array for c in evaluate(graph, given, interface.sizes(stop - first))}
        parts.append({name: computed[value][None] for name, value in graph.outputs.items()})
    gathered = Gathered(metrics, measuring.per_example(graph))
    gathered.add_split(parts, len(outputs))
    return {name: value if np.isfinite(value) else None for name, value in gathered.values().items()}


def counted(rows: NDArray[Any], targets: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """(rows, labels) of labels that count; rows (n, …) has one for each of the labels, −1 where one is left out."""
    labels = targets.reshape(-1)
    kept = labels >= 0
    return (rows, labels) if kept.all() else (rows[kept], labels[kept])
