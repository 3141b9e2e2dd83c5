"""Augmented training: windows that no result depends on, and runs that resume within one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cut_runs import cut_after

from nnctl.backends.registry import reference_backend
from nnctl.data import training_windows
from nnctl.data.dataset import Dataset, load_dataset
from nnctl.engine.chunks import Chunk
from nnctl.engine.feed import Feed
from nnctl.engine.readers import ResidentReader
from nnctl.engine.windows import WindowReader
from nnctl.errors import Interrupted
from nnctl.graph.network import Network
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs import checkpoints
from nnctl.spec.load import Loaded, load_text
from nnctl.training import saving, session, splits
from nnctl.training.events import Event, Progress
from nnctl.training.signals import StopRequest
from nnctl.training.splits import bind_training_set, training_order

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
    monkeypatch.setattr(training_windows, "_CHANGED", 64)


def spec(*overrides: str) -> Loaded:
    return load_text(SPEC, "augmented.yaml", overrides)


def run(loaded: Loaded, out: str, **options: Any) -> dict[str, bytes]:
    follow(session.train(loaded, out=Path(out), **options), [RunSink()])
    return {path.name: path.read_bytes() for path in sorted((Path(out) / "checkpoints").iterdir())}


@pytest.mark.compile
def test_no_result_depends_on_the_chunks() -> None:
    first, *others = (run(spec(), f"s{chunk}", chunk=chunk) for chunk in (1, 3, 100))
    assert all(other == first for other in others)


@pytest.mark.compile
@pytest.mark.parametrize("every", ["2 epochs", "3 steps", "5 epochs"])
@pytest.mark.parametrize("batch", ["full", 150, 16])
def test_no_result_depends_on_when_it_is_measured(
    batch: str | int, every: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an epoch is one batch a chunk might span several, whose examples are each changed anew."""
    monkeypatch.setattr(training_windows, "_CHANGED", 1024)  # a window is longer than an epoch
    overrides = [f"schedule.batch_size={batch}", "schedule.epochs=5"]
    for out, when in {"often": "1 epochs", "seldom": every}.items():
        run(spec(*overrides, f"schedule.evaluate_every={when}"), out)
    often, seldom = (checkpoints.load(Path(out, "checkpoints/last.safetensors")) for out in ("often", "seldom"))
    for name, array in often.tensors.items():
        np.testing.assert_array_equal(seldom.tensors[name], array, err_msg=name)


@pytest.mark.compile
@pytest.mark.parametrize("step", [3, 6, 10, 13])
def test_stopped_anywhere_it_resumes_to_the_same_bytes(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    whole = run(spec(), "whole")
    cut_after(step, spec(), Path("cut"))
    assert run(spec(), "cut", resume=True, chunk=2) == whole


@pytest.mark.compile
@pytest.mark.parametrize("cores", [1, 2])
def test_no_result_depends_on_the_cores(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one the windows are made between chunks, with more beside them."""
    expected = run(spec(), "any")
    monkeypatch.setattr(splits, "cores", lambda: cores)
    assert run(spec(), "some", chunk=3) == expected


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("nnctl-windows")]


@pytest.fixture
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(splits, "cores", lambda: 2)
    yield
    assert helpers() == []


@pytest.mark.compile
@pytest.mark.usefixtures("_two_cores")
def test_the_thread_ends_with_the_run_however_that_ends() -> None:
    run(spec(), "whole")
    assert helpers() == []
    events = session.train(spec(), out=Path("closed"), chunk=1)
    while not isinstance(next(events), Progress):
        pass
    assert len(helpers()) == 1
    events.close()  # type: ignore[attr-defined]
    assert helpers() == []
    stop = StopRequest()
    stop.request(15)
    with pytest.raises(Interrupted):
        follow(session.train(spec(), out=Path("stopped"), stop=stop), [RunSink()])


class BrokenError(Exception):
    pass


@pytest.mark.compile
@pytest.mark.usefixtures("_two_cores")
def test_an_error_of_an_augmentation_ends_the_run_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the second window: the steps of the first are done by then."""

    def broken(self: Any, inputs: Any, targets: Any, index: int, first: int) -> Any:
        if first:
            raise BrokenError("in the window at 64")
        return inputs, targets

    monkeypatch.setattr("nnctl.data.augment.Augmenter.__call__", broken)
    steps: list[int] = []

    class Steps(RunSink):
        def handle(self, event: Event) -> None:
            if isinstance(event, Progress):
                steps.append(event.step)

    with pytest.raises(BrokenError, match="at 64"):
        follow(session.train(spec(), out=Path("out"), chunk=1), [Steps()])
    assert steps == [1, 2, 3, 4]


def bound(*overrides: str) -> tuple[Feed, Dataset]:
    loaded = spec(*overrides)
    data = load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)
    feed = Feed(Network(loaded.spec, data.signature), reference_backend())
    bind_training_set(feed, loaded.spec, data)
    return feed, data


def read(chunk: Chunk) -> list[Any]:
    """The examples of a chunk: inputs, targets."""
    return [array[chunk.indices.reshape(-1)] for array in chunk.examples.arrays.values()]


def test_every_example_once_an_epoch_and_changed_anew() -> None:
    feed, data = bound("data.augment=[{type: noise, std: 0.02}]", "schedule.batch_size=7")
    train = feed["train"]
    epochs = []
    for epoch in range(2):
        seen, first = [], 0
        while first < 150:
            stop = min(150, first + max(1, train.within(first) // 7) * 7)
            train.advance_to(epoch, first)
            seen.append(read(train.chunk(epoch, first, stop, 1)))
            first = stop
        inputs, targets = (np.concatenate(parts) for parts in zip(*seen))
        order = training_order(spec().spec, 150).of(epoch)
        np.testing.assert_array_equal(targets, data.train.targets[order])
        original = data.train.inputs[order].astype(int)
        assert 0 < np.abs(inputs - original).max() <= 2
        changed = np.empty_like(inputs)
        changed[order] = inputs
        epochs.append(changed)
    feed.close()
    assert not np.array_equal(*epochs)


def test_a_batch_larger_than_a_window_is_a_window() -> None:
    feed, data = bound("schedule.batch_size=full")
    train = feed["train"]
    assert isinstance(train, WindowReader)
    assert train.within(0) == len(data.train) == 150
    assert train.examples.rows == 300
    train.advance_to(0, 0)
    assert train.chunk(0, 0, 150, 1).indices.shape == (1, 150)
    feed.close()


def test_without_augmentation_the_set_lies_there_whole() -> None:
    feed, data = bound("data.augment=[]")
    train = feed["train"]
    assert isinstance(train, ResidentReader)
    assert train.within(30) == 120
    np.testing.assert_array_equal(train.examples.arrays["data.inputs"], data.train.inputs)
    order = training_order(spec().spec, 150).of(1)
    train.advance_to(1, 30)
    np.testing.assert_array_equal(train.chunk(1, 30, 50, 2).indices, order[30:50].reshape(2, 10))


@pytest.mark.compile
def test_the_other_splits_stay_as_they_are() -> None:
    """What is measured after training is what the run's weights reach on untouched examples."""
    from nnctl.inference.evaluation import evaluate
    from nnctl.inference.opened import open_run

    follow(session.train(spec(), out=Path("out")), [RunSink()])
    summary = session.RunFolder(Path("out")).finished()
    assert summary is not None
    (result,) = evaluate([open_run(Path("out"))], "test")
    assert result.row["accuracy"] == pytest.approx(summary["test"]["test_accuracy"])
