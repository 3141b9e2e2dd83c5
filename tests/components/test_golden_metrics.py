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

from nnctl.backends.numpy import NumpyBackend
from nnctl.components.base import Metric, StepMetric, Task
from nnctl.components.registry import components
from nnctl.engine.measures import Gathered
from nnctl.graph.measuring import judging, per_example

CASES = json.loads((Path(__file__).parent / "golden" / "metrics.json").read_text(encoding="utf-8"))
BATCHES = (1, 7, 1000)
EVALUATED = [name for name, metric in components("metric").items() if not issubclass(metric, StepMetric)]


def metric_of(spec: str | Mapping[str, Any]) -> Metric:
    fields = {"type": spec} if isinstance(spec, str) else dict(spec)
    metric = components("metric")[fields.pop("type")]
    return metric(**{"class_" if name == "class" else name: value for name, value in fields.items()})


def gathered(metric: Metric, outputs: NDArray[Any], targets: NDArray[Any], batch: int, chunk: int = 3) -> Gathered:
    """The metric after all examples in batches of a size, the last smaller, in chunks of steps."""
    labelled = targets.ndim == outputs.ndim - 1
    graph = judging({"m": metric}, outputs.shape[1:], targets.shape[1:], labelled)
    found = Gathered({"m": metric}, per_example(graph))
    n, backend = len(outputs), NumpyBackend()
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
        Task(components("cost")[case["cost"]](), components("activation")[case["activation"]](), classes)
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


def test_every_metric_has_golden_numbers() -> None:
    shown = {spec if isinstance(spec, str) else spec["type"] for case in CASES for spec, _ in case["metrics"]}
    # One is counted by tests of its own; the other is of sequences, and no library has it.
    assert set(EVALUATED) - shown == {"top_k", "nmse"}
