"""Landscapes: the cost on a plane through a run's weights, along two random directions (Li et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Dataset
from nnctl.data.stored.progress import shown
from nnctl.data.streams import Purpose, generator
from nnctl.errors import UsageError
from nnctl.figures.figure import Axis, Marks, Plane
from nnctl.figures.scales import number
from nnctl.graph.arrays import Parameter
from nnctl.inference.opened import TrainedRun
from nnctl.training.splits import bind_whole
from nnctl.visualization.examples import part_of

RESOLUTION = 25
"""Places along each direction."""
MOST_EXAMPLES = 2000
"""Examples that the cost is measured on."""
_REACH = 1.0
"""Of the weights' own size, to both sides of them."""
_LEVELS = 12
"""Contours."""
_LOG_FROM = 20.0
"""Costs that differ by this factor are shown by their logarithms."""


def landscape(
    run: TrainedRun,
    data: Dataset,
    split: str = "train",
    *,
    seed: int = 0,
    resolution: int = RESOLUTION,
    reach: float = _REACH,
    most: int = MOST_EXAMPLES,
) -> Plane:
    """The cost over w + α·d + β·e: at the centre the run's weights w, and its cost, without penalty.

    d, e: as `direction` draws them. resolution: places along each, an odd number, from −reach to reach. most: examples
    that the cost is measured on, spread evenly over the split; the title says how many of how many. Random layers are
    at rest. The run's weights are afterwards what they were. Raises UsageError.
    """
    if resolution < 3 or resolution % 2 == 0:
        raise UsageError(
            f"--resolution {resolution}: an odd number from 3 on, so that the weights themselves are in the middle"
        )
    name, part = part_of(data, split)
    parameters = run.engine.network.structure.parameters
    weights = run.engine.read(parameters)
    one, other = (direction(parameters, weights, seed, which) for which in range(2))
    bind_whole(run.engine.feed, name, part)
    rows = _rows(run, len(part), most)
    steps = np.linspace(-reach, reach, resolution)
    # Exactly, or the cost in the middle would be that of other weights.
    steps[resolution // 2] = 0.0
    costs = np.empty((resolution, resolution))
    try:
        lines = [[(row, column) for column in range(resolution)] for row in range(resolution)]
        for line in shown(lines, "measuring the cost", resolution * resolution, "places"):
            for row, column in line:
                alpha, beta = steps[column], steps[-1 - row]
                moved = {
                    key: (value + alpha * one[key] + beta * other[key]).astype(value.dtype)
                    for key, value in weights.items()
                }
                run.engine.assign(moved)
                costs[row, column] = run.engine.evaluate(name, rows)["cost"]
    finally:
        run.engine.assign(weights)
    kept = costs[np.isfinite(costs)]
    low, high = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 0.0)
    log = low > 0 and high > _LOG_FROM * low
    shares = np.arange(1, _LEVELS + 1) / (_LEVELS + 1)
    levels = low * (high / low) ** shares if log else low + (high - low) * shares**2
    middle = float(costs[resolution // 2, resolution // 2])
    how_many = f"{len(part):,}" if len(rows) == len(part) else f"{len(rows):,} of {len(part):,}"
    return Plane(
        f"Cost {number(middle)} and around: {how_many} {name} examples, seed {seed}",
        Axis("α, along a filter-normalized random direction"),
        Axis("β, along another"),
        (-reach, reach),
        (-reach, reach),
        costs,
        marks=Marks(np.zeros(1), np.zeros(1), np.array([middle])),
        contours=tuple(levels.tolist()) if high > low else (),
        log=log,
    )


def direction(
    parameters: Mapping[str, Parameter], weights: Mapping[str, NDArray[np.float32]], seed: int, which: int
) -> dict[str, NDArray[np.float64]]:
    """A random direction of the weights: normal numbers, each filter of them as long as that of the weights.

    A filter is the weights into one unit. Along biases, what normalizes batches, and frozen parameters it is 0
    (Li et al. 2018, section 4). It hangs on the seed, `which` and the net alone.
    """
    rng = generator(seed, Purpose.LANDSCAPE, which)
    drawn: dict[str, NDArray[np.float64]] = {}
    for name, parameter in parameters.items():
        shape, incoming = parameter.units
        if parameter.kind != "weight" or parameter.frozen:
            drawn[name] = np.zeros(parameter.shape)
            continue
        random, own = rng.standard_normal(shape), weights[name].astype(np.float64).reshape(shape)
        lengths = [np.sqrt(np.square(each).sum(axis=incoming, keepdims=True)) for each in (random, own)]
        drawn[name] = (random * (lengths[1] / lengths[0])).reshape(parameter.shape)
    return drawn


def _rows(run: TrainedRun, count: int, most: int) -> NDArray[np.int64]:
    if count <= most:
        return np.arange(count, dtype=np.int64)
    if run.engine.network.structure.recurrent_states:
        # Each is read on from the one before.
        return np.arange(most, dtype=np.int64)
    return np.linspace(0, count - 1, most).round().astype(np.int64)
