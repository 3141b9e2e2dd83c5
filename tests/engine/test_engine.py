"""The engine: a compiled net with its data, as the training loop drives it."""

from __future__ import annotations

import numpy as np
import pytest
from graph.nets import net

from nnctl.analysis.postmortem import post_mortem
from nnctl.components.signature import DataSignature
from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine
from nnctl.engine.initial import initial_state
from nnctl.errors import DataError, RunError, UsageError
from nnctl.graph.network import Network
from nnctl.training.rates import at_step

IMAGES = DataSignature((2, 3), "uint8", ("a", "b", "c"), (), ())
TEXT = """
layers:
  - flatten
  - {type: dense, units: 8, activation: tanh}
  - {type: dropout, rate: 0.3}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
regularizer: {type: l2, strength: 0.5}
optimizer: {type: adam, learning_rate: 0.01}
"""


def engine(backend, text=TEXT, signature=IMAGES, rows=1234, **options) -> Engine:
    rng = np.random.default_rng(0)
    built = Engine(net(text), signature, seed=5, examples=rows, backend=backend.name, **options)
    if signature.input_dtype == "uint8":
        inputs = rng.integers(0, 256, (rows, *signature.input_shape), dtype=np.uint8)
    else:
        inputs = rng.standard_normal((rows, *signature.input_shape))
    if signature.classes is not None:
        targets = rng.integers(0, len(signature.classes), rows)
    else:
        targets = rng.standard_normal((rows, *signature.target_shape))
    if signature.statistics_shape is not None:
        rescale(built, 127.0, 1 / 64)
    built.feed.bind("train", inputs, targets)
    return built


def rescale(built: Engine, shift: float, scale: float) -> None:
    shape = built.network.signature.statistics_shape
    assert shape is not None
    built.assign({"data.shift": np.full(shape, shift, np.float32), "data.scale": np.full(shape, scale, np.float32)})


def chunk(built: Engine, indices: np.ndarray) -> Chunk:
    return Chunk(built.feed["train"].examples, indices)


def rates(steps: int) -> dict[str, np.ndarray]:
    return {"learning_rate": np.full(steps, 0.01), "momentum": np.full(steps, 0.9), "beta1": np.full(steps, 0.9)}


def train(built: Engine, steps: int, first: int, batch: int = 10):
    rng = np.random.default_rng(first)
    return built.train(chunk(built, rng.integers(0, 1234, (steps, batch))), rates(steps), first)


# -- training ----------------------------------------------------------------------------


def test_training_makes_the_cost_small(backend):
    built = engine(backend)
    before = built.evaluate("train")["cost"]
    steps = train(built, 100, 0, 100)
    assert steps.completed == 100
    assert steps.metrics.keys() == {"cost", "weight", "accuracy"}
    assert all(array.shape == (100,) and array.dtype == np.float64 for array in steps.metrics.values())
    np.testing.assert_array_equal(steps.metrics["weight"], 100.0)
    assert built.evaluate("train")["cost"] < before


def test_batches_of_any_size_in_turn(backend):
    built = engine(backend)
    for first, batch in enumerate((10, 4, 10, 1, 1234)):
        assert built.train(chunk(built, np.arange(batch)[None]), rates(1), first).completed == 1


def test_two_engines_are_equal_to_the_bit(backend):
    results = []
    for _ in range(2):
        built = engine(backend)
        steps = train(built, 5, 0)
        results.append((steps.metrics["cost"].tobytes(), {k: v.tobytes() for k, v in built.state().items()}))
    assert results[0] == results[1]


def test_a_saved_state_goes_on_to_the_bit(backend):
    whole = engine(backend)
    train(whole, 4, 0)
    saved = whole.state()
    expected = train(whole, 3, 4).metrics["cost"]

    resumed = engine(backend)
    resumed.load_state(saved)
    np.testing.assert_array_equal(train(resumed, 3, 4).metrics["cost"], expected)
    for name, array in whole.state().items():
        assert resumed.state()[name].tobytes() == array.tobytes()


