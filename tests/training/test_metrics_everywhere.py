"""Every metric in training: resumed in the middle of an epoch, monitored, undefined, and of a third party."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nnctl.components import registry
from nnctl.components.base import Metric, StepMetric
from nnctl.components.registry import components, register
from nnctl.errors import Interrupted, SpecError
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.runs import checkpoints
from nnctl.spec.load import load_text
from nnctl.training import session
from nnctl.training.events import Evaluated, Finished, Progress
from nnctl.training.signals import StopRequest

LABELS = """
data: {{type: blobs, centers: 7, examples: 110, validation: 40, test: 40, noise: 2.0}}
layers: [{{type: dense, units: 7, activation: softmax}}]
cost: log_likelihood
backend: numpy
schedule: {{epochs: 2, batch_size: 8{schedule}}}
metrics: {metrics}
"""
VALUES = """
data: {{type: {data}}}
layers: {layers}
cost: mse
backend: numpy
schedule: {{epochs: 2, batch_size: 8{schedule}}}
metrics: {metrics}
"""
SEQUENCES = (
    "sine_sequence, length: 12, examples: 50, validation: 10",
    "[{type: rnn, units: 3, return_sequence: true}, {type: dense, units: 1}]",
)
POINTS = ("sine, examples: 60, validation: 20", "[{type: dense, units: 2, activation: tanh}, {type: dense, units: 1}]")
EVALUATED = [name for name, metric in components("metric").items() if not issubclass(metric, StepMetric)]


def text_with(metrics: str, *, schedule: str = "", labels: bool | None = None) -> str:
    """A spec that measures them, of whichever kind they fit."""
    if labels is not False:
        text = LABELS.format(metrics=metrics, schedule=schedule)
        if labels or fits(text):
            return text
    for data, layers in (POINTS, SEQUENCES):
        text = VALUES.format(data=data, layers=layers, metrics=metrics, schedule=schedule)
        if fits(text):
            break
    return text


def fits(text: str) -> bool:
    loaded = load_text(text)
    try:
        session.load_engine(loaded, loaded.spec.data.signature(Path()), examples=10)
    except SpecError:
        return False
    return True


def rows(text: str, out: Path, **options: Any) -> list[dict[str, Any]]:
    return [e.record for e in session.train(load_text(text), out=out, **options) if isinstance(e, Evaluated)]


def without_time(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) | {"seconds": 0} for line in (path / "metrics.jsonl").read_text().splitlines()]


def cut_short(text: str, out: Path) -> list[dict[str, Any]]:
    """Train two steps, and give the rows that there are by then."""
    stop, found = StopRequest(), []
    try:
        for event in session.train(load_text(text), out=out, stop=stop, chunk=2):
            if isinstance(event, Evaluated):
                found.append(event.record)
            if isinstance(event, Progress):
                stop.signal_number = 2
    except Interrupted:
        return found
    raise AssertionError("the run ended by itself")


@pytest.mark.parametrize("name", EVALUATED)
def test_resuming_within_an_epoch_is_exact(name: str, tmp_path: Path) -> None:
    """The rows that follow, and the checkpoint at the end, byte by byte."""
    text = text_with(f"[{name}]")
    whole = rows(text, tmp_path / "whole")
    assert not cut_short(text, tmp_path / "cut")
    saved = checkpoints.load(tmp_path / "cut" / "checkpoints" / "last.safetensors")
    column = components("metric")[name]().column
    assert column in saved.progress["sums"] or any(key.startswith(f"{column}/") for key in saved.measured)
    resumed = rows(text, tmp_path / "cut", resume=True, chunk=3)
    for one, other in zip(whole, resumed, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}
    last = [tmp_path / run / "checkpoints" / "last.safetensors" for run in ("whole", "cut")]
    assert last[0].read_bytes() == last[1].read_bytes()


@pytest.mark.parametrize("name", EVALUATED)
def test_evaluation_measures_what_training_did(name: str, tmp_path: Path) -> None:
    text = text_with(f"[{name}]")
    (*_, finished) = session.train(load_text(text), out=tmp_path / "run")
    assert isinstance(finished, Finished)
    (result,) = evaluate([open_run(tmp_path / "run")], "validation")
    measured = finished.summary["best" if finished.summary["weights"] == "best" else "last"]
    for column, value in measured.items():
        if column.startswith("validation_"):
            assert result.row[column.removeprefix("validation_")] == value


def test_early_stopping_monitors_them(tmp_path: Path) -> None:
    stopping = ", early_stopping: {monitor: validation_f1, patience: 1}"
    text = LABELS.format(metrics="[f1]", schedule=stopping).replace("epochs: 2", "epochs: 40")
    found = [row["validation_f1"] for row in rows(text, tmp_path / "run")]
    assert 2 <= len(found) < 40
    assert found[:-1] == sorted(set(found[:-1]))
    assert found[-1] <= found[-2]


def test_a_plateau_monitors_them(tmp_path: Path) -> None:
    plateau = ", learning_rate: {type: plateau, monitor: validation_log_loss, patience: 1, factor: 0.5}"
    text = LABELS.format(metrics="[log_loss]", schedule=plateau).replace("epochs: 2", "epochs: 30")
    text += "optimizer: {type: sgd, learning_rate: 3.0}"
    found = rows(text, tmp_path / "run")
    dropped = [n for n in range(1, len(found)) if found[n]["learning_rate"] < found[n - 1]["learning_rate"]]
    assert dropped
    for n in dropped:
        losses = [row["validation_log_loss"] for row in found[:n]]
        assert min(losses[-2:]) >= min(losses[:-2]) * (1 - 1e-3)


def test_a_number_that_is_undefined_is_null_and_never_the_best(tmp_path: Path) -> None:
    """Two validation examples cannot be of seven classes."""
    schedule = ", evaluate_on: 2, early_stopping: {monitor: validation_roc_auc, patience: 5}"
    *_, finished = session.train(load_text(LABELS.format(metrics="[roc_auc]", schedule=schedule)), out=tmp_path / "run")
    assert isinstance(finished, Finished)
    assert finished.summary["best"] is None
    assert finished.summary["last"]["validation_roc_auc"] is None
    assert all(row["validation_roc_auc"] is None for row in without_time(tmp_path / "run") if row["event"] != "test")
    assert finished.summary["test"]["test_roc_auc"] > 0


@pytest.mark.parametrize(
    ("labelled", "metric", "message"),
    [
        (True, "r2", "r2 compares numbers, and these targets are labels"),
        (True, "{type: f1, class: red}", "there is no class 'red'"),
        (True, "{type: recall, class: 7}", "there is no class '7'"),
        (True, "{type: roc_auc, multi_class: ovo, class: 1}", "roc_auc holds classes against each other"),
        (True, "{type: top_k, k: 7}", "among the 7 largest of 7 outputs is always the right one"),
        (False, "f1", "f1 needs targets that are labels"),
        (False, "nmse", "nmse needs targets that are sequences of values"),
        (False, "log_loss", "log_loss needs outputs that are probabilities, and those of linear are not"),
    ],
)
def test_what_does_not_fit_is_said_at_the_metric(labelled: bool, metric: str, message: str, tmp_path: Path) -> None:
    listed = f"\n  - weight_norms\n  - {metric}\n  - gradient_norms"
    text = (LABELS if labelled else VALUES).format(data=POINTS[0], layers=POINTS[1], metrics=listed, schedule="")
    with pytest.raises(SpecError, match=message) as caught:
        rows(text, tmp_path / "run")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.location is not None
    assert diagnostic.location.line == text.splitlines().index(f"  - {metric}") + 1


def test_settings_that_differ_have_columns_that_differ() -> None:
    settings = ["average: micro", "class: 1", "threshold: 0.3", "class: 2, threshold: 0.3"]
    specs = f"[f1, {', '.join(f'{{type: f1, {each}}}' for each in settings)}]"
    metrics = load_text(LABELS.format(metrics=specs, schedule="")).spec.metrics
    assert [m.column for m in metrics] == ["f1", "f1_micro", "f1_of_1", "f1_at_0.3", "f1_of_2_at_0.3"]
    with pytest.raises(SpecError, match="of one class there is nothing to average"):
        load_text(LABELS.format(metrics="[{type: f1, class: 1, average: macro}]", schedule=""))


@pytest.fixture
def _median() -> Iterator[None]:
    @register("metric", "median_confidence")
    class MedianConfidence(Metric):
        """The median of the largest outputs: neither a mean nor a maximum."""

        formula = "median max_j a_j"

        def build(self, builder: Any, output: Any, target: Any) -> dict[str, Any]:
            return {"largest": builder.apply("max", output, axes=(1,))}

        def start(self) -> Any:
            import numpy as np

            from nnctl.components.accumulators import EveryExample

            return EveryExample(lambda kept: float(np.median(kept["largest"])))

    yield
    del registry._registry["metric"]["median_confidence"]


@pytest.mark.usefixtures("_median")
def test_a_third_partys_metric_is_measured_everywhere(tmp_path: Path) -> None:
    stopping = ", early_stopping: {monitor: validation_median_confidence, patience: 1}"
    found = rows(LABELS.format(metrics="[median_confidence]", schedule=stopping), tmp_path / "run")
    assert all(1 / 7 < row[f"{split}_median_confidence"] < 1 for row in found for split in ("train", "validation"))
    run = open_run(tmp_path / "run")
    alone, _, vote, mean = evaluate([run, run], "test")
    assert vote.row["median_confidence"] is None
    assert mean.row["median_confidence"] == pytest.approx(alone.row["median_confidence"], rel=1e-6)
