"""Epochs raised on resuming: a schedule that ends with the run goes on at another rate, and it is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nnctl.components.registry import components
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs import checkpoints
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


@pytest.mark.parametrize("every", ["1 epochs", "2 epochs", "12 steps"])
def test_more_epochs_are_those_of_a_longer_run(every: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, though the row at the former end is one more where no evaluation would be there."""
    monkeypatch.chdir(tmp_path)
    text = SPEC.replace("SCHEDULE", "{type: exponential, gamma: 0.9}")
    ends = {"whole": (7,), "raised": (3, 7)}
    for out, epochs in ends.items():
        for each in epochs:
            overrides = [f"schedule.epochs={each}", f"schedule.evaluate_every={every}"]
            follow(session.train(load_text(text, "s.yaml", overrides), out=Path(out), resume=True), [RunSink()])
    whole, raised = (checkpoints.load(Path(out, "checkpoints/last.safetensors")).tensors for out in ends)
    for name, array in whole.items():
        np.testing.assert_array_equal(raised[name], array, err_msg=name)
    steps = {
        out: [json.loads(line)["step"] for line in Path(out, "metrics.jsonl").read_text().splitlines()] for out in ends
    }
    assert set(steps["raised"]) == set(steps["whole"]) | {12}
