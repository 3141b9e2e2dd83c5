"""Values of the costs: golden numbers of PyTorch, computed in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph_bench import XP, Bench

from nnctl.components.base import Cost
from nnctl.components.costs import (
    CrossEntropy,
    Hinge,
    Huber,
    LogLikelihood,
    MeanAbsoluteError,
    MeanSquaredError,
    Quadratic,
    SmoothL1,
)
from nnctl.components.registry import components
from nnctl.errors import ShapeError


def batch_cost(cost: Cost, output: Any, target: Any) -> float:
    """Σ cost / Σ weight of a batch, as the graph takes its mean."""
    bench = Bench(batch=len(output))
    costs, weights = cost.build(bench.builder, bench.tensor("output", output), bench.tensor("target", target))
    if weights is None:
        (values,) = bench.run(costs)
        return float(values.sum() / len(values))
    values, counts = bench.run(costs, weights)
    return float(values.sum() / counts.sum())


def softmax(logits: Any) -> Any:
    e = np.exp(np.asarray(logits, float))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(logits: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.asarray(logits, float)))


@pytest.mark.parametrize(
    ("cost", "logits", "labels", "golden"),
    [
        (LogLikelihood(), [[2, 1, 0]], [0], 0.4076059644),
        (LogLikelihood(label_smoothing=0.1), [[2, 1, 0]], [0], 0.5076059644),
        (LogLikelihood(class_weights=(1.0, 2.0, 3.0)), [[2, 1, 0], [0, 1, 3]], [0, 2], 0.2292860058),
    ],
)
def test_log_likelihood(cost: Cost, logits: Any, labels: Any, golden: float) -> None:
    assert batch_cost(cost, softmax(logits), labels) == pytest.approx(golden, abs=1e-10)


def test_one_weight_for_each_class() -> None:
    with pytest.raises(ShapeError, match="2 class weights for 3 classes") as caught:
        batch_cost(LogLikelihood(class_weights=(1.0, 2.0)), [[0.2, 0.3, 0.5]], [1])
    assert caught.value.path == "cost.class_weights"


@pytest.mark.parametrize(("smoothing", "golden"), [(0.0, 0.1269280110), (0.1, 0.2269280106)])
def test_binary_cross_entropy(smoothing: float, golden: float) -> None:
    cost = CrossEntropy(label_smoothing=smoothing)
    assert batch_cost(cost, sigmoid([[2.0]]), [[1.0]]) == pytest.approx(golden, abs=1e-9)
    assert float(cost.paired_body(XP, np.array(2.0), np.array(1.0))) == pytest.approx(golden, abs=1e-9)


def test_cross_entropy_sums_over_units_and_an_exact_answer_costs_nothing() -> None:
    assert batch_cost(CrossEntropy(), [[0.0, 1.0]], [[0.0, 1.0]]) == 0.0
    assert batch_cost(CrossEntropy(), [[0.5, 0.5]], [[0.0, 1.0]]) == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize(
    ("cost", "golden"),
    [
        (Quadratic(), 2.5),  # ½(1 + 4)
        (MeanSquaredError(), 2.5),  # (1 + 4)/2
        (MeanAbsoluteError(), 1.5),
        (Huber(delta=0.5), (0.375 + 0.875) / 2),
        (SmoothL1(beta=0.5), (0.75 + 1.75) / 2),
    ],
)
def test_costs_of_errors_1_and_2(cost: Cost, golden: float) -> None:
    assert batch_cost(cost, [[1.0, -2.0]], [[0.0, 0.0]]) == pytest.approx(golden)


def test_golden_robust_costs() -> None:
    e, zero = np.array([2.0]), np.array([0.0])
    assert Huber(delta=0.5).body(XP, e, zero) == 0.875
    assert SmoothL1(beta=0.5).body(XP, e, zero) == 1.75


def test_quadratic_sums_where_mse_averages() -> None:
    output, target = np.ones((3, 4)), np.zeros((3, 4))
    assert batch_cost(Quadratic(), output, target) == 2.0
    assert batch_cost(MeanSquaredError(), output, target) == 1.0


def test_hinge_takes_labels_as_signs() -> None:
    a = [[0.3, -0.4, 2.0]]
    expected = (0.7 + 0.6 + 3.0) / 3
    assert batch_cost(Hinge(), a, [[1.0, -1.0, -1.0]]) == pytest.approx(expected)
    assert batch_cost(Hinge(), a, [[1.0, 0.0, 0.0]]) == pytest.approx(expected)


def test_a_wrong_output_has_a_fix() -> None:
    for cost in components("cost").values():
        assert not set(cost.wrong_outputs) & set(cost.outputs)
        assert set(cost.outputs) | set(cost.wrong_outputs) <= set(components("activation"))
    assert "log_likelihood" in CrossEntropy.wrong_outputs["softmax"]
    assert "cross_entropy" in LogLikelihood.wrong_outputs["sigmoid"]
