"""Augmented examples: what training sees of some, epoch after epoch, or the copies that it was enlarged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Dataset
from nnctl.data.source import Source
from nnctl.data.training_windows import TrainingWindows
from nnctl.errors import UsageError
from nnctl.figures.figure import Axis, Chart, Curve, Figure, Gallery, Picture
from nnctl.spec.document import Spec
from nnctl.training.splits import training_windows
from nnctl.visualization.examples import told
from nnctl.visualization.pictures import is_picture, photographs

EXAMPLES = 10
"""Examples that are drawn."""
COPIES = 9
"""Changed copies of each."""
_MOST_CURVES = 4
"""Copies of an example that is no image."""


class _Copies(NamedTuple):
    """The examples that are drawn, changed. name: of the epoch, or of the block of the training set."""

    name: str
    inputs: NDArray[Any]
    targets: NDArray[Any]


def augmented(spec: Spec, data: Dataset, examples: int = EXAMPLES, copies: int = COPIES) -> list[Figure]:
    """Some examples of the training set, each before its changed copies: those of the first epochs, as training draws.

    Where the spec augments by `expand` alone, the copies are those that the training set has. Raises UsageError where
    it does neither.
    """
    source = spec.data
    if spec.data.augmentations:
        rows = np.arange(min(examples, len(data.train)), dtype=np.int64)
        windows = training_windows(spec, data)
        seen = [_Copies(f"epoch {epoch + 1}", *changed(windows, rows, epoch)) for epoch in range(copies)]
        what = f"Augmented: {_types(spec.data.augmentations)}"
    elif isinstance(source, Source) and source.expand:
        total = 1 + sum(expansion.number for expansion in source.expand)
        originals = len(data.train) // total
        rows = np.arange(min(examples, originals), dtype=np.int64)
        blocks = range(1, min(copies + 1, total))
        seen = [
            _Copies(f"copy {block}", data.train.inputs[rows + block * originals], data.train.targets[rows])
            for block in blocks
        ]
        what = f"Expanded: {_types(source.expand)}"
    else:
        raise UsageError("nothing to draw: the spec augments no example\n  data.augment says how, for example [shift]")
    if is_picture(data.signature.input_shape):
        return [_gallery(data, rows, seen, what)]
    return _charts(data, rows, seen[:_MOST_CURVES], what)


def changed(windows: TrainingWindows, rows: NDArray[np.int64], epoch: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """(inputs, targets) of training examples as an epoch, counted from 0, gives them to the net."""
    order, size, augmenter = windows.order.of(epoch), windows.size, windows.augmenter
    inputs, targets = [], []
    for row in rows:
        place = int(np.flatnonzero(order == row)[0])
        if augmenter is None or any(step.mixes for step in augmenter.augmentations):
            # Who is mixed with whom is settled within a window.
            first = place // size * size
            made, of, _ = windows.window(epoch, first)
            made, of = made[place - first : place - first + 1], of[place - first : place - first + 1]
        else:
            one = np.array([row])
            made, of = augmenter(windows.inputs[one], windows.targets[one], epoch, place)
        inputs.append(made)
        targets.append(of)
    return np.concatenate(inputs), np.concatenate(targets)


def _gallery(data: Dataset, rows: NDArray[np.int64], seen: Sequence[_Copies], what: str) -> Gallery:
    inputs, targets = data.train.inputs[rows], data.train.targets[rows]
    # All on one scale: of numbers in any range the originals' brightness is the copies'.
    pixels = photographs(np.concatenate([inputs, *(copies.inputs for copies in seen)]), data.unit)
    pictures = []
    for index, row in enumerate(rows):
        word = told(data.signature, targets[index])
        pictures.append(Picture(pixels[index], word.removeprefix("class ") or f"train {row}"))
        for copy, copies in enumerate(seen, start=1):
            mixed = told(data.signature, copies.targets[index])
            caption = copies.name if mixed == word else mixed
            pictures.append(Picture(pixels[copy * len(rows) + index], caption))
    return Gallery(what, tuple(pictures), columns=1 + len(seen))


def _charts(data: Dataset, rows: NDArray[np.int64], seen: Sequence[_Copies], what: str) -> list[Figure]:
    inputs, targets = data.train.inputs[rows], data.train.targets[rows]
    charts: list[Figure] = []
    for index, row in enumerate(rows):
        places = np.arange(inputs[index].size, dtype=np.float64)
        versions = [("as it is", inputs[index]), *((copies.name, copies.inputs[index]) for copies in seen)]
        curves = tuple(
            Curve(name, places, np.asarray(values, np.float64).reshape(-1), dashed=number > 0)
            for number, (name, values) in enumerate(versions)
        )
        word = told(data.signature, targets[index])
        charts.append(Chart(f"{what}: train {row}, {word}", Axis("input"), Axis("value"), curves))
    return charts


def _types(steps: Sequence[Any]) -> str:
    return ", ".join(step.type for step in steps)
