"""A trained net's answers to a split, read in pieces: what is told of classes or of values, and the worst examples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Dataset, Split
from nnctl.engine.evaluate import BATCH
from nnctl.errors import UsageError
from nnctl.inference.classification import Reliability
from nnctl.inference.inputs import error_of
from nnctl.inference.opened import TrainedRun
from nnctl.inference.residuals import Residuals
from nnctl.late import dataclass
from nnctl.ops.shapes import resolve

MOST_WORST = 24
"""Examples that are kept as the worst."""
MOST_CLASSES = 1024
"""Classes of which every pair is counted."""
FOLLOWED = 8
"""Classes whose scores are kept for all examples, those with the most examples."""
SAMPLED = 2000
"""Examples whose values and answers are kept, evenly spaced over the split."""

_NUMBERS = 1 << 22
"""Numbers of inputs, and of answers, that are in memory at a time: 32 MiB."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Mistake:
    """An example that is answered wrongly.

    example: its place in the split. step: of a sequence, None where an example has one label.
    confidence: the score of the answer; of_label: that of the right class.
    """

    example: int
    step: int | None
    label: int
    answer: int
    confidence: float
    of_label: float


@dataclass(frozen=True, eq=False)
class ClassesExamined:
    """The answers of a net to a split with labels.

    labels: how many count. confusion: examples by (class, answer), (classes, classes). reliability: None where the
    scores are no probabilities. followed: classes; scores (labels, followed) and truth (labels,) are of them. mistakes:
    at most `MOST_WORST`, of each pair of class and answer the surest, the most frequent pairs first.
    """

    labels: int
    confusion: NDArray[np.int64]
    reliability: Reliability | None
    followed: tuple[int, ...]
    scores: Numbers
    truth: NDArray[np.int64]
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True, eq=False)
class ValuesExamined:
    """The answers of a net to a split with values.

    answers, targets: of some rows evenly spaced over the split, (rows, units). worst: the examples with the largest
    mean squared error, the worst first: (place in the split, that error, their answers, their targets).
    """

    residuals: Residuals
    answers: Numbers
    targets: Numbers
    worst: tuple[tuple[int, float, Numbers, Numbers], ...]


def examined_split(data: Dataset) -> str:
    """The name of the split that a net is looked at on: validation, else test, else the training set.

    Validation first: who looks at the test split's worst examples, and changes the net, has no test any more.
    """
    return next((name for name in ("validation", "test") if name in data.splits), "train")


def examine_classes(run: TrainedRun, split: Split, name: str) -> ClassesExamined:
    """The classes that a net answers. Raises DataError for an example without a finite answer, UsageError."""
    classes = len(run.classes or ())
    if classes > MOST_CLASSES:
        raise UsageError(f"the net tells {classes:,} classes apart, and pairs are counted of {MOST_CLASSES:,} at most")
    labels = split.targets.reshape(-1)
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    followed = tuple(sorted(np.argsort(-counts, kind="stable")[:FOLLOWED].tolist()))
    confusion = np.zeros((classes, classes), np.int64)
    reliability: Reliability | None = Reliability.of(np.zeros(0), np.zeros(0, np.bool_))
    kept: list[Numbers] = []
    truth: list[NDArray[np.int64]] = []
    wrong = _Wrong(classes)
    for first, outputs, targets in _pieces(run, split, name):
        own = targets.reshape(-1)
        places = np.flatnonzero(own >= 0)
        own, scores = own[places], outputs[places]
        answers = scores.argmax(axis=1)
        np.add.at(confusion, (own, answers), 1)
        confidence = scores[np.arange(len(scores)), answers]
        if reliability is not None:
            sound = scores.size == 0 or (scores.min() >= 0.0 and scores.max() <= 1.0 + 1e-6)
            reliability = reliability + Reliability.of(confidence.clip(0, 1), own == answers) if sound else None
        kept.append(scores[:, followed])
        truth.append(own)
        steps = targets[0].size if len(targets) else 1
        wrong.add(places + first * steps, own, answers, confidence, scores[np.arange(len(scores)), own])
    steps = split.targets[0].size if len(split) else 1
    mistakes = wrong.chosen(confusion, steps if split.targets.ndim > 1 else None)
    return ClassesExamined(
        int(confusion.sum()), confusion, reliability, followed, np.concatenate(kept), np.concatenate(truth), mistakes
    )


