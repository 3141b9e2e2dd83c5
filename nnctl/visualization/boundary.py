"""Boundaries: what a net answers over the plane of two of its inputs, with the training examples on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Dataset
from nnctl.data.tables.fitted import FittedColumns
from nnctl.data.words import cut, some
from nnctl.errors import UsageError
from nnctl.figures.figure import Axis, Marks, Plane
from nnctl.inference.opened import TrainedRun
from nnctl.late import dataclass
from nnctl.visualization.examples import part_of

RESOLUTION = 160
"""Places along each axis."""
MOST_MARKS = 1000
"""Training examples that are drawn."""
_MARGIN = 0.08
"""Of the range of the examples, beyond them on each side."""
_LEVELS = 7
"""Contours of values."""


@dataclass(frozen=True)
class _Input:
    """An input: its place among the others, its name, and (x − shift)·scale, by which the data made it of its x."""

    place: int
    name: str
    shift: float = 0.0
    scale: float = 1.0
    spread: bool = True
    """True of a number along an axis: no mark of a category, no index of a vector."""

    def original(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inputs as the data had them."""
        return values / self.scale + self.shift


def boundary(
    run: TrainedRun, data: Dataset, names: tuple[str, str] | None = None, resolution: int = RESOLUTION
) -> Plane:
    """The classes or the values that a net answers over two inputs, and its training examples.

    names: the two inputs, by the names of columns or by numbers from 0, all others at the mean of the training
    examples; needed where there are more than two. Examples beyond `MOST_MARKS` are left out, and the title says so.
    Raises UsageError for nets of other inputs, and of answers that no plane shows.
    """
    one, other = _inputs(run, names)
    _, train = part_of(data, "train")
    count = min(len(train), MOST_MARKS)
    rows = np.linspace(0, len(train) - 1, count).round().astype(np.int64)
    shown = np.asarray(train.inputs[rows], dtype=np.float64)
    x, y = (_range(shown[:, each.place]) for each in (one, other))
    of_data = [each.original(np.array(bounds)) for each, bounds in ((one, x), (other, y))]
    x_range, y_range = ((float(low), float(high)) for low, high in of_data)
    across, down = np.linspace(x[0], x[1], resolution), np.linspace(y[1], y[0], resolution)
    inputs = np.tile(_middle(run, shown), (resolution * resolution, 1))
    inputs[:, one.place], inputs[:, other.place] = np.tile(across, resolution), np.repeat(down, resolution)
    scores = run.scores(inputs.astype(data.train.inputs.dtype))
    if len(scores) != len(inputs) or scores.ndim != 2 or (run.classes is None and scores.shape[1] != 1):
        raise UsageError(
            f"{run.folder.path}: a plane shows classes or one value, and this net answers {scores.shape[-1]:,} values"
        )
    points = [each.original(shown[:, each.place]) for each in (one, other)]
    marks = Marks(points[0], points[1], train.targets[rows].reshape(count).astype(np.float64))
    said = "" if names is None or len(shown[0]) == 2 else ", others at their mean"
    said += f"; {count:,} of {len(train):,} examples" if count < len(train) else ""
    title = "Answers over two inputs"
    axes = Axis(one.name), Axis(other.name)
    if run.classes is None:
        values = scores.reshape(resolution, resolution)
        kept = values[np.isfinite(values)]
        levels = np.linspace(kept.min(), kept.max(), _LEVELS + 2)[1:-1] if kept.size else ()
        return Plane(f"{title}{said}", *axes, x_range, y_range, values, marks=marks, contours=tuple(map(float, levels)))
    counted = marks.values >= 0
    marks = Marks(marks.x[counted], marks.y[counted], marks.values[counted])
    shares = _shares(scores).reshape(resolution, resolution, -1)
    return Plane(f"{title}{said}", *axes, x_range, y_range, shares, run.classes, marks)


