"""Runs that begin where others ended, and layers that stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.analysis.gradcheck import GradientCheck
from nnctl.engine.engine import Engine
from nnctl.errors import ShapeError, SpecError
from nnctl.graph.network import Network
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs import checkpoints
from nnctl.runs.folder import RunFolder
from nnctl.spec.load import Loaded, load_spec, load_text
from nnctl.training import saving, session

SPECS = Path(__file__).parents[2] / "specs" / "transfer"
SPEC = """
data: {type: blobs, examples: 90, validation: 12, features: 4}
layers:
  - {type: dense, name: first, units: 6, activation: tanh}
  - {type: residual, name: middle, layers: [{type: dense, units: 6, activation: tanh}]}
  - {type: dense, name: last, units: 3, activation: softmax}
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.01}
regularizer: {type: l2, strength: 0.1}
schedule: {epochs: 2, batch_size: 16}
backend: numpy
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spec(*overrides: str) -> Loaded:
    return load_text(SPEC, "spec.yaml", overrides)


def run(out: str, *overrides: str, **options: Any) -> dict[str, Any]:
    follow(session.train(spec(*overrides), out=Path(out), **options), [RunSink()])
    return tensors(out)


def tensors(out: str) -> dict[str, Any]:
    return dict(checkpoints.load(RunFolder(Path(out)).checkpoint("last")).tensors)


FROZEN = ("layers.0.frozen=true", "layers.1.frozen=true")


def test_frozen_layers_keep_the_weights_they_start_with() -> None:
    source = run("source")
    after = run("target", "from={run: source, checkpoint: last, layers: [first, middle]}", *FROZEN, "seed=5")
    for name in ("first.weight", "first.bias", "middle.dense1.weight", "middle.dense1.bias"):
        np.testing.assert_array_equal(after[name], source[name])
        assert not any(key.startswith("optimizer.") and key.endswith(name) for key in after)
    assert not np.array_equal(after["last.weight"], source["last.weight"])


def test_all_layers_and_the_weights_that_the_run_ended_with() -> None:
    source = run("source")
    after = run("target", "from={run: source}", "optimizer={type: sgd, learning_rate: 1e-30}")
    for name, array in source.items():
        if not name.startswith(("optimizer.", "data.")):
            np.testing.assert_allclose(after[name], array, atol=1e-12)


def test_best_and_last_are_different_starts() -> None:
    run("source", "schedule.epochs=12", "schedule.early_stopping={monitor: validation_cost, restore_best: true}",
        "optimizer.learning_rate=3.0")  # fmt: skip
    tiny = "optimizer={type: sgd, learning_rate: 1e-30}"
    starts = [run(name, f"from={{run: source, checkpoint: {name}}}", tiny) for name in ("best", "last")]
    assert not np.array_equal(starts[0]["first.weight"], starts[1]["first.weight"])


def test_no_node_of_the_step_is_for_a_frozen_layer() -> None:
    loaded = spec(*FROZEN)
    network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder))
    step = network.unfused_training_step
    assert {old.name.rpartition(".")[0].split(".")[-1] for old in step.updates} == {"last"}
    assert not [v.name for node in step.nodes for v in node.outputs if v.name.startswith(("∂C/∂first", "∂C/∂middle"))]
    assert set(network.objective.outputs) == {"objective", "last.weight", "last.bias"}


def test_a_frozen_batch_norm_keeps_its_statistics() -> None:
    norm = "layers.1.layers=[{type: batch_norm}]"
    start = run("start", norm)
    statistics = {name: value for name, value in start.items() if name.startswith("middle.batch_norm1.")}
    assert len(statistics) == 4
    assert not np.array_equal(statistics["middle.batch_norm1.running_mean"], np.zeros(6))
    end = run("end", norm, "from={run: start}", "layers.1.frozen=true")
    for name, value in statistics.items():
        np.testing.assert_array_equal(end[name], value, err_msg=name)
    assert not np.array_equal(end["first.weight"], start["first.weight"])


def test_dropout_in_a_frozen_layer_drops() -> None:
    loaded = spec("layers.0={type: dropconnect, name: first, units: 6, frozen: true}")
    network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder))
    assert any(node.op.name == "uniform" for node in network.unfused_training_step.nodes)


def test_gradients_of_what_is_trained_are_right() -> None:
    loaded = spec(*FROZEN)
    results = list(GradientCheck(loaded.spec, loaded.spec.data.signature(loaded.folder)).run())
    assert [(r.parameter, r.verdict) for r in results] == [("last.weight", "PASS"), ("last.bias", "PASS")]


def test_nothing_left_to_train_is_an_error() -> None:
    loaded = spec(*FROZEN, "layers.2.frozen=true")
    with pytest.raises(ShapeError, match="every layer with parameters is frozen"):
        _ = Network(loaded.spec, loaded.spec.data.signature(loaded.folder)).training_step


