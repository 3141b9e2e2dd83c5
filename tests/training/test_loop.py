"""The loop over a small fake engine: its rows, its stops, its independence of how it is cut."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from softmax_engine import ScriptedEngine, SoftmaxEngine, blobs

from nnctl.engine.engine import Steps
from nnctl.errors import DivergedError, Interrupted, UsageError
from nnctl.runs.checkpoints import Checkpoint, encode
from nnctl.spec.load import load_text
from nnctl.training.chunk_length import Pace
from nnctl.training.events import Evaluated, Event, Finished, Progress, Saved, Stopped
from nnctl.training.events import Tested as FinalRow  # pytest collects what is called Test…
from nnctl.training.loop import Loop
from nnctl.training.saving import Saver, Store
from nnctl.training.signals import StopRequest
from nnctl.training.splits import training_order


def make(
    schedule: str = "{epochs: 3, batch_size: 8}",
    *,
    engine: SoftmaxEngine | None = None,
    n: int = 30,
    optimizer: str = "{type: sgd, learning_rate: 0.5}",
    splits: tuple[str, ...] = ("train", "validation", "test"),
    store: Store | None = None,
    chunk: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Loop:
    spec = load_text(
        "data: {type: blobs, validation: 6, test: 6}\nlayers: [{type: dense, units: 3, activation: softmax}]\n"
        f"cost: log_likelihood\noptimizer: {optimizer}\nschedule: {schedule}\n"
    ).spec
    engine = engine or SoftmaxEngine()
    sizes = {"train": n, "validation": 12, "test": 9}
    for seed, name in enumerate(splits):
        engine.feed.bind(name, *blobs(sizes[name], seed), training_order(spec, sizes[name]))
    saver, pace = Saver(store, clock=clock), Pace(chunk, clock)
    return Loop(engine, spec, {name: sizes[name] for name in splits}, saver=saver, pace=pace)


class Memory:
    """A store that keeps bytes, as a folder does."""

    def __init__(self) -> None:
        self.kept: dict[str, Checkpoint] = {}
        self.order: list[str] = []

    def save(self, checkpoint: Checkpoint, *names: str) -> None:
        self.kept |= dict.fromkeys(names, checkpoint)
        self.order += names

    def load(self, name: str) -> Checkpoint:
        return self.kept[name]


def rows(events: list[Event]) -> list[dict[str, Any]]:
    found = [dict(e.record) for e in events if isinstance(e, Evaluated | FinalRow)]
    for row in found:
        row.pop("seconds")
    return found


def test_rows_have_the_same_columns_and_come_once_an_epoch() -> None:
    loop = make()
    events = list(loop.run())
    records = [e.record for e in events if isinstance(e, Evaluated | FinalRow)]
    assert all(tuple(r) == loop.columns for r in records)
    assert [(r["event"], r["epoch"], r["step"]) for r in records] == [
        ("evaluation", 1, 4),
        ("evaluation", 2, 8),
        ("evaluation", 3, 12),
        ("test", 3, 12),
    ]
    assert records[0]["test_cost"] is None
    assert records[-1]["validation_cost"] is None
    assert isinstance(records[-1]["test_accuracy"], float)
    assert isinstance(events[-1], Finished)
    assert events[-1].summary["test"] == records[-1]


def test_the_training_cost_is_the_mean_over_the_epochs_examples() -> None:
    loop = make("{epochs: 1, batch_size: 8}", optimizer="{type: sgd, learning_rate: 1.0e-30}")
    first = rows(list(loop.run()))[0]
    assert first["train_cost"] == pytest.approx(math.log(3), rel=1e-14)


def test_class_weights_weigh_the_training_cost_and_not_the_accuracy() -> None:
    class Weighted(SoftmaxEngine):
        """Its first batch of 8 weighs a hundred times as much as those after it."""

        def train(self, chunk: Any, scheduled: Any, first_step: int) -> Steps:
            steps = super().train(chunk, scheduled, first_step)
            numbers = np.arange(first_step, first_step + steps.completed)
            costs = np.where(numbers == 0, 1.0, 3.0)
            right = np.where(numbers == 0, 2.0, 4.0)
            weight = np.where(numbers == 0, 800.0, 8.0)
            return Steps(steps.completed, {"cost": costs, "weight": weight, "accuracy": right})

    first = rows(list(make("{epochs: 1, batch_size: 8}", engine=Weighted(), n=16).run()))[0]
    assert first["train_cost"] == (800 * 1.0 + 8 * 3.0) / 808
    assert first["train_accuracy"] == 6 / 16


@settings(max_examples=25)
@given(
    chunk=st.integers(1, 50),
    batch=st.sampled_from(["1", "7", "30", "64", "full"]),
    every=st.sampled_from(["", ", evaluate_every: 11", ", evaluate_every: 45", ", evaluate_every: 5 steps"]),
    schedule=st.sampled_from(["constant", "{type: cosine, per: step}", "{type: exponential, gamma: 0.5}"]),
)
def test_nothing_depends_on_the_chunks(chunk: int, batch: str, every: str, schedule: str) -> None:
    text = f"{{epochs: 3, batch_size: {batch}, learning_rate: {schedule}{every}}}"
    results = []
    for length in (1, chunk):
        store = Memory()
        loop = make(text, store=store, chunk=length)
        results.append((rows(list(loop.run())), encode(store.kept["last"]), encode(store.kept["best"])))
    assert results[0] == results[1]


@settings(max_examples=25)
@given(
    at=st.integers(1, 40),
    every=st.sampled_from(["", ", evaluate_every: 11", ", evaluate_every: 2 epochs"]),
    stopping=st.booleans(),
)
def test_resuming_anywhere_gives_the_bytes_of_the_uninterrupted_run(at: int, every: str, stopping: bool) -> None:
    text = "{epochs: 9, batch_size: 7, learning_rate: {type: plateau, monitor: train_cost, patience: 0, factor: 0.5}"
    text += every + (", early_stopping: {monitor: validation_accuracy, patience: 3}}" if stopping else "}")
    whole = Memory()
    expected = rows(list(make(text, store=whole, chunk=1).run()))

    first, stop, seen = Memory(), StopRequest(), []
    try:
        for event in make(text, store=first, chunk=1).run(stop):
            seen.append(event)
            if isinstance(event, Progress) and event.step >= at:
                stop.request(15)
    except Interrupted:
        pass
    else:
        reject()  # it stopped early before that step
    last = first.load("last")
    history = [e.record for e in seen if isinstance(e, Evaluated)]
    assert last.progress["rows"] == len(history)
    again = make(text, store=first, chunk=3)
    again.restore(last, history, 1.0)
    rest = rows(list(again.run()))
    assert rows(seen) + rest == expected
    assert {name: encode(c) for name, c in first.kept.items()} == {name: encode(c) for name, c in whole.kept.items()}


def test_early_stopping_ends_with_the_best_weights_and_says_so() -> None:
    engine = ScriptedEngine([0.5, 0.9, 0.8, 0.7, 0.6])
    loop = make(
        "{epochs: 50, batch_size: 30, early_stopping: {monitor: validation_accuracy, patience: 2}}", engine=engine
    )
    states, events = {}, []
    for event in loop.run():
        events.append(event)
        if isinstance(event, Evaluated):
            states[event.record["step"]] = engine.weight.copy()
    assert [e for e in events if isinstance(e, Stopped)] == [
        Stopped("validation_accuracy has not improved in 2 evaluations")
    ]
    assert len(states) == 4
    assert (engine.weight == states[2]).all()
    test = next(e.record for e in events if isinstance(e, FinalRow))
    assert (test["epoch"], test["step"]) == (2, 2)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.summary["weights"] == "best"
    assert finished.summary["best"]["validation_accuracy"] == 0.9
    assert finished.summary["epochs"] == 4


def test_without_restore_best_the_last_weights_stay() -> None:
    engine = ScriptedEngine([0.5, 0.4])
    schedule = (
        "{epochs: 50, batch_size: 30, early_stopping: {monitor: validation_accuracy, patience: 1, restore_best: false}}"
    )
    events = list(make(schedule, engine=engine).run())
    assert isinstance(events[-1], Finished)
    assert events[-1].summary["weights"] == "last"
    assert events[-1].summary["test"]["step"] == 2


def test_a_plateau_divides_the_rate_and_stops_at_its_floor() -> None:
    engine = ScriptedEngine([0.5] * 20)
    schedule = (
        "{epochs: 20, batch_size: 30, learning_rate: {type: plateau, monitor: validation_accuracy, patience: 2, "
        "factor: 0.5, floor: 0.25, stop_at_floor: true}}"
    )
    events = list(make(schedule, engine=engine, optimizer="{type: sgd, learning_rate: 1.0}").run())
    rates = [e.record["learning_rate"] for e in events if isinstance(e, Evaluated)]
    assert rates == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
    assert any(isinstance(e, Stopped) and "floor" in e.reason for e in events)


def test_evaluating_more_often_than_once_an_epoch() -> None:
    events = list(make("{epochs: 2, batch_size: 10, evaluate_every: 20}").run())
    epochs = [e.record["epoch"] for e in events if isinstance(e, Evaluated)]
    assert epochs == [pytest.approx(2 / 3), pytest.approx(4 / 3), 2]


def test_evaluating_on_a_subset_keeps_the_test_whole() -> None:
    asked: list[tuple[str, int | None]] = []

    class Asked(SoftmaxEngine):
        def evaluate(self, split: str, indices: Any = None) -> dict[str, float]:
            asked.append((split, None if indices is None else len(set(indices.tolist()))))
            return super().evaluate(split, indices)

    list(make("{epochs: 2, batch_size: 10, evaluate_on: 5}", engine=Asked()).run())
    assert asked == [("validation", 5), ("validation", 5), ("test", None)]


def test_one_example_and_no_other_split() -> None:
    loop = make("{epochs: 2, batch_size: 32}", n=1, splits=("train",), store=Memory())
    events = list(loop.run())
    assert loop.columns == ("event", "epoch", "step", "seconds", "learning_rate", "train_cost", "train_accuracy")
    assert len(rows(events)) == 2
    assert "best" not in loop.saver.store.order  # type: ignore[union-attr]


def test_a_cost_that_is_not_finite_stops_with_a_diagnosis(monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(engine: Any, examples: Any, indices: Any, scheduled: Any, step: int) -> str:
        return f"dense1: weight is poisoned at step {step}"

    monkeypatch.setattr("nnctl.training.failing.post_mortem", poisoned)
    store = Memory()
    loop = make(engine=SoftmaxEngine(poison_at=6), store=store)
    with pytest.raises(DivergedError) as caught:
        list(loop.run())
    assert "no longer finite after step 6 (epoch 2)" in str(caught.value)
    assert "dense1: weight is poisoned at step 6" in str(caught.value)
    assert "--set optimizer.learning_rate=0.05" in str(caught.value)
    assert caught.value.exit_code == 4
    assert store.order == ["best"]
    assert store.kept["best"].progress["step"] == 4


def test_an_overflow_in_evaluation_stops_too() -> None:
    class Overflowing(SoftmaxEngine):
        def evaluate(self, split: str, indices: Any = None) -> dict[str, float]:
            return {"cost": math.inf, "accuracy": 0.0}

    with pytest.raises(DivergedError, match="the cost on the validation split is inf after step 4"):
        list(make(engine=Overflowing()).run())


def test_the_monitored_column_must_exist() -> None:
    with pytest.raises(UsageError, match="early stopping monitors 'validation_cost', which is not measured"):
        make("{early_stopping: {monitor: validation_cost}}", splits=("train",))


def test_saving_follows_the_clock_and_its_own_cost() -> None:
    now = [0.0]

    class Slow(Memory):
        def save(self, checkpoint: Checkpoint, *names: str) -> None:
            now[0] += 0.125
            super().save(checkpoint, *names)

    class Working(SoftmaxEngine):
        def train(self, *arguments: Any) -> Any:
            now[0] += 0.25
            return super().train(*arguments)

    loop = make("{epochs: 12, batch_size: 30}", engine=Working(), store=Slow(), clock=lambda: now[0], splits=("train",))
    saved = [e.step for e in loop.run() if isinstance(e, Saved)]
    # After half a second; then not before 20 times what that save took; then at the end.
    assert saved == [2, 12]