def two_inputs(run: TrainedRun, asked: str | None) -> tuple[str, str] | None:
    """The names of two inputs, of "A,B"; the names may have commas themselves. Raises UsageError for another number."""
    if asked is None:
        return None
    parts = asked.split(",")
    cuts = [(",".join(parts[:at]).strip(), ",".join(parts[at:]).strip()) for at in range(1, len(parts))]
    known = set(input_names(run))
    found = [both for both in cuts if known.issuperset(both)] or cuts[: len(parts) == 2]
    if len(found) != 1:
        raise UsageError(
            f"--inputs {cut(asked)}: expected the names of two inputs, such as age,income\n"
            f"  the net has {some(input_names(run))}"
        )
    return found[0]


def input_names(run: TrainedRun) -> list[str]:
    """The names of a net's inputs where each example is a row of numbers: of a table's columns, or x0, x1, …"""
    return [each.name for each in _named(run)]


def in_units_of_data(run: TrainedRun, inputs: NDArray[Any]) -> NDArray[np.float64]:
    """Inputs (n, features) as the data has them: a table's numbers before they were rescaled. See `input_names`."""
    values = inputs.astype(np.float64)
    return np.stack([each.original(values[:, each.place]) for each in _named(run)], axis=1)


def _inputs(run: TrainedRun, names: tuple[str, str] | None) -> tuple[_Input, _Input]:
    signature = run.signature
    if len(signature.input_shape) != 1 or signature.input_dtype == "index":
        raise UsageError(f"{run.folder.path}: a plane is of two numbers, and this net reads {_shape(run)}")
    inputs = _named(run)
    if names is None:
        if len(inputs) != 2:
            raise UsageError(
                f"{run.folder.path}: a plane is of two inputs, and this net reads {len(inputs):,}\n"
                "  --inputs A,B chooses two of them; the others stay at their mean"
            )
        names = (inputs[0].name, inputs[1].name)
    one, other = (_called(name, inputs) for name in names)
    if one is other:
        raise UsageError(f"--inputs {','.join(names)}: this is one input, and a plane has two")
    return one, other


def _named(run: TrainedRun) -> list[_Input]:
    """The inputs of a net by their names: of a table's columns, or x0, x1, …"""
    table = FittedColumns.of(run.fitted)
    if table is None:
        return [_Input(place, f"x{place}") for place in range(run.signature.input_shape[0])]
    vectors = {column.position for column in run.signature.embedded}
    inputs: list[_Input] = []
    for name, kind in table.kinds.items():
        fitted = table.fitted[name]
        for index, feature in enumerate(kind.features(name, fitted)):
            shift, scale = fitted.get("shift"), fitted.get("scale")
            scaled = (float(shift), float(scale)) if index == 0 and shift is not None and scale else (0.0, 1.0)
            inputs.append(_Input(len(inputs), feature, *scaled, spread=len(inputs) not in vectors))
    return inputs


def _called(name: str, inputs: list[_Input]) -> _Input:
    found = next((each for each in inputs if each.name == name), None)
    if found is None:
        raise UsageError(f"--inputs: the net has no input {name!r}\n  it has {some([each.name for each in inputs])}")
    if not found.spread:
        raise UsageError(f"--inputs: {name!r} is read by a vector for each category and has no place along an axis")
    return found


def _shape(run: TrainedRun) -> str:
    signature = run.signature
    kind = "indices" if signature.input_dtype == "index" else "examples"
    return f"{kind} of shape {signature.input_shape}"


def _middle(run: TrainedRun, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of inputs (n, features); where a vector is looked up, the index that most have."""
    middle = inputs.mean(axis=0)
    for column in run.signature.embedded:
        middle[column.position] = np.bincount(inputs[:, column.position].astype(np.int64)).argmax()
    return np.asarray(middle)


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * _MARGIN or 0.5
    return low - margin, high + margin


def _shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of classes (n, classes): the scores where they are shares, else all of it for the largest."""
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1.0, atol=1e-3):
        return scores
    return np.asarray(np.eye(scores.shape[1])[scores.argmax(axis=1)])
