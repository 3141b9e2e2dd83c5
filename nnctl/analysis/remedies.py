"""Remedies by their causes: what in the data makes a net start badly or diverge, and what to do about it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Dataset
from nnctl.data.statistics import Statistics, measure
from nnctl.data.stored.arrays import Rows
from nnctl.late import dataclass

_LARGE = 10.0
"""A root mean square above it is large: first weights are made for numbers around 1."""
_SMALL = 1e-3
_ROWS = 10_000
"""Examples measured, spread over the training set: a remedy needs no more."""


@dataclass(frozen=True)
class Finding:
    """A fault in words, and what to do about it."""

    words: str
    remedy: str


def of_data(data: Dataset) -> list[Finding]:
    """Findings on the targets, then on the inputs, of the training set as the net is given them."""
    found = [_of_targets(data), _of_inputs(data)]
    return [finding for finding in found if finding is not None]


def of_rate(rate: float) -> str:
    """The remedy where nothing in the data asks for one."""
    return f"lower the learning rate, now {rate:g}: --set optimizer.learning_rate={rate / 10:g}; or clip the gradients"


def advice_on(data: Dataset, rate: float) -> str:
    """Lines for a run that diverged at a learning rate."""
    findings = of_data(data)
    if not findings:
        return f"  {of_rate(rate)}"
    return "\n".join(f"  {finding.words}: {finding.remedy}" for finding in findings)


def _of_targets(data: Dataset) -> Finding | None:
    signature = data.signature
    if signature.classes is not None or signature.reconstructs or signature.target_statistics_shape is not None:
        return None
    rows = _some(data.train.targets)
    statistics = measure(rows.reshape(-1, rows.shape[-1]))
    size, column = _largest(statistics)
    mean, deviation = statistics.mean[column], statistics.std[column]
    if size > _LARGE or 0.0 < deviation < _SMALL:
        return Finding(
            f"the targets are {'large' if size > _LARGE else 'close together'}, "
            f"{mean:.3g} on average with a standard deviation of {deviation:.3g}",
            "data.target_transforms: [standardize] lets the net learn them around 1 and answer in their own units",
        )
    return None


def _of_inputs(data: Dataset) -> Finding | None:
    if data.signature.input_dtype == "index":
        return None
    statistics = measure(_some(data.train.inputs))
    if data.shift is not None and data.scale is not None:
        statistics = statistics.after(data.shift.astype(np.float64), data.scale.astype(np.float64))
    size, _ = _largest(statistics)
    if size <= _LARGE:
        return None
    return Finding(
        f"the inputs are large, {size:.3g} at the root mean square of one feature",
        "data.transforms: [standardize] brings each feature to mean 0 and deviation 1",
    )


def _some(rows: Rows) -> NDArray[Any]:
    return rows[np.arange(0, len(rows), -(-len(rows) // _ROWS))]


def _largest(statistics: Statistics) -> tuple[float, Any]:
    """The largest root mean square of a feature, and its index."""
    sizes = np.atleast_1d(np.hypot(statistics.mean, statistics.std))
    index = np.unravel_index(int(np.argmax(sizes)), sizes.shape)
    return float(sizes[index]), index
