"""Writes tests/components/golden/metrics.json: what scikit-learn measures of small outputs, for tests to compare with.

scikit-learn is no dependency; the file was made with 1.9.1 by `python scripts/golden_metrics.py`.

Each case holds outputs (float32, many of them equal), targets, the cost and the activation of
the net that they might be of, and for each metric as a spec would say it the number, null where
it is undefined. The calibration error, which scikit-learn does not have, is computed as in
Guo et al. 2017, bin by bin.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

OUTPUT = Path(__file__).parents[1] / "tests" / "components" / "golden" / "metrics.json"
Array = NDArray[Any]
AVERAGES = ("macro", "micro", "weighted")
SCORES = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}


def calibration_error(confidence: Array, right: Array, bins: int) -> float:
    """Σ_b n_b/n |accuracy_b − confidence_b|, over bins (b/B, (b + 1)/B]."""
    error = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def calibrations(confidence: Array, right: Array) -> Iterator[tuple[Any, float]]:
    """The calibration error with the usual number of bins and with few."""
    full = confidence.astype(np.float64)
    yield "calibration_error", calibration_error(full, right, 15)
    yield {"type": "calibration_error", "bins": 4}, calibration_error(full, right, 4)


def ranked(truth: Array, scores: Array, name: str) -> float:
    """A metric of one class's ranking; NaN where the class or its opposite is missing."""
    if truth.all() or not truth.any():
        return math.nan
    return float({"roc_auc": sk.roc_auc_score, "average_precision": sk.average_precision_score}[name](truth, scores))


def of_unit(a: Array, y: Array) -> Iterator[tuple[Any, float]]:
    """Metrics of one sigmoid unit's outputs (n, 1) and labels (n,)."""
    p, answers = a[:, 0], (a[:, 0] > 0.5).astype(int)
    for name, score in SCORES.items():
        yield name, score(y, answers, zero_division=0)
        yield {"type": name, "class": 0}, score(y, answers, pos_label=0, zero_division=0)
        yield {"type": name, "threshold": 0.3}, score(y, p > np.float32(0.3), zero_division=0)
        for average in AVERAGES:
            yield {"type": name, "average": average}, score(y, answers, average=average, zero_division=0)
    yield "accuracy", sk.accuracy_score(y, answers)
    yield "balanced_accuracy", sk.balanced_accuracy_score(y, answers)
    for name in ("roc_auc", "average_precision"):
        yield name, ranked(y == 1, p, name)
        yield {"type": name, "class": 0}, ranked(y == 0, -p, name)
    yield "log_loss", sk.log_loss(y, p, labels=[0, 1])
    yield "brier", sk.brier_score_loss(y, p, labels=[0, 1], pos_label=1)
    yield from calibrations(np.maximum(p, 1 - p), answers == y)


def of_classes(a: Array, y: Array) -> Iterator[tuple[Any, float]]:
    """Metrics of softmax outputs (n, classes) and labels (n,)."""
    classes = a.shape[1]
    answers, labels = a.argmax(1), list(range(classes))
    two = classes == 2
    for name, score in SCORES.items():
        yield name, score(y, answers, average="binary" if two else "macro", zero_division=0)
        yield {"type": name, "class": 1}, score(y, answers, labels=[1], average="macro", zero_division=0)
        for average in AVERAGES:
            yield {"type": name, "average": average}, score(y, answers, average=average, zero_division=0)
    yield "balanced_accuracy", sk.balanced_accuracy_score(y, answers)
    complete = set(y) == set(labels)
    for name in ("roc_auc", "average_precision"):
        of_each = [ranked(y == k, a[:, k], name) for k in labels]
        yield {"type": name, "class": 1}, of_each[1]
        yield {"type": name, "average": "macro"}, float(np.mean(of_each))
        weighted = float(np.average(of_each, weights=np.bincount(y, minlength=classes)))
        yield {"type": name, "average": "weighted"}, weighted
        yield name, of_each[1] if two else float(np.mean(of_each))
    if complete and not two:
        for average in ("macro", "weighted"):
            by_one = sk.roc_auc_score(y, a, multi_class="ovr", average=average)
            yield {"type": "roc_auc", "average": average}, by_one
            by_pairs = sk.roc_auc_score(y, a, multi_class="ovo", average=average)
            yield {"type": "roc_auc", "average": average, "multi_class": "ovo"}, by_pairs
            precision = sk.average_precision_score(np.eye(classes)[y], a, average=average)
            yield {"type": "average_precision", "average": average}, precision
    yield "log_loss", sk.log_loss(y, a, labels=labels)
    yield "brier", sk.brier_score_loss(y, a, labels=labels)
    yield from calibrations(a.max(1), answers == y)