@pytest.mark.compile
def test_a_frozen_layer_trains_the_same_on_both_backends() -> None:
    results = [run(backend, *FROZEN, f"backend={backend}") for backend in ("numpy", "cpu")]
    for name, array in results[0].items():
        np.testing.assert_allclose(results[1][name], array, rtol=1e-4, atol=1e-6)


def test_the_source_is_read_at_the_start_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    run("source")
    start = "from={run: source}"
    whole = run("whole", start, "schedule.epochs=4")
    run("cut", start)
    for path in sorted(Path("source/checkpoints").iterdir()):
        path.unlink()
    resumed = run("cut", start, "schedule.epochs=4", resume=True)
    assert all(np.array_equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["layers.0.units=7", "layers.1.layers.0.units=7"],
         r"first\.weight has shape \(4, 6\) in source, and \(4, 7\) in this net[\s\S]*give 'first' the shape"),
        (["layers.2.name=answer"], r"source has no array 'answer\.weight': its layers with parameters are first, last"),
        (["from.run=nowhere"], r"nowhere: there is no such run"),
        (["from.checkpoint=best", "data.validation=0"], None),
        (["from.layers=[frist]"], r"there is no layer 'frist'[\s\S]*did you mean 'first'"),
    ],
)  # fmt: skip
def test_errors_say_what_does_not_fit(overrides: list[str], message: str | None) -> None:
    run("source")
    if message is None:
        RunFolder(Path("source")).checkpoint("best").unlink()
        message = r"the run has no checkpoint 'best'[\s\S]*it has last"
    with pytest.raises(SpecError, match=message):
        run("target", "from={run: source}", *overrides)
    assert not Path("target").exists()


def test_paths_are_relative_to_the_spec() -> None:
    run("runs/source")
    folder = Path("deep/down")
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text(f"from: {{run: ../../runs/source}}\n{SPEC}")
    loaded = load_spec(folder / "spec.yaml")
    engine = Engine(loaded.spec, loaded.spec.data.signature(loaded.folder), seed=0, examples=78)
    session.transfer(loaded, engine)
    np.testing.assert_array_equal(engine.state()["first.weight"], tensors("runs/source")["first.weight"])


@pytest.mark.compile
def test_the_specs_of_the_folder_follow_each_other(tmp_path: Path) -> None:
    follow(session.train(load_spec(SPECS / "ten-digits.yaml", ["schedule.epochs=3"]), out=Path("ten")), [RunSink()])
    second = load_spec(SPECS / "three-or-eight.yaml", ["schedule.epochs=2", f"from.run='{tmp_path / 'ten'}'"])
    follow(session.train(second, out=Path("two")), [RunSink()])
    assert second.spec.from_ is not None
    for layer in second.spec.from_.layers or ():
        np.testing.assert_array_equal(tensors("two")[f"{layer}.weight"], tensors("ten")[f"{layer}.weight"])


@pytest.mark.parametrize(
    ("reader", "name", "allowed"),
    [
        ("{type: embedding, units: 4}", "embedding1", "read"),
        ("{type: repeat, times: 1, layers: [{type: embedding, units: 4}]}", "repeat1", "read"),
        ("one_hot", "read", "dense1"),
        ("one_hot, {type: dropout, rate: 0.1}", "read", "dense1"),
    ],
)
def test_weights_of_other_tokens_are_not_taken(reader: str, name: str, allowed: str) -> None:
    """Two texts of as many characters: the shapes are equal, what a row stands for is not."""
    text = """
backend: numpy
data: {type: text, path: a.txt, length: 4, validation: null}
layers: [%s, {type: rnn, name: read, units: 3, return_sequence: true}, {type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1}
"""
    Path("a.txt").write_text("abcabcbcaabc")
    Path("b.txt").write_text("xbcxbcbcxxbc")
    follow(session.train(load_text(text % reader, "spec.yaml"), out=Path("a")), [RunSink()])
    other = load_text(text % reader, "spec.yaml", ("data.path=b.txt", "from={run: a}"))
    with pytest.raises(SpecError, match=f"'{name}' has weights for each token.*: 'a' is in one vocabulary alone"):
        follow(session.train(other, out=Path("b")), [RunSink()])
    fine = load_text(text % reader, "spec.yaml", ("data.path=b.txt", f"from={{run: a, layers: [{allowed}]}}"))
    follow(session.train(fine, out=Path("c")), [RunSink()])


def test_what_to_do_about_a_missing_run_is_said_below_the_line() -> None:
    with pytest.raises(SpecError, match=r"there is no such run\n.*\n.*\^+\n  runs lie in"):
        run("target", "from={run: nowhere}")