def test_a_state_is_a_copy(backend):
    built = engine(backend)
    state = built.state()
    for array in state.values():
        array[...] += 1.0
    assert not np.array_equal(built.state()["dense1.weight"], state["dense1.weight"])
    fresh = engine(backend)
    fresh.load_state(state)
    train(fresh, 1, 0)
    assert not np.array_equal(fresh.state()["dense1.weight"], state["dense1.weight"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("dense1.bias"), "another net: missing dense1.bias, unknown nothing"),
        (lambda s: s.update({"dense9.bias": np.zeros(3)}), "missing nothing, unknown dense9.bias"),
        (lambda s: s.pop("optimizer.mean.dense1.bias"), "missing optimizer.mean.dense1.bias"),
        (lambda s: s.update({"dense1.bias": np.zeros(9)}), r"dense1.bias is saved with shape \(9,\), .* \(8,\)"),
        (lambda s: s.update({"dense1.bias": np.zeros(8)}), "dense1.bias is saved as float64, the net keeps float32"),
        (lambda s: s.pop("data.shift"), "missing data.shift"),
        (lambda s: s.update({"data.scale": np.ones(2)}), r"data.scale is saved with shape \(2,\)"),
    ],
)
def test_the_state_of_another_net_is_refused(backend, change, words):
    built = engine(backend)
    state = built.state()
    change(state)
    before = {name: array.tobytes() for name, array in built.state().items()}
    with pytest.raises(RunError, match=words):
        built.load_state(state)
    assert {name: array.tobytes() for name, array in built.state().items()} == before


def loaded(built: Engine) -> list[object]:
    """The loaded plans, alive while the list is."""
    return [executable for plans in built._plans._executables.values() for executable in plans.values()]


def test_what_is_read_and_assigned_is_a_copy_in_place(backend):
    built = engine(backend)
    train(built, 2, 0)
    built.evaluate("train")
    plans = loaded(built)
    names = ("dense1.weight", "optimizer.mean.dense2.bias")
    read = built.read(names)
    assert list(read) == list(names)
    rest = {name: array.tobytes() for name, array in built.state().items() if name not in names}
    changed = {name: array + 1 for name, array in read.items()}
    built.assign(changed)
    for name, array in changed.items():
        array[...] = 0
        assert built.read([name])[name].tobytes() == (read[name] + 1).tobytes()
    assert {name: array.tobytes() for name, array in built.state().items() if name not in names} == rest
    # The plans are those that were loaded, and compute with the new values.
    fresh = engine(backend)
    fresh.load_state(built.state())
    assert built.evaluate("train") == fresh.evaluate("train")
    np.testing.assert_array_equal(train(built, 2, 2).metrics["cost"], train(fresh, 2, 2).metrics["cost"])
    assert loaded(built) == plans


def test_a_loaded_state_keeps_the_plans_and_other_statistics_do_not(backend):
    built = engine(backend)
    train(built, 1, 0)
    plans = loaded(built)
    built.load_state(built.state())
    assert loaded(built) == plans
    rescale(built, 127.0, 1 / 32)
    assert loaded(built) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dense1.bias": np.ones(8, np.float32), "dense9.bias": np.zeros(3)}, "missing nothing, unknown dense9.bias"),
        ({"dense1.bias": np.ones(8, np.float32), "dense2.bias": np.zeros(9)}, r"saved with shape \(9,\), .* \(3,\)"),
        ({"dense1.bias": np.ones(8, np.float32), "dense2.bias": np.zeros(3)}, "float64, the net keeps float32"),
    ],
)
def test_what_does_not_fit_is_not_assigned(backend, values, words):
    built = engine(backend)
    before = {name: array.tobytes() for name, array in built.state().items()}
    with pytest.raises(RunError, match=words):
        built.assign(values)
    assert {name: array.tobytes() for name, array in built.state().items()} == before
    with pytest.raises(KeyError):
        built.read(["dense9.bias"])


def test_statistics_leave_the_inputs_alone_until_they_are_assigned(backend):
    built = Engine(net(TEXT), IMAGES, seed=5, examples=4, backend=backend.name)
    raw = np.random.default_rng(0).integers(0, 256, (4, 2, 3), dtype=np.uint8)
    first = built.outputs(raw)
    rescale(built, 0.0, 1.0)
    np.testing.assert_array_equal(built.outputs(raw), first)


def test_a_chunk_of_a_window_trains_as_its_rows_do(backend):
    """Of a split that comes in windows the engine sees what it would see of the same rows, resident."""

    class Windows:
        examples, size = 12, 8

        def window(self, epoch, first):
            rows = slice(first, min(first + 8, 12))
            return inputs[rows], targets[rows], None

    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(0, 256, (12, 2, 3), dtype=np.uint8), rng.integers(0, 3, 12)
    resident, windowed = engine(backend, rows=12), engine(backend, rows=12)
    resident.feed.bind("train", inputs, targets)
    windowed.feed.bind_windows("train", Windows(), epochs=1, ahead=False)
    for step, (first, stop, steps) in enumerate([(0, 8, 2), (8, 12, 1)]):
        costs = []
        for built in (resident, windowed):
            built.feed["train"].advance_to(0, first)
            read = built.feed["train"].chunk(0, first, stop, steps)
            costs.append(built.train(read, rates(steps), 2 * step).metrics["cost"])
        np.testing.assert_array_equal(*costs)