def examine_values(run: TrainedRun, split: Split, name: str) -> ValuesExamined:
    """The values that a net answers. Raises DataError for an example without a finite answer."""
    targets = split.targets.reshape(len(split), -1)
    units = int(resolve(run.engine.network.structure.output_shape[-1:], {})[0])
    residuals = Residuals(_mean(targets.reshape(-1, units)))
    wanted = np.unique(np.linspace(0, len(split) - 1, min(len(split), SAMPLED)).round().astype(np.int64))
    kept: list[tuple[Numbers, Numbers]] = []
    worst: list[tuple[int, float, Numbers, Numbers]] = []
    for first, answers, some in _pieces(run, split, name):
        a = answers.reshape(len(some), -1)
        y = some.reshape(len(some), -1).astype(np.float64)
        residuals.add(a.reshape(-1, units), y.reshape(-1, units))
        error = np.square(a - y).mean(axis=1)
        here = np.argsort(-error, kind="stable")[:MOST_WORST]
        worst += [(first + int(row), float(error[row]), a[row], y[row]) for row in here]
        worst = sorted(worst, key=lambda each: -each[1])[:MOST_WORST]
        here = wanted[(wanted >= first) & (wanted < first + len(some))] - first
        kept.append((a[here], y[here]))
    sample = [np.concatenate(each).reshape(-1, units) for each in zip(*kept)]
    return ValuesExamined(residuals, sample[0], sample[1], tuple(worst))


def _mean(targets: NDArray[Any]) -> Numbers:
    return np.asarray(targets.mean(axis=0, dtype=np.float64))


def _pieces(run: TrainedRun, split: Split, name: str) -> Iterator[tuple[int, Numbers, NDArray[Any]]]:
    """(first, scores, targets) of the split's examples in order; a net that reads on reads all at once."""
    structure = run.engine.network.structure
    numbers = max(math.prod(shape) for shape in (split.inputs.shape[1:], resolve(structure.output_shape[1:], {})))
    rows = max(1, _NUMBERS // max(1, numbers))
    rows = len(split) if structure.recurrent_states else max(rows - rows % BATCH, min(rows, BATCH))
    for first in range(0, len(split), rows):
        inputs = np.asarray(split.inputs[first : first + rows])
        stop = first + len(inputs)
        scores = run.scores(inputs)
        # The places are those of the split, whatever the piece.
        names = [f"the {name} split"] * len(inputs)
        run.require_finite(scores, inputs, error_of(inputs, names, range(first, stop)))
        yield first, scores, split.targets[first:stop]


class _Wrong:
    """The surest wrong answers of each pair of class and answer, gathered in pieces."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._kept = np.zeros((5, 0))
        """Places, labels, answers, confidences, scores of the right class."""

    def add(self, places: NDArray[Any], *columns: NDArray[Any]) -> None:
        """Take in answers, right ones among them: columns of `_kept`, (n,) each."""
        rows = np.stack([places.astype(np.float64), *(column.astype(np.float64) for column in columns)])
        rows = np.concatenate([self._kept, rows[:, rows[1] != rows[2]]], axis=1)
        order, rank = self._ranked(rows)
        self._kept = rows[:, order[rank < MOST_WORST]]

    def _ranked(self, rows: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The order by pair, the surest first, and the place of each in its pair."""
        pairs = rows[1] * self._classes + rows[2]
        order = np.lexsort((-rows[3], pairs))
        begins = np.flatnonzero(np.diff(pairs[order], prepend=-1.0))
        lengths = np.diff(np.append(begins, len(order)))
        return order, np.arange(len(order)) - np.repeat(begins, lengths)

    def chosen(self, confusion: NDArray[np.int64], steps: int | None) -> tuple[Mistake, ...]:
        """At most `MOST_WORST`: the first of every pair, the most frequent pair first, then the second of each."""
        order, rank = self._ranked(self._kept)
        rows = self._kept[:, order]
        counts = confusion[rows[1].astype(np.int64), rows[2].astype(np.int64)]
        first = np.lexsort((rows[2], rows[1], -counts, rank))[:MOST_WORST]
        found = rows[:, first]
        by_pair = np.lexsort((-found[3], found[2], found[1], -counts[first]))
        return tuple(self._mistake(row, steps) for row in found[:, by_pair].T)

    def _mistake(self, row: Numbers, steps: int | None) -> Mistake:
        place = int(row[0])
        example, step = (place, None) if steps is None else divmod(place, steps)
        return Mistake(example, step, int(row[1]), int(row[2]), float(row[3]), float(row[4]))
