"""The means of the classes in a report are the macro averages that the metrics give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnctl.components.metrics.confusion import ClassScore, Counts
from nnctl.components.metrics.f1 import F1
from nnctl.components.metrics.precision import Precision
from nnctl.components.metrics.recall import Recall
from nnctl.inference.examination import ClassesExamined
from nnctl.report.classes import sections_on_classes
from nnctl.report.examples import Examples
from nnctl.report.section import Listed

CONFUSIONS = {
    "each answered": [[3, 1, 0], [2, 4, 1], [0, 1, 5]],
    "one never answered": [[3, 1, 0], [2, 4, 0], [1, 2, 0]],
    "one that does not occur": [[3, 1, 1], [2, 4, 0], [0, 0, 0]],
    "one neither": [[3, 1, 0], [2, 4, 0], [0, 0, 0]],
    "all one answer": [[4, 0, 0], [6, 0, 0], [3, 0, 0]],
}


@pytest.mark.parametrize("confusion", CONFUSIONS.values(), ids=CONFUSIONS)
def test_the_means_are_the_macro_averages(confusion: list[list[int]]) -> None:
    counts = np.array(confusion)
    labels = int(counts.sum())
    found = ClassesExamined(labels, counts, None, (), np.empty((labels, 0)), np.empty(labels, np.int64), ())
    each = next(s for s in sections_on_classes("abc", found, Examples.__new__(Examples), "") if s.title == "Each class")
    (listed,) = (part for part in each.parts if isinstance(part, Listed))
    means = listed.table.rows[-1][3:]
    totals = Counts(np.diag(counts) * 1.0, counts.sum(axis=0) * 1.0, counts.sum(axis=1) * 1.0, independent=False)
    metrics: list[ClassScore] = [Precision(), Recall(), F1()]
    expected = [replace(metric, average="macro").averaged(totals) for metric in metrics]
    assert means == pytest.approx(expected, abs=1e-12)