# -- evaluation ----------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 1234, 5000])
def test_an_evaluation_does_not_depend_on_its_batches(backend, monkeypatch, batch):
    built = engine(backend)
    train(built, 3, 0)
    expected = built.evaluate("train")
    monkeypatch.setattr("nnctl.engine.evaluate.BATCH", batch)
    assert built.evaluate("train") == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch", [7, 1234])
def test_class_weights_weigh_the_cost_and_not_the_accuracy(backend, monkeypatch, batch):
    monkeypatch.setattr("nnctl.engine.evaluate.BATCH", batch)
    weights = np.array([1.0, 5.0, 20.0])
    built = engine(backend, TEXT.replace("log_likelihood", "{type: log_likelihood, class_weights: [1, 5, 20]}"))
    train(built, 3, 0)
    measured = built.evaluate("train")
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(0, 256, (1234, 2, 3), dtype=np.uint8), rng.integers(0, 3, 1234)
    outputs = built.outputs(inputs).astype(float)
    w = weights[targets]
    assert measured["accuracy"] == np.mean(outputs.argmax(axis=1) == targets)
    assert measured["cost"] == pytest.approx(np.sum(-w * np.log(outputs[np.arange(1234), targets])) / w.sum(), rel=1e-4)


def test_an_accuracy_is_the_quotient_of_two_counts(backend):
    built = engine(backend)
    some = np.arange(40)
    accuracy = built.evaluate("train", some)["accuracy"]
    assert accuracy == round(40 * accuracy) / 40
    answers = train(built, 3, 0).metrics["accuracy"]
    np.testing.assert_array_equal(answers, np.round(answers))


def test_an_evaluation_of_no_rows_is_refused(backend):
    with pytest.raises(DataError, match="the train split has no example to measure"):
        engine(backend).evaluate("train", np.arange(0))


def test_an_evaluation_of_some_rows(backend):
    built = engine(backend)
    some = np.array([3, 999, 4, 4])
    one_by_one = [built.evaluate("train", some[i : i + 1])["cost"] for i in range(4)]
    assert built.evaluate("train", some)["cost"] == pytest.approx(np.mean(one_by_one), rel=1e-5)


def test_an_evaluation_changes_nothing_and_draws_nothing(backend):
    built = engine(backend)
    before = {name: array.tobytes() for name, array in built.state().items()}
    assert built.evaluate("train") == built.evaluate("train")
    assert {name: array.tobytes() for name, array in built.state().items()} == before


def test_an_evaluation_gives_way_while_batches_are_under_way(backend):
    one, other = engine(backend), engine(backend)
    expected = one.evaluate("train")
    works = [one.evaluating("train"), other.evaluating("train")]
    given_way = 0
    results = []
    while works:
        work = works.pop(0)
        try:
            next(work)
        except StopIteration as ended:
            results.append(ended.value)
        else:
            given_way += 1
            works.append(work)
    # 1,000 rows and the rest, of each.
    assert given_way == 4
    assert results == [expected, expected]


def test_an_evaluation_that_is_ended_leaves_nothing_under_way(backend):
    built = engine(backend)
    work = built.evaluating("train")
    next(work)
    work.close()
    assert built.evaluate("train") == engine(backend).evaluate("train")


def test_a_split_bound_anew_is_read_anew(backend):
    built = engine(backend)
    first = built.evaluate("train")["cost"]
    built.feed.bind("train", np.zeros((5, 2, 3), np.uint8), np.zeros(5))
    assert built.evaluate("train")["cost"] != first
    assert built.evaluate("train", np.arange(5)) == built.evaluate("train")


def test_statistics_set_anew_are_read_anew(backend):
    built = engine(backend)
    raw = np.full((1, 2, 3), 200, np.uint8)
    first = built.outputs(raw)
    rescale(built, 200.0, 1.0)
    second = built.outputs(raw)
    assert not np.array_equal(first, second)
    assert float(built.state()["data.shift"]) == 200.0


