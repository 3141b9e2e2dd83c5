"""Text from training to writing: states carried over batches, resuming, measuring, generating."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.analysis.gradcheck import GradientCheck
from nnctl.data.dataset import load_dataset
from nnctl.engine.engine import Engine
from nnctl.errors import DataError, Interrupted, UsageError
from nnctl.inference.evaluation import evaluate
from nnctl.inference.generation import _reader, generate, probabilities
from nnctl.inference.opened import open_run
from nnctl.inference.prediction import predict
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session
from nnctl.training.events import Event, Progress
from nnctl.training.signals import StopRequest
from nnctl.training.splits import bind_training_set, training_order
from nnctl.training.timetable import Timetable

TALE = "a man and a plan and a canal and a man. " * 12
SPEC = """
data: {type: text, path: tale.txt, length: 8, validation: 6}
layers:
  - {type: embedding, units: 5}
  - {type: lstm, units: 7, stateful: true, return_sequence: true}
  - {type: gru, units: 6, stateful: true, return_sequence: true}
  - {type: dense, units: 9, activation: softmax}
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.02}
schedule: {epochs: 3, batch_size: 4}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tale.txt").write_text(TALE)


def trained(out: str, *overrides: str, **options: Any) -> None:
    loaded = load_text(SPEC, "tale.yaml", overrides)
    follow(session.train(loaded, out=Path(out), **options), [RunSink(), *options.pop("sinks", ())])


def test_what_does_not_fill_a_batch_is_left_out() -> None:
    spec = load_text(SPEC, "tale.yaml").spec
    timetable = Timetable.of_spec(spec, 53)
    assert (timetable.examples, timetable.steps_per_epoch) == (52, 13)
    order = training_order(spec, 53)
    first, second = (order.of(0)[start : start + 4] for start in (0, 4))
    assert first.tolist() == [0, 13, 26, 39]
    assert (second - first == 1).all()
    np.testing.assert_array_equal(order.of(7)[:4], first)


@pytest.mark.compile
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_training_costs_what_the_whole_text_costs(kind: str) -> None:
    """Without learning, windows with carried states are one long sequence, in every row of the batches."""
    text = SPEC.replace("type: gru", f"type: {kind}").replace("adam, learning_rate: 0.02", "sgd, learning_rate: 1e-30")
    loaded = load_text(text, "tale.yaml")
    data = load_dataset(loaded.spec.data, loaded.folder, 0)
    engine = Engine(loaded.spec, data.signature, seed=3, examples=len(data.train))
    bind_training_set(engine.feed, loaded.spec, data)
    steps = Timetable.of_spec(loaded.spec, len(data.train)).steps_per_epoch
    engine.feed["train"].advance_to(0, 0)
    chunk = engine.feed["train"].chunk(0, 0, 4 * steps, steps)
    measured = [engine.train(chunk, {"learning_rate": np.full(steps, 1e-30)}, 0).metrics["cost"]]
    engine.reset_states()
    measured.append(engine.train(chunk, {"learning_rate": np.full(steps, 1e-30)}, steps).metrics["cost"])
    whole = replace(data.signature, input_shape=(8 * steps,), target_shape=(8 * steps,))
    # By the reference, which has nothing to compile for so long a sequence.
    overrides = ["layers.1.stateful=false", "layers.2.stateful=false", "backend=numpy"]
    alone = load_text(text, "tale.yaml", overrides)
    long = Engine(alone.spec, whole, seed=3, examples=4)
    parts = [data.train.inputs[chunk.indices], data.train.targets[chunk.indices]]
    sequences, labels = (part.swapaxes(0, 1).reshape(4, -1) for part in parts)
    outputs = long.outputs(sequences)
    costs = -np.log(np.take_along_axis(outputs, labels[..., None], axis=2))[..., 0]
    expected = costs.reshape(4, steps, 8).mean(axis=(0, 2))
    np.testing.assert_allclose(measured[0], expected, rtol=1e-5)
    np.testing.assert_allclose(measured[1], expected, rtol=1e-5)


