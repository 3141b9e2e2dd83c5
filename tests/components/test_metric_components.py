from __future__ import annotations

from typing import Any

import pytest
from graph_bench import Bench

from nnctl.components.base import MeanMetric
from nnctl.components.metrics.accuracy import Accuracy
from nnctl.components.metrics.mae import MeanAbsoluteErrorMetric
from nnctl.components.metrics.max_error import MaximalError
from nnctl.components.metrics.mse import MeanSquaredErrorMetric
from nnctl.components.metrics.top_k import TopK
from nnctl.errors import ShapeError


def measured(metric: MeanMetric, output: Any, target: Any) -> list[float]:
    """The metric of each example."""
    bench = Bench(batch=len(output))
    tensor = metric.of_each(bench.builder, bench.tensor("output", output), bench.tensor("target", target))
    assert len(tensor.shape) == 1
    return list(bench.run(tensor)[0])


def test_accuracy_of_labels() -> None:
    assert measured(Accuracy(), [[0.1, 0.7, 0.2], [0.5, 0.5, 0.0]], [1, 1]) == [1.0, 0.0]


def test_accuracy_of_one_unit() -> None:
    output = [[0.6], [0.5], [0.1], [0.9]]
    assert measured(Accuracy(), output, [1, 1, 0, 0]) == [1.0, 0.0, 1.0, 0.0]
    assert measured(Accuracy(), output, [[1.0], [1.0], [0.0], [0.0]]) == [1.0, 0.0, 1.0, 0.0]


def test_accuracy_of_several_answers() -> None:
    assert measured(Accuracy(), [[0.9, 0.1, 0.8, 0.2]], [[1.0, 0.0, 0.0, 0.0]]) == [0.75]


def test_accuracy_of_signs() -> None:
    output = [[0.3], [-0.2]]
    assert measured(Accuracy(threshold=0.0), output, [[1.0], [1.0]]) == [1.0, 0.0]
    assert measured(Accuracy(threshold=0.0), output, [1, 0]) == [1.0, 1.0]


@pytest.mark.parametrize(("k", "hits"), [(1, [0.0, 1.0]), (2, [1.0, 1.0])])
def test_top_k(k: int, hits: list[float]) -> None:
    assert measured(TopK(k=k), [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], [1, 2]) == hits
    assert TopK(k=k).column == f"top_{k}_accuracy"


def test_top_k_needs_labels() -> None:
    with pytest.raises(ShapeError, match="top_k needs labels"):
        measured(TopK(), [[0.5, 0.5]], [[1.0, 0.0]])


def test_top_k_of_too_few_classes() -> None:
    with pytest.raises(ShapeError, match="among the 5 largest of 3 outputs is always the right one"):
        measured(TopK(), [[0.5, 0.3, 0.2]], [1])


def test_errors() -> None:
    output, target = [[1.0, 3.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 4.0]]
    assert measured(MeanSquaredErrorMetric(), output, target) == [5.0, 8.0]
    assert measured(MeanAbsoluteErrorMetric(), output, target) == [2.0, 2.0]
    bench = Bench(batch=2)
    statistics = MaximalError().build(bench.builder, bench.tensor("output", output), bench.tensor("target", target))
    assert bench.run(*statistics.values()) == [4.0]


def test_errors_of_labels() -> None:
    assert measured(MeanSquaredErrorMetric(), [[0.5, 0.5], [1.0, 0.0]], [0, 1]) == [0.25, 1.0]
    assert measured(MeanAbsoluteErrorMetric(), [[0.75], [0.25]], [1, 0]) == [0.25, 0.25]
    assert not MeanSquaredErrorMetric.higher_is_better
