"""Sections on the classes that a net answers: confusions and their worst examples, each class, calibration, curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnctl.components.metrics.average_precision import AveragePrecision
from nnctl.components.metrics.roc_auc import RocAuc
from nnctl.figures.figure import Axis, Bars, Chart, Curve, HeatMap, Table
from nnctl.inference.classification import (
    Reliability,
    per_class,
    precision_recall_curve,
    roc_curve,
    thinned,
)
from nnctl.inference.examination import FOLLOWED, ClassesExamined, Mistake
from nnctl.report.examples import Examples
from nnctl.report.section import Drawn, Link, Listed, Part, Place, Prose, Section, Tiles
from nnctl.screen.characters import word

_MATRIX = 20
"""Classes up to which the matrix is a table, each number a link."""
_PAINTED = 200
"""Classes up to which the matrix is a picture."""
_MOST_PAIRS = 40
"""Pairs of a class and another that it is taken for, the most frequent first, that are listed."""
_POINTS = 150
"""Points of a curve."""


def sections_on_classes(
    classes: Sequence[str], found: ClassesExamined, examples: Examples, said: str
) -> Iterator[Section]:
    """The sections. said: of which weights and of which examples they are."""
    names = [word(name, 40) for name in classes]
    if not found.labels:
        yield Section("Answers", (Prose(f"{said}. None has a label that counts."),))
        return
    yield Section("Confusions", tuple(_confusions(names, found, examples, said)))
    yield Section("Each class", tuple(_each_class(names, found)))
    if found.reliability is not None:
        yield Section("Calibration", tuple(_calibration(found.reliability)))
    yield Section("Curves over all thresholds", tuple(_curves(names, found)))


def _confusions(names: Sequence[str], found: ClassesExamined, examples: Examples, said: str) -> Iterator[Part]:
    right = int(np.trace(found.confusion))
    yield Tiles(
        (
            ("labels", found.labels),
            ("right", right),
            ("wrong", found.labels - right),
            ("accuracy", right / found.labels),
        )
    )
    yield Prose(f"{said}. Rows are classes, columns answers; a number leads to examples of it, where some are shown.")
    shown = {(mistake.label, mistake.answer) for mistake in found.mistakes}
    if len(names) <= _PAINTED:
        axes = Axis("answer", categories=tuple(names)), Axis("class", categories=tuple(names))
        counts = found.confusion.astype(np.float64)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        title = "Confusion matrix, as shares of each class"
        yield Drawn(HeatMap(title, *axes, shares), listed=True, wide=len(names) > _MATRIX)
    if len(names) <= _MATRIX:
        rows = tuple(
            (name, *(_count(found, shown, label, answer) for answer in range(len(names))))
            for label, name in enumerate(names)
        )
        yield Listed("Confusion matrix: rows are classes, columns answers", Table(("class", *names), rows))
    yield from _pairs(names, found, shown)
    yield from _worst(names, found.mistakes, examples)


def _count(found: ClassesExamined, shown: set[tuple[int, int]], label: int, answer: int) -> int | Link:
    count = int(found.confusion[label, answer])
    return Link(f"{count:,}", _place(label, answer)) if (label, answer) in shown else count


def _pairs(names: Sequence[str], found: ClassesExamined, shown: set[tuple[int, int]]) -> Iterator[Part]:
    wrong = found.confusion.copy()
    np.fill_diagonal(wrong, 0)
    labels, answers = np.nonzero(wrong)
    order = np.lexsort((answers, labels, -wrong[labels, answers]))[:_MOST_PAIRS]
    of_class = found.confusion.sum(axis=1)
    rows = tuple(
        (names[label], names[answer], _count(found, shown, label, answer), int(wrong[label, answer]) / of_class[label])
        for label, answer in zip(labels[order].tolist(), answers[order].tolist())
    )
    if rows:
        caption = "What is taken for what, the most frequent first"
        if len(labels) > len(rows):
            caption += f": {len(rows)} of {len(labels):,} pairs"
        yield Listed(caption, Table(("class", "taken for", "labels", "share of the class"), rows))


def _worst(names: Sequence[str], mistakes: Sequence[Mistake], examples: Examples) -> Iterator[Part]:
    """The surest of the wrong answers, by pairs of class and answer, each a place that links lead to."""
    if not mistakes:
        yield Prose("No answer is wrong.")
        return
    yield Prose("The wrong answers that the net is surest of, of the most frequent confusions:")
    pairs: dict[tuple[int, int], list[Mistake]] = {}
    for mistake in mistakes:
        pairs.setdefault((mistake.label, mistake.answer), []).append(mistake)
    for (label, answer), own in pairs.items():
        title = f"{names[label]} taken for {names[answer]}"
        steps = [mistake.step for mistake in own if mistake.step is not None]
        heads = ("score of the answer", "score of the class", *(["step"] if steps else []))
        said = [(m.confidence, m.of_label, *([] if m.step is None else [m.step])) for m in own]
        part = examples.part(title, [mistake.example for mistake in own], heads, said)
        yield Place(_place(label, answer), (part,))


def _place(label: int, answer: int) -> str:
    return f"pair-{label}-{answer}"


def _each_class(names: Sequence[str], found: ClassesExamined) -> Iterator[Part]:
    results = per_class(found.confusion)
    rows = [
        (name, each.examples, each.answers, each.precision, each.recall, each.f1)
        for name, each in zip(names, results)
        if each.examples or each.answers
    ]
    heads = ("class", "labels", "answers", "precision", "recall", "F1")
    # A share of nothing counts 0, as in the metrics' macro averages: a class that is never answered is no good answer.
    means = tuple(sum(value or 0.0 for value in column) / len(rows) for column in list(zip(*rows))[3:])
    caption = "Precision, recall and F1 of each class"
    if len(rows) > _MATRIX:
        rows.sort(key=lambda row: (row[5] is not None, row[5] or 0.0))
        caption += ", the worst first"
    silent = len(names) - len(rows)
    if silent:
        yield Prose(f"{silent:,} of {len(names):,} classes have no example here, and no answer names them.")
    yield Listed(caption, Table(heads, (*rows, ("mean of the classes", found.labels, found.labels, *means))))


def _calibration(reliability: Reliability) -> Iterator[Part]:
    yield Tiles(
        (
            ("expected calibration error", reliability.expected_error),
            ("largest gap", reliability.largest_error),
        )
    )
    some = reliability.count > 0
    confidence = reliability.confidence[some] / reliability.count[some]
    accuracy = reliability.right[some] / reliability.count[some]
    even = np.array([0.0, 1.0])
    axes = Axis("how sure the answer is", linear=True), Axis("share that is right", linear=True)
    layers = Curve("answers", confidence, accuracy), Curve("as sure as right", even, even, dashed=True)
    bins = len(reliability.count)
    edges = tuple(f"{(place + 1) / bins:.2g}" for place in range(bins))
    rows = tuple(zip(edges, reliability.count.astype(int).tolist(), *_of_parts(reliability)))
    heads = ("up to", "answers", "how sure", "right")
    yield Drawn(
        Chart("Reliability", *axes, layers),
        "Below the dashed line the net is surer than it is right, above it less.",
        Table(heads, rows),
    )
    counts = Chart("Answers by how sure they are", Axis("up to", categories=edges), Axis("answers"),
                   (Bars("answers", reliability.count),))  # fmt: skip
    yield Drawn(counts, listed=True)


def _of_parts(reliability: Reliability) -> Iterator[list[float | None]]:
    """Means of each part, None where it has no answer."""
    for sums in (reliability.confidence, reliability.right):
        yield [s / n if n else None for s, n in zip(sums.tolist(), reliability.count.tolist())]


def _curves(names: Sequence[str], found: ClassesExamined) -> Iterator[Part]:
    """Receiver operating characteristics and precision over recall, each class against all others."""
    # Of two classes the second tells all.
    followed = found.followed[1:] if len(names) == 2 else found.followed
    roc: list[Curve] = []
    precision: list[Curve] = []
    rows: list[tuple[str, float, float]] = []
    untold = []
    for label in followed:
        scores, truth = found.scores[:, found.followed.index(label)], found.truth == label
        if truth.all() or not truth.any():
            untold.append(names[label])
            continue
        roc.append(Curve(names[label], *thinned(*roc_curve(scores, truth), _POINTS)))
        precision.append(Curve(names[label], *thinned(*precision_recall_curve(scores, truth), _POINTS)))
        rows.append((names[label], RocAuc().score(scores, truth), AveragePrecision().score(scores, truth)))
    if untold:
        yield Prose(f"A curve needs examples of a class and of others, which is not so of {', '.join(untold)}.")
    if not rows:
        return
    if len(names) > FOLLOWED:
        yield Prose(f"Each class against all others, the {FOLLOWED} with the most labels of {len(names):,}.")
    even = np.array([0.0, 1.0])
    chance = Curve("by chance", even, even, dashed=True)
    axes = Axis("false positive rate", linear=True), Axis("true positive rate", linear=True)
    yield Drawn(Chart("Receiver operating characteristic", *axes, (*roc, chance)), listed=True)
    axes = Axis("recall", linear=True), Axis("precision", linear=True)
    yield Drawn(Chart("Precision over recall", *axes, tuple(precision)), listed=True)
    yield Listed("Areas under the curves", Table(("class", "ROC", "average precision"), tuple(rows)))
