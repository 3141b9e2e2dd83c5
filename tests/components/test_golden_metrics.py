"""Metrics against scikit-learn's numbers, and against themselves when examples come in other batches."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnctl.backends.registry import reference_backend
from nnctl.components.accumulators import Accumulator
from nnctl.components.base import Metric, StepMetric, Task
from nnctl.components.registry import components
from nnctl.engine.measures import Gathered
from nnctl.errors import ShapeError
from nnctl.graph.measuring import judging, per_example

CASES = json.loads((Path(__file__).parent / "golden" / "metrics.json").read_text(encoding="utf-8"))
BATCHES = (1, 7, 1000)
EVALUATED = [name for name, metric in components("metric").items() if not issubclass(metric, StepMetric)]


def metric_of(spec: str | Mapping[str, Any]) -> Metric:
    fields = {"type": spec} if isinstance(spec, str) else dict(spec)
    metric = components("metric")[fields.pop("type")]
    return metric(**{"class_" if name == "class" else name: value for name, value in fields.items()})


def gathered(
    metric: Metric,
    outputs: NDArray[Any],
    targets: NDArray[Any],
    batch: int,
    chunk: int = 3,
    start: tuple[Accumulator, int] | None = None,
) -> Gathered:
    """The metric after all examples in batches of a size, the last smaller, in chunks of steps.

    start: an accumulator that has seen so many of them already.
    """
    labelled = targets.ndim == outputs.ndim - 1
    graph = judging({"m": metric}, outputs.shape[1:], targets.shape[1:], labelled)
    found = Gathered({"m": metric}, per_example(graph))
    if start is not None:
        found.accumulators["m"], seen = start
        outputs, targets = outputs[seen:], targets[seen:]
    n, backend = len(outputs), reference_backend()
    whole = n - n % batch
    sized = [(first, min(first + batch * chunk, whole), batch) for first in range(0, whole, batch * chunk)]
    for first, stop, size in [*sized, *([(whole, n, n - whole)] if n > whole else [])]:
        steps = (stop - first) // size
        feeds = {
            "output": outputs[first:stop].reshape(steps, size, *outputs.shape[1:]),
            "given.targets": targets[first:stop].reshape(steps, size, *targets.shape[1:]),
        }
        executable = backend.load(backend.plan(graph, {"batch": size}), {})
        found.add(executable.start(feeds, steps).result().outputs, stop - first)
    return found


def arrays(case: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    targets = np.array(case["targets"])
    return np.array(case["outputs"], np.float32), targets if targets.ndim == 1 else targets.astype(np.float32)


def fitted(case: Mapping[str, Any], spec: str | Mapping[str, Any]) -> Metric:
    outputs, targets = arrays(case)
    classes = tuple(map(str, range(max(2, outputs.shape[1])))) if targets.ndim == 1 else None
    return metric_of(spec).fitted(
        Task(
            components("cost")[case["cost"]](),
            components("activation")[case["activation"]](),
            classes,
            outputs.shape[-1],
        )
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_metrics_are_scikit_learns_whatever_the_batch(case: Mapping[str, Any]) -> None:
    outputs, targets = arrays(case)
    wrong = []
    for spec, expected in case["metrics"]:
        metric = fitted(case, spec)
        values = [gathered(metric, outputs, targets, batch).values()["m"] for batch in BATCHES]
        wanted = math.nan if expected is None else expected
        if values[0] != pytest.approx(wanted, rel=1e-6, abs=1e-9, nan_ok=True):
            wrong.append((spec, values[0], expected))
        if spec not in ("mse", "mae"):  # Sums of a batch in float32.
            assert len({repr(value) for value in values}) == 1, (spec, values)
    assert not wrong


def examples(name: str) -> tuple[Metric, NDArray[Any], NDArray[Any]]:
    """A metric and what it can measure: labels, or numbers, or sequences of numbers."""
    rng = np.random.default_rng(3)
    kinds = [("log_likelihood", "softmax", (6,)), ("mse", "linear", (2,)), ("mse", "linear", (5, 1))]
    for cost, activation, shape in kinds:
        classes = tuple("abcdef") if activation == "softmax" else None
        outputs = rng.uniform(0.0, 1.0, (40, *shape)).astype(np.float32)
        targets = rng.integers(0, 6, 40) if classes else rng.standard_normal(outputs.shape).astype(np.float32)
        try:
            metric = components("metric")[name]().fitted(
                Task(components("cost")[cost](), components("activation")[activation](), classes, shape[-1])
            )
            judging({"m": metric}, outputs.shape[1:], targets.shape[1:], classes is not None)
        except ShapeError:
            continue
        return metric, outputs, targets
    raise AssertionError(f"{name} fits nothing")


@pytest.mark.parametrize("name", EVALUATED)
def test_every_metric_is_the_same_however_the_examples_are_cut(name: str) -> None:
    """To the bit in chunks of steps; in batches, where the graph sums in float32, to its rounding."""
    metric, outputs, targets = examples(name)
    values = [gathered(metric, outputs, targets, batch).values()["m"] for batch in BATCHES]
    assert values == pytest.approx([values[0]] * len(values), rel=1e-5)
    in_chunks = {gathered(metric, outputs, targets, 4, chunk).values()["m"] for chunk in (1, 3, 100)}
    assert len(in_chunks) == 1


def test_what_was_kept_is_restored_exactly() -> None:
    for name in EVALUATED:
        metric, outputs, targets = examples(name)
        whole = gathered(metric, outputs, targets, 4)
        before = gathered(metric, outputs[:20], targets[:20], 4).accumulators["m"]
        after = metric.start()
        after.restore(before.memory(), 20)
        assert after.value() == before.value()
        rest = gathered(metric, outputs, targets, 4, start=(after, 20))
        assert rest.values()["m"] == whole.values()["m"], name


PROBABILITIES = np.array([[0.6, 0.3, 0.1], [0.2, 0.35, 0.45], [0.5, 0.45, 0.05], [0.1, 0.2, 0.7]], np.float32)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ({"type": "recall", "class": 1, "threshold": 0.32}, 1.0),
        ({"type": "precision", "class": 1, "threshold": 0.32}, 0.5),
        ({"type": "recall", "class": 1, "threshold": 0.4}, 1.0),
        ({"type": "precision", "class": 1, "threshold": 0.4}, 1.0),
        ({"type": "f1", "class": "1", "threshold": 0.25}, 0.5),
        ({"type": "recall", "class": 1}, 0.0),
    ],
)
def test_a_threshold_decides_about_one_of_several_classes(metric: Mapping[str, Any], expected: float) -> None:
    case = {"cost": "log_likelihood", "activation": "softmax", "outputs": PROBABILITIES, "targets": [0, 2, 1, 2]}
    assert gathered(fitted(case, metric), *arrays(case), 4).values()["m"] == pytest.approx(expected)


def test_of_two_classes_a_threshold_decides_about_the_second() -> None:
    outputs = [[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.2, 0.8]]
    case = {"cost": "log_likelihood", "activation": "softmax", "outputs": outputs, "targets": [0, 0, 1, 1]}
    values = {
        t: gathered(fitted(case, {"type": "recall", "threshold": t}), *arrays(case), 4).values()["m"]
        for t in (0.35, 0.5)
    }
    assert values == {0.35: 1.0, 0.5: 0.5}


@pytest.mark.parametrize("threshold", [-0.5, 0.5, 1.5])
def test_the_threshold_of_a_unit_is_none_of_its_labels(threshold: float) -> None:
    """Margins lie on both sides of 0 and beyond 1; labels are 0 and 1."""
    outputs, targets = np.array([[-2.0], [-0.2], [0.4], [1.2], [3.0]]), np.array([0, 1, 0, 1, 1])
    case = {"cost": "hinge", "activation": "linear", "outputs": outputs, "targets": targets}
    yes = outputs[:, 0] > threshold
    hits = np.sum(yes & (targets == 1))
    for spec, expected in (("recall", hits / 3), ("precision", hits / yes.sum())):
        metric = fitted(case, {"type": spec, "threshold": threshold})
        assert gathered(metric, *arrays(case), 2).values()["m"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "activation", "outputs", "message"),
    [
        ({"type": "f1", "threshold": 0.3}, "softmax", PROBABILITIES, "of 3 classes a threshold decides about one"),
        ({"type": "recall", "threshold": 1.5}, "sigmoid", [[0.5]] * 4, "lie from 0 to 1, all on one side of 1.5"),
        ({"type": "accuracy", "threshold": 0.3}, "softmax", PROBABILITIES, "the largest of 3 outputs is the answer"),
        ({"type": "balanced_accuracy", "threshold": 0.3}, "softmax", PROBABILITIES, "the largest of 3 outputs"),
    ],
)
def test_a_threshold_that_decides_nothing_is_refused(
    metric: Mapping[str, Any], activation: str, outputs: Any, message: str
) -> None:
    cost = "log_likelihood" if activation == "softmax" else "cross_entropy"
    case = {"cost": cost, "activation": activation, "outputs": outputs, "targets": [0, 1, 1, 0]}
    with pytest.raises(ShapeError, match=message):
        fitted(case, metric)