@pytest.mark.parametrize("rows", [0, 1, 999, 1000, 1001, 2500])
def test_outputs_for_any_number_of_rows(backend, rows):
    built = engine(backend)
    inputs = np.random.default_rng(1).integers(0, 256, (rows, 2, 3), dtype=np.uint8)
    outputs = built.outputs(inputs)
    assert outputs.shape == (rows, 3)
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs.sum(axis=1), 1.0, rtol=1e-5)
    if rows:
        last = built.outputs(inputs[-1:])
        np.testing.assert_allclose(outputs[-1:], last, rtol=1e-4, atol=1e-6)


def test_outputs_leave_no_guest_behind(backend):
    built = engine(backend)
    train(built, 1, 0)
    before = splits_with_plans(built)
    built.outputs(np.zeros((3, 2, 3), np.uint8))
    assert splits_with_plans(built) == before == {id(built.feed["train"].examples)}


def splits_with_plans(built: Engine) -> set[int]:
    return {id(examples) for examples in built._plans._executables}


def test_outputs_of_another_shape_are_refused(backend):
    with pytest.raises(DataError, match=r"shape \(2, 3\), these have shape \(3, 2\)"):
        engine(backend).outputs(np.zeros((4, 3, 2), np.uint8))


def test_the_penalty(backend):
    built = engine(backend)
    state = built.state()
    squares = sum(float(np.sum(state[f"dense{i}.weight"].astype(float) ** 2)) for i in (1, 2))
    assert built.penalty() == pytest.approx(0.5 / (2 * 1234) * squares, rel=1e-5)
    assert engine(backend, TEXT.replace("regularizer", "description: none\n#")).penalty() is None


def test_what_the_engine_says_of_itself(backend):
    built = engine(backend)
    assert built.parameters == {
        "dense1.weight": (6, 8),
        "dense1.bias": (8,),
        "dense2.weight": (8, 3),
        "dense2.bias": (3,),
    }
    assert built.metric_names == ("cost", "accuracy")
    assert not built.higher_is_better("cost")
    assert built.higher_is_better("accuracy")
    assert built.backend_name == backend.name


def test_an_unknown_backend_is_refused():
    with pytest.raises(UsageError, match="no backend 'abacus'"):
        Engine(net(TEXT), IMAGES, seed=0, examples=1, backend="abacus")


# -- first values ------------------------------------------------------------------------


def test_a_layer_added_changes_no_other_layers_first_values():
    shallow = "layers: [{type: dense, name: a, units: 3}, {type: dense, name: out, units: 2}]"
    deep = shallow.replace("{type: dense, name: out", "{type: dense, name: b, units: 3}, {type: dense, name: out")
    signature = DataSignature((3,), "real", None, (2,))
    first, second = (initial_state(Network(net(text), signature), 7) for text in (shallow, deep))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    assert not np.array_equal(first["a.weight"], initial_state(Network(net(shallow), signature), 8)["a.weight"])
    assert not np.array_equal(second["a.weight"], second["b.weight"])


# -- post-mortem ---------------------------------------------------------------------------


LINEAR = "layers: [{type: dense, units: 4, activation: linear, name: hidden}, {type: dense, units: 2, name: out}]"
POINTS = DataSignature((3,), "real", None, (2,))


def diagnosis(backend, built, first=0) -> str:
    indices = np.arange(4)[None]
    assert built.train(chunk(built, indices), rates(1), first).completed == 0
    return post_mortem(built, built.feed["train"].examples, indices[0], at_step(rates(1), 0), first)


def test_the_post_mortem_names_a_broken_parameter(backend):
    built = engine(backend, LINEAR, POINTS)
    state = built.state()
    state["out.weight"][2, 1] = np.nan
    built.load_state(state)
    words = diagnosis(backend, built, 41)
    assert words == ("the parameter out.weight is not finite before step 41: 1 of 8 values, the first is nan at [2, 1]")


def test_the_post_mortem_names_the_first_tensor_and_its_layer(backend):
    built = engine(backend, LINEAR, POINTS)
    state = built.state()
    state["hidden.weight"][...] = 3e38
    state["out.weight"][...] = 3e38
    built.load_state(state)
    words = diagnosis(backend, built)
    assert "in layer hidden) is not finite at step 0" in words
    assert words.startswith(("hidden.matmul (the output of matmul", "hidden.z (the output of add"))


def test_the_post_mortem_names_broken_data(backend):
    built = engine(backend, LINEAR, POINTS)
    inputs = np.zeros((4, 3))
    inputs[2, 1] = np.inf
    built.feed.bind("train", inputs, np.zeros((4, 2)))
    words = diagnosis(backend, built)
    assert words.startswith("data.gather (the output of gather")
    assert "1 of 12 values, the first is inf at [2, 1]" in words