def of_labels(a: Array, y: Array) -> Iterator[tuple[Any, float]]:
    """Metrics of independent sigmoid units (n, labels) and targets of the same shape."""
    answers, truth = a > 0.5, y.astype(int)
    for name, score in SCORES.items():
        yield name, score(truth, answers, average="macro", zero_division=0)
        yield {"type": name, "class": 1}, score(truth[:, 1], answers[:, 1], zero_division=0)
        for average in AVERAGES:
            yield {"type": name, "average": average}, score(truth, answers, average=average, zero_division=0)
    for name, score in (("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)):
        yield name, score(truth, a, average="macro")
        yield {"type": name, "average": "weighted"}, score(truth, a, average="weighted")
        yield {"type": name, "class": 0}, score(truth[:, 0], a[:, 0])
    units = range(a.shape[1])
    yield "log_loss", float(np.mean([sk.log_loss(truth[:, k], a[:, k], labels=[0, 1]) for k in units]))
    yield "brier", float(np.mean([sk.brier_score_loss(truth[:, k], a[:, k], labels=[0, 1]) for k in units]))
    yield from calibrations(np.maximum(a, 1 - a).reshape(-1), (answers == truth).reshape(-1))


def of_numbers(a: Array, y: Array) -> Iterator[tuple[Any, float]]:
    """Metrics of numbers (n, outputs)."""
    full, wanted = a.astype(np.float64), y.astype(np.float64)
    yield "r2", sk.r2_score(wanted, full)
    yield "explained_variance", sk.explained_variance_score(wanted, full)
    yield "rmse", sk.root_mean_squared_error(wanted, full)
    yield "mape", sk.mean_absolute_percentage_error(wanted, full)
    yield "mse", sk.mean_squared_error(wanted, full)
    yield "mae", sk.mean_absolute_error(wanted, full)
    yield "max_error", float(np.max(np.abs(wanted - full)))


def softmax(rng: np.random.Generator, n: int, classes: int) -> Array:
    """Probabilities (n, classes) in steps of 1/32, so that many are equal, that sum to 1 in float32."""
    counts = rng.multinomial(32, np.full(classes, 1.0 / classes), n)
    return (counts / 32).astype(np.float32)


def numbers(rng: np.random.Generator, *shape: int, mean: float = 0.0, std: float = 1.0) -> Array:
    """Normal numbers in float32."""
    return (mean + std * rng.standard_normal(shape)).astype(np.float32)


def cases() -> Iterator[tuple[str, str, str, Any, Array, Array]]:
    """(name, cost, activation, metrics, outputs, targets)."""
    rng = np.random.default_rng(0)
    unit = ("cross_entropy", "sigmoid", of_unit)
    p = np.round(rng.uniform(0.02, 0.98, (61, 1)), 1).astype(np.float32)
    yield "unit", *unit, p, (rng.random(61) < p[:, 0] * 0.6).astype(int)
    yield "unit, sure", *unit, np.array([[0.0], [1.0], [0.5], [1.0]], np.float32), np.array([1, 1, 0, 0])
    yield "unit, no example of the second class", *unit, p[:20], np.zeros(20, int)
    yield "unit, one example", *unit, p[:1], np.ones(1, int)
    softmaxes = ("log_likelihood", "softmax", of_classes)
    yield "two classes", *softmaxes, softmax(rng, 53, 2), rng.integers(0, 2, 53)
    yield "five classes", *softmaxes, softmax(rng, 71, 5), rng.integers(0, 5, 71)
    yield "a class that does not occur", *softmaxes, softmax(rng, 40, 4), rng.choice([0, 1, 3], 40)
    absent = softmax(rng, 30, 4) * np.array([1, 1, 0, 1], np.float32)
    absent /= absent.sum(axis=1, keepdims=True)
    yield "nor is answered", *softmaxes, absent, rng.choice([0, 1, 3], 30)
    yield "one class", *softmaxes, softmax(rng, 12, 3), np.ones(12, int)
    a = np.round(rng.uniform(0.02, 0.98, (47, 3)), 1).astype(np.float32)
    yield "labels", "cross_entropy", "sigmoid", of_labels, a, (rng.random((47, 3)) < 0.4).astype(np.float32)
    y = numbers(rng, 83, 1)
    yield "a number", "mse", "linear", of_numbers, y + numbers(rng, 83, 1, std=0.3), y
    y = numbers(rng, 59, 3, mean=2.0)
    yield "numbers", "mse", "linear", of_numbers, y + numbers(rng, 59, 3, std=0.7), y
    y = numbers(rng, 1100, 1, mean=1e4, std=0.01)
    yield "far from 0", "mse", "linear", of_numbers, y + numbers(rng, 1100, 1, std=0.01), y
    constant = np.full((9, 2), 0.1, np.float32)
    yield "numbers that do not vary", "mse", "linear", of_numbers, constant + np.array([0, 1], np.float32), constant
    yield (
        "a number that is 0",
        "mse",
        "linear",
        of_numbers,
        np.array([[0.5], [1]], np.float32),
        np.eye(2, 1).astype("f"),
    )


def main() -> None:
    """Write the file."""
    found = []
    for name, cost, activation, measured, outputs, targets in cases():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = [[metric, float(value)] for metric, value in measured(outputs, targets)]
        found.append(
            {
                "name": name, "cost": cost, "activation": activation,
                "outputs": [[float(v) for v in row] for row in outputs], "targets": targets.tolist(),
                "metrics": [[metric, value if math.isfinite(value) else None] for metric, value in values],
            }
        )  # fmt: skip
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text("[\n" + ",\n".join(json.dumps(case) for case in found) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
