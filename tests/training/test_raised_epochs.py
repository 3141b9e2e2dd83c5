"""Epochs raised on resuming: a schedule that ends with the run goes on at another rate, and it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.components.registry import components
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import Loaded, load_text
from nnctl.training import session
from nnctl.training.events import Started

SPEC = """
name: raised
data: {type: blobs, examples: 20}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
optimizer: {type: momentum, learning_rate: 0.1}
schedule: {epochs: 4, batch_size: 5, learning_rate: SCHEDULE}
backend: numpy
"""
NEEDED = {
    "step": "every: 2",
    "exponential": "gamma: 0.9",
    "cosine_restarts": "period: 3",
    "piecewise": "boundaries: [2], values: [1.0, 0.5]",
    "warmup": "duration: 2, then: cosine",
    "plateau": "monitor: train_cost",
}
ENDS = {"cosine", "polynomial", "one_cycle", "warmup"}


def spec(schedule: str, epochs: int) -> Loaded:
    return load_text(SPEC.replace("SCHEDULE", schedule), "raised.yaml", [f"schedule.epochs={epochs}"])


def advice(loaded: Loaded) -> list[str]:
    started = next(e for e in session.train(loaded, out=Path("run"), resume=True) if isinstance(e, Started))
    return [note for note in started.advice if "goes on with" in note]


@pytest.mark.parametrize("name", sorted(components("schedule")))
def test_the_jump_is_said_from_what_to_what(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    schedule = f"{{type: {name}, {NEEDED.get(name, '')}}}"
    follow(session.train(spec(schedule, 4), out=Path("run")), [RunSink()])
    notes = advice(spec(schedule, 8))
    assert bool(notes) == (name in ENDS)


def test_the_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    follow(session.train(spec("cosine", 4), out=Path("run")), [RunSink()])
    (note,) = advice(spec("cosine", 8))
    assert note == (
        "the learning rate was 0.01464 in step 16 and goes on with 0.05: "
        "the schedule cosine ends with the run, which had 4 epochs and now has 8"
    )


def test_a_schedule_of_stated_length_jumps_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    schedule = "{type: cosine, duration: 4}"
    follow(session.train(spec(schedule, 4), out=Path("run")), [RunSink()])
    assert advice(spec(schedule, 8)) == []