@pytest.mark.compile
@pytest.mark.parametrize("evaluation", [(), ("schedule.evaluate_every=20", "schedule.evaluate_on=5")])
def test_resuming_carries_on(tmp_path: Path, evaluation: tuple[str, ...]) -> None:
    trained("whole", *evaluation, chunk=1)
    expected = (tmp_path / "whole/checkpoints/last.safetensors").read_bytes()
    epoch = Timetable.of_spec(load_text(SPEC, "tale.yaml").spec, (len(TALE) - 1) // 8 - 6).steps_per_epoch
    for at in (1, epoch, epoch + 3):
        stop = StopRequest()

        class Stopper:
            def handle(self, event: Event, at: int = at, stop: StopRequest = stop) -> None:
                if isinstance(event, Progress) and event.step >= at:
                    stop.request(15)

            def close(self) -> None:
                pass

        loaded = load_text(SPEC, "tale.yaml", evaluation)
        with pytest.raises(Interrupted):
            follow(session.train(loaded, out=Path(f"at-{at}"), stop=stop, chunk=1), [RunSink(), Stopper()])
        trained(f"at-{at}", *evaluation, resume=True)
        assert (tmp_path / f"at-{at}/checkpoints/last.safetensors").read_bytes() == expected


def test_the_gradients_of_a_stateful_net() -> None:
    loaded = load_text(SPEC, "tale.yaml")
    signature = loaded.spec.data.signature(loaded.folder)
    check = GradientCheck(loaded.spec, signature, batch=2)
    results = list(check.run(samples=10))
    assert len(results) == 11
    assert all(r.verdict == "PASS" and r.error < 1e-9 for r in results)


@pytest.mark.compile
def test_a_label_a_step_is_measured_and_predicted() -> None:
    trained("run")
    run = open_run(Path("run"))
    (result,) = evaluate([run], "validation", top_k=2)
    assert result.row["examples"] == 6
    assert result.confusion is not None
    assert result.confusion.sum() == 48
    assert np.trace(result.confusion) / 48 == pytest.approx(result.row["accuracy"])
    np.save("x.npy", np.zeros((2, 8), np.int64))
    rows = list(predict(run, [Path("x.npy")], top_k=1))
    assert [(row["index"], row["step"]) for row in rows] == [(i, s) for i in range(2) for s in range(8)]
    assert sum(r.row["accuracy"] is not None for r in evaluate([run, run], "validation")) == 4


@pytest.mark.compile
def test_a_trained_net_writes() -> None:
    trained("run", "schedule.epochs=40")
    run = open_run(Path("run"))
    text = "".join(generate(run, 60, temperature=0.0, prompt="a man and a"))
    assert len(text) == len("a man and a") + 60
    assert set(text.split()[:-1]) <= set(TALE.split())
    drawn = ["".join(generate(run, 40, temperature=1.5, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(len(part) == 40 for part in drawn)


@pytest.mark.compile
def test_reading_on_is_reading_the_whole() -> None:
    trained("run")
    run = open_run(Path("run"))
    names = run.classes or ()
    window = np.array([[names.index(c) for c in TALE[:8]]])
    expected = run.scores(window).reshape(8, -1)
    read = _reader(run)
    for step in range(8):
        np.testing.assert_allclose(read(window[0, step : step + 1]), expected[step], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(_reader(run)(window[0]), expected[-1], rtol=1e-5, atol=1e-6)


def test_temperatures() -> None:
    scores = np.array([0.1, 0.6, 0.0, 0.3])
    np.testing.assert_allclose(probabilities(scores, 1.0), scores)
    np.testing.assert_allclose(probabilities(scores, 0.5), scores**2 / (scores**2).sum())
    np.testing.assert_array_equal(probabilities(scores, 0.0), [0.0, 1.0, 0.0, 0.0])
    assert probabilities(scores, 1e-6).tolist() == [0.0, 1.0, 0.0, 0.0]
    assert probabilities(scores, 100.0)[2] == 0.0


def test_words_never_write_the_unknown_one() -> None:
    words_of_three = ("data.tokens=words", "data.vocabulary=3", "layers.3.units=4", "data.validation=2")
    trained("run", *words_of_three, "schedule.epochs=1", "backend=numpy")
    words = list(generate(open_run(Path("run")), 50, temperature=5.0))
    assert set(words) <= {"", " ", "a", "and"}


@pytest.mark.parametrize(
    ("overrides", "options", "error", "words"),
    [
        ((), {"prompt": "xyz"}, DataError, "the net knows no 'x'"),
        ((), {"temperature": -1.0}, UsageError, "--temperature must be 0 or above, got -1"),
        (
            ("layers.2={type: reshape, shape: [8, 7]}",),
            {},
            UsageError,
            "this net cannot generate: layer reshape1: ",
        ),
    ],
)
def test_what_cannot_be_written(
    overrides: tuple[str, ...], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    trained("run", "schedule.epochs=1", "backend=numpy", *overrides)
    with pytest.raises(error, match=words):
        list(generate(open_run(Path("run")), 3, **options))


@pytest.mark.compile
def test_only_text_is_written() -> None:
    sine = "data: sine_sequence\nlayers: [{type: rnn, units: 2, return_sequence: true}, {type: dense, units: 1}]\n"
    follow(session.train(load_text(f"{sine}cost: mse\nschedule: {{epochs: 1}}\n"), out=Path("sine")), [RunSink()])
    with pytest.raises(UsageError, match="only nets trained on text generate text, not on data of type sine_sequence"):
        list(generate(open_run(Path("sine")), 3))


@pytest.mark.compile
def test_a_net_of_text_predicts_no_text_files() -> None:
    trained("run", "schedule.epochs=1")
    with pytest.raises(UsageError, match="it writes on with --generate N --prompt TEXT"):
        list(predict(open_run(Path("run")), [Path("tale.txt")]))
