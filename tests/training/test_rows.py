"""Augmented training: windows that no result depends on, and runs that resume within one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.errors import Interrupted
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import Loaded, load_text
from nnctl.training import loop, rows, session
from nnctl.training.events import Event, Progress
from nnctl.training.rows import AugmentedRows, ResidentRows, bind_training_set
from nnctl.training.signals import StopRequest

SPEC = """
data:
  type: digits
  subset: 150
  validation: 50
  test: 50
  augment: [{type: rotate, degrees: 20}, shift, {type: noise, std: 0.05}, mixup]
layers: [flatten, {type: dense, units: 8, activation: tanh}, {type: dense, units: 10, activation: softmax}]
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.01}
schedule: {epochs: 2, batch_size: 16}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Four steps a window, ten an epoch: windows end within epochs, and epochs within windows.
    monkeypatch.setattr(rows, "_WINDOW", 64)


def spec(*overrides: str) -> Loaded:
    return load_text(SPEC, "augmented.yaml", overrides)


def run(loaded: Loaded, out: str, **options: Any) -> dict[str, bytes]:
    follow(session.train(loaded, out=Path(out), **options), [RunSink()])
    return {path.name: path.read_bytes() for path in sorted((Path(out) / "checkpoints").iterdir())}


@pytest.mark.compile
def test_no_result_depends_on_the_stretch() -> None:
    first, *others = (run(spec(), f"s{stretch}", stretch=stretch) for stretch in (1, 3, 100))
    assert all(other == first for other in others)


@pytest.mark.compile
@pytest.mark.parametrize("step", [3, 6, 10, 13])
def test_stopped_anywhere_it_resumes_to_the_same_bytes(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    whole = run(spec(), "whole")
    stop = StopRequest()

    class Stopper(RunSink):
        def handle(self, event: Event) -> None:
            super().handle(event)
            if isinstance(event, Progress) and event.step >= step:
                stop.request(15)

    with pytest.raises(Interrupted):
        follow(session.train(spec(), out=Path("cut"), stop=stop, stretch=1), [Stopper()])
    assert run(spec(), "cut", resume=True, stretch=2) == whole


class Recorder:
    """An engine as far as rows need one: it keeps what is bound."""

    def bind(self, split: str, inputs: Any, targets: Any) -> None:
        assert split == "train"
        self.inputs, self.targets = inputs.copy(), targets.copy()

    def refill(self, split: str, inputs: Any, targets: Any) -> None:
        assert split == "train"
        self.inputs[: len(inputs)], self.targets[: len(targets)] = inputs, targets


def bound(*overrides: str) -> tuple[Any, Any, Any]:
    loaded = spec(*overrides)
    data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    engine: Any = Recorder()
    return bind_training_set(engine, loaded.spec, data), engine, data


def test_every_example_once_an_epoch_and_changed_anew() -> None:
    rows_, engine, data = bound("data.augment=[{type: noise, std: 0.02}]", "schedule.batch_size=7")
    epochs = []
    for epoch in range(2):
        seen, first = [], 0
        while first < 150:
            steps = rows_.within(first, 1000)
            behind = min(150, first + steps * 7)
            taken = rows_.take(epoch, first, behind)
            assert len(taken) == behind - first
            seen.append((engine.inputs[taken], engine.targets[taken]))
            first = behind
        inputs, targets = (np.concatenate(parts) for parts in zip(*seen))
        order = ResidentRows(spec().spec, 150).take(epoch, 0, 150)
        np.testing.assert_array_equal(targets, data.train.targets[order])
        original = data.train.inputs[order].astype(int)
        assert 0 < np.abs(inputs - original).max() <= 2
        changed = np.empty_like(inputs)
        changed[order] = inputs
        epochs.append(changed)
    assert not np.array_equal(*epochs)


def test_a_batch_larger_than_a_window_is_a_window() -> None:
    rows_, engine, _ = bound("schedule.batch_size=full")
    assert isinstance(rows_, AugmentedRows)
    assert rows_.within(0, 5) == 1
    assert len(rows_.take(0, 0, 150)) == len(engine.inputs) == 150


def test_without_augmentation_the_set_lies_there_whole() -> None:
    rows_, engine, data = bound("data.augment=[]")
    assert isinstance(rows_, ResidentRows)
    np.testing.assert_array_equal(engine.inputs, data.train.inputs)


@pytest.mark.compile
def test_the_other_splits_stay_as_they_are() -> None:
    """What is measured after training is what the run's weights reach on untouched examples."""
    from nnctl.inference.evaluation import evaluate, open_run

    follow(session.train(spec(), out=Path("out")), [RunSink()])
    summary = session.RunFolder(Path("out")).finished()
    assert summary is not None
    (result,) = evaluate([open_run(Path("out"))], "test")
    assert result.row["accuracy"] == pytest.approx(summary["test"]["test_accuracy"])
