"""A metric that is the largest of its examples' values, over batches, steps and splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.engine.engine import Engine
from nnctl.spec.load import load_spec, load_text
from nnctl.training import session
from nnctl.training.events import Evaluated, Finished

SPECS = Path(__file__).parents[2] / "specs"
TEXT = """
data: {{type: function, expression: "x*sin(15*x)", examples: 2500, validation: 1200}}
layers: [{{type: dense, units: 5, activation: tanh}}, {{type: dense, units: 1}}]
cost: mse
optimizer: {{type: sgd, learning_rate: {rate}}}
backend: {backend}
schedule: {{epochs: {epochs}, batch_size: 100, early_stopping: {{monitor: validation_max_error}}}}
metrics: [mae, max_error]
"""


def rows(folder: Path, **values: Any) -> list[dict[str, Any]]:
    loaded = load_text(TEXT.format(**{"rate": 1e-30, "backend": "numpy", "epochs": 1} | values))
    return [e.record for e in session.train(loaded, out=folder) if isinstance(e, Evaluated)]


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_it_is_the_largest_of_all_batches(backend: str) -> None:
    """1,200 examples are evaluated in a batch of 1,000 and one of 200."""
    spec = load_text(TEXT.format(rate=0.1, backend=backend, epochs=1)).spec
    data = load_dataset(spec.data, Path(), 0).validation
    assert data is not None
    engine = Engine(spec, spec.data.signature(Path()), seed=0, examples=1300)
    engine.feed.bind("validation", data.inputs, data.targets)
    errors = np.abs(engine.outputs(data.inputs) - data.targets)
    found = engine.evaluate("validation")
    assert found["max_error"] == pytest.approx(errors.max(), rel=1e-6)
    assert found["mae"] == pytest.approx(errors.mean(), rel=1e-5)


def test_of_training_it_is_the_largest_since_the_row_before(tmp_path: Path) -> None:
    """A net that stands still has the same errors in every epoch, whatever the batches."""
    first, second = rows(tmp_path / "run", epochs=2)
    assert first["train_max_error"] == pytest.approx(second["train_max_error"], rel=1e-6)
    assert first["train_max_error"] > first["train_mae"] > 0


def test_it_falls_as_the_net_learns_and_can_be_monitored(tmp_path: Path) -> None:
    found = rows(tmp_path / "run", rate=0.1, epochs=5)
    assert found[-1]["validation_max_error"] < found[0]["validation_max_error"]


def test_resuming_within_an_epoch_is_exact(tmp_path: Path) -> None:
    text = TEXT.format(rate=0.1, backend="numpy", epochs=2)
    whole = [e.record for e in session.train(load_text(text), out=tmp_path / "a") if isinstance(e, Evaluated)]
    for event in session.train(load_text(text), out=tmp_path / "b"):
        if isinstance(event, Evaluated):
            break
    rest = session.train(load_text(text), out=tmp_path / "b", resume=True)
    last = [e.record for e in rest if isinstance(e, Evaluated)][-1]
    assert last["train_max_error"] == whole[-1]["train_max_error"]


@pytest.mark.compile
def test_sixty_steps_fit_a_function_everywhere(tmp_path: Path) -> None:
    *_, finished = session.train(load_spec(SPECS / "universality.yaml"), out=tmp_path / "run")
    assert isinstance(finished, Finished)
    assert finished.summary["last"]["train_max_error"] < 0.01
