"""From specs to graphs: layers of every kind, targets of every kind, names, and errors that name the layer."""

from __future__ import annotations

import numpy as np
import pytest

from graph.interpretation import interpret
from graph.nets import Case, net
from nnctl.components.signature import DataSignature
from nnctl.errors import ShapeError
from nnctl.graph.layers import BuiltLayer
from nnctl.graph.network import Network
from nnctl.ops.philox import normals, uniforms
from nnctl.ops.shapes import BATCH
from nnctl.spec.load import load_text

VALUES = DataSignature((4,), "real", None, (2,))
LABELS = DataSignature((4,), "real", ("no", "yes"))
BRANCHES = """
layers:
  - {type: dense, name: left, units: 3, activation: tanh}
  - {type: dense, name: right, units: 3, inputs: [input]}
  - {type: add, name: sum, inputs: [left, right]}
  - {type: concatenate, name: all, inputs: [sum, right, left]}
  - {type: dense, units: 2}
"""


def run(spec, signature, graph="prediction", *, batch=3, seed=0, step=0):
    case = Case(spec, signature, batch, seed)
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()} | {"step": np.array(step)}
    return interpret(getattr(Network(spec, signature), graph), inputs, case.sizes()).outputs, inputs


def rows(inputs):
    return inputs["data.inputs"][inputs["index"]]


def dense(x, inputs, name, f=lambda z: z):
    return f(x @ inputs[f"{name}.weight"] + inputs[f"{name}.bias"])


def test_branches():
    found, inputs = run(net(BRANCHES), VALUES)
    x = rows(inputs)
    left, right = dense(x, inputs, "left", np.tanh), dense(x, inputs, "right")
    joined = np.concatenate([left + right, right, left], axis=1)
    np.testing.assert_allclose(found["output"], dense(joined, inputs, "dense1"), rtol=1e-12)


def test_repeat_and_residual():
    spec = net(
        "layers: [{type: repeat, times: 2, layers: [{type: residual, layers: [{type: dense, units: 4, "
        "activation: tanh}]}]}, {type: dense, units: 2}]"
    )
    network = Network(spec, VALUES)
    inner = ["repeat1.residual1.dense1", "repeat1.residual2.dense1"]
    assert list(network.structure.parameters) == [f"{n}.{p}" for n in (*inner, "dense1") for p in ("weight", "bias")]
    found, inputs = run(spec, VALUES)
    x = rows(inputs)
    for name in inner:
        x = x + dense(x, inputs, name, np.tanh)
    np.testing.assert_allclose(found["output"], dense(x, inputs, "dense1"), rtol=1e-12)


def test_layers_on_images_and_inner_axes():
    """Dense acts on the last axis; reshape and flatten lead in and out."""
    spec = net("layers: [{type: dense, units: 5}, flatten, {type: reshape, shape: [5, 2]}, {type: dense, units: 1}]")
    signature = DataSignature((2, 3), "uint8", None, (5, 1), ())
    found, inputs = run(spec, signature)
    x = (rows(inputs).astype(float) - inputs["data.shift"]) * inputs["data.scale"]
    x = dense(x, inputs, "dense1").reshape(3, 5, 2)
    np.testing.assert_allclose(found["output"], dense(x, inputs, "dense2"), rtol=1e-12)
    layers = Network(spec, signature).structure.layers
    assert layers[0] == BuiltLayer("dense1", "dense", (BATCH, 2, 3), (BATCH, 2, 5))
    assert layers[-1] == BuiltLayer("dense2", "dense", (BATCH, 5, 2), (BATCH, 5, 1))


def test_random_layers_are_active_in_training_alone():
    """Dropout, dropconnect and noise are functions of (seed, step, stream) by Philox, one stream for each."""
    spec = net(
        "layers: [{type: dropout, rate: 0.25}, {type: gaussian_noise, std: 0.5}, "
        "{type: dropconnect, units: 2, rate: 0.4}]\ncost: mse"
    )
    signature, step = DataSignature((4,), "real", None, (2,)), 2**33 + 1
    plain, inputs = run(spec, signature)
    x, w, b = rows(inputs), inputs["dropconnect1.weight"], inputs["dropconnect1.bias"]
    np.testing.assert_allclose(plain["output"], x @ w + b, rtol=1e-12)

    found, _ = run(spec, signature, "objective", step=step)
    keep = uniforms(inputs["seed"], step, 0, x.size).reshape(x.shape) >= 0.25
    x = x * keep / 0.75 + 0.5 * normals(inputs["seed"], step, 1, x.size).reshape(x.shape)
    w = w * (uniforms(inputs["seed"], step, 2, w.size).reshape(w.shape) >= 0.4) / 0.6
    y = inputs["data.targets"][inputs["index"]]
    np.testing.assert_allclose(found["objective"], np.mean((x @ w + b - y) ** 2), rtol=1e-12)


def test_labels_become_one_hot_rows_or_one_unit():
    spec = net("layers: [{type: dense, units: 2}]")
    found, inputs = run(spec, LABELS, "evaluation")
    a, y = dense(rows(inputs), inputs, "dense1"), inputs["data.targets"][inputs["index"]]
    np.testing.assert_allclose(found["cost"], np.mean(np.sum(0.5 * (a - np.eye(2)[y]) ** 2, axis=1)))
    assert found["accuracy"] == np.sum(np.argmax(a, axis=1) == y)

    spec = net("layers: [{type: dense, units: 1, activation: sigmoid}]\ncost: cross_entropy")
    found, inputs = run(spec, LABELS, "evaluation")
    a = dense(rows(inputs), inputs, "dense1", lambda z: 1 / (1 + np.exp(-z)))[:, 0]
    y = inputs["data.targets"][inputs["index"]]
    np.testing.assert_allclose(found["cost"], np.mean(-np.log(np.where(y == 1, a, 1 - a))))
    assert found["accuracy"] == np.sum((a > 0.5) == y)


def test_class_weights_divide_by_the_weights_of_the_batch():
    spec = net(
        "layers: [{type: dense, units: 2, activation: softmax}]\ncost: {type: log_likelihood, class_weights: [1, 3]}"
    )
    found, inputs = run(spec, LABELS, "evaluation")
    z, y = dense(rows(inputs), inputs, "dense1"), inputs["data.targets"][inputs["index"]]
    weights = np.array([1.0, 3.0])[y]
    losses = np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(3), y]
    np.testing.assert_allclose(found["cost"], np.sum(weights * losses) / np.sum(weights))
    np.testing.assert_allclose(found["weight"], np.sum(weights))


def test_penalties_leave_biases_alone_unless_asked():
    spec = net(
        "layers: [{type: dense, units: 3}, {type: dense, units: 2, bias_regularizer: {type: l1, strength: 4}}]\n"
        "cost: mse\nregularizer: {type: l2, strength: 0.5}"
    )
    found, inputs = run(spec, VALUES, "penalty")
    squares = sum(np.sum(inputs[f"dense{i}.weight"] ** 2) for i in (1, 2))
    expected = (0.25 * squares + 4 * np.sum(np.abs(inputs["dense2.bias"]))) / inputs["examples"]
    np.testing.assert_allclose(found["penalty"], expected, rtol=1e-12)
    assert Network(net("layers: [{type: dense, units: 2}]"), VALUES).penalty is None


def test_the_textbooks_update_with_l2():
    """w ← (1 − ηλ/n)·w − η·∇C₀, b ← b − η·∇C₀."""
    text = "layers: [{type: dense, units: 2}]\noptimizer: {type: sgd}"
    case = Case(net(text), VALUES, 3, 0)
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    plain = interpret(Network(net(text), VALUES).training_step, inputs, case.sizes()).updates
    decayed_spec = net(f"{text}\nregularizer: {{type: l2, strength: 3}}")
    decayed = interpret(Network(decayed_spec, VALUES).training_step, inputs, case.sizes()).updates
    w = inputs["dense1.weight"]
    np.testing.assert_allclose(decayed["dense1.weight"], plain["dense1.weight"] - 0.05 * 3 / 20 * w, rtol=1e-12)
    np.testing.assert_array_equal(decayed["dense1.bias"], plain["dense1.bias"])


def test_max_norm_holds_after_the_update():
    spec = net("layers: [{type: dense, units: 5}, {type: dense, units: 2}]\nregularizer: {type: max_norm, limit: 0.5}")
    case = Case(spec, VALUES, 3, 1)
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    updates = interpret(Network(spec, VALUES).training_step, inputs, case.sizes()).updates
    norms = np.linalg.norm(updates["dense1.weight"], axis=0)
    assert np.all(norms <= 0.5 * (1 + 1e-12))
    assert np.any(norms > 0.5 * (1 - 1e-12))


@pytest.mark.parametrize("groups", [1, 2])
def test_max_norm_of_a_transposed_convolution_is_of_each_filter(groups):
    spec = net(f"""
layers:
  - {{type: reshape, shape: [1, 4]}}
  - {{type: conv_transpose1d, filters: 6, kernel: 3, groups: {groups}}}
  - flatten
  - {{type: dense, units: 2}}
regularizer: {{type: max_norm, limit: 0.5}}
""")
    case = Case(spec, VALUES, 3, 1)
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    updates = interpret(Network(spec, VALUES).training_step, inputs, case.sizes()).updates
    weight = updates["conv_transpose1d1.weight"]
    # (kernel, filters of a group, channels): a filter sees the channels of its group.
    by_group = np.split(weight, groups, axis=2)
    norms = np.concatenate([np.linalg.norm(part, axis=(0, 2)) for part in by_group])
    assert len(norms) == 6
    assert np.all(norms <= 0.5 * (1 + 1e-12))
    assert np.any(norms > 0.5 * (1 - 1e-12))


def test_the_book_decays_weights_alone():
    text = "convention: book\nlayers: [{type: dense, units: 2}]\noptimizer: {type: sgd"
    case = Case(net(f"{text}}}"), VALUES, 3, 0)
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    plain, decayed = (
        interpret(Network(spec, VALUES).training_step, inputs, case.sizes()).updates
        for spec in (case.spec, net(f"{text}, weight_decay: 0.5}}"))
    )
    np.testing.assert_array_equal(decayed["dense1.bias"], plain["dense1.bias"])
    assert not np.array_equal(decayed["dense1.weight"], plain["dense1.weight"])


def test_optimizer_state_is_named_after_their_parameter():
    network = Network(net("layers: [{type: dense, units: 2}]\noptimizer: adam"), VALUES)
    assert list(network.structure.optimizer_state) == [
        f"optimizer.{slot}.dense1.{kind}" for kind in ("weight", "bias") for slot in ("mean", "square")
    ]


@pytest.mark.parametrize(
    ("text", "signature", "layer", "path", "words"),
    [
        (
            "layers: [{type: dense, units: 3, name: a}, {type: dense, units: 4, inputs: [input], name: b}, "
            "{type: add, inputs: [a, b]}]",
            VALUES,
            "add1",
            "layers.2",
            ["(batch, 3) and (batch, 4)", "concatenate"],
        ),
        (
            "layers: [flatten, {type: reshape, shape: [3, 3]}]",
            VALUES,
            "reshape1",
            "layers.1",
            ["(4,) has 4 numbers, (3, 3) has 9"],
        ),
        (
            "layers: [{type: repeat, times: 2, name: body, layers: [{type: residual, layers: "
            "[{type: dense, units: 5}]}]}]",
            VALUES,
            "body.residual1",
            "layers.0",
            ["(batch, 4)", "(batch, 5)", "4 units"],
        ),
        (
            "layers: [{type: dense, units: 2, name: a}, {type: reshape, shape: [2, 1]}, "
            "{type: concatenate, inputs: [a, reshape1]}]",
            VALUES,
            "concatenate1",
            "layers.2",
            ["(batch, 2) and (batch, 2, 1)"],
        ),
        (
            "layers: [{type: dense, units: 3}]",
            VALUES,
            "dense1",
            "layers.0",
            ["(batch, 3)", "(batch, 2)", "2 units"],
        ),
        (
            "layers: [{type: dense, units: 3}]",
            LABELS,
            "dense1",
            "layers.0",
            ["(batch, 3)", "2 classes need (batch, 2)"],
        ),
    ],
)
def test_a_misfit_names_the_layer_its_place_and_both_shapes(text, signature, layer, path, words):
    network = Network(net(text), signature)
    with pytest.raises(ShapeError) as caught:
        _ = network.training_step
    assert caught.value.layer == layer
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{layer}: ")
    for part in words:
        assert part in str(caught.value)


def test_a_cost_on_labels_refuses_numbers():
    spec = net("layers: [{type: dense, units: 2, activation: softmax}]\ncost: log_likelihood")
    with pytest.raises(ShapeError, match="'log_likelihood' compares class labels, and these targets are numbers"):
        _ = Network(spec, VALUES).evaluation


def test_numbers_a_step_may_be_labels():
    """Whole numbers (n, time) are read as values unless the spec says labels: who has a softmax a step meant these."""
    spec = net("layers: [{type: dense, units: 2, activation: softmax}]\ncost: log_likelihood")
    with pytest.raises(ShapeError, match=r"or say data\.target_type: labels, if each step's target is a class"):
        _ = Network(spec, DataSignature((7, 4), "real", None, (7,))).evaluation


def test_the_structure_is_that_of_the_graphs():
    """One build answers for all of them: every array that a graph reads or changes is known by name and shape."""
    text = """
layers:
  - {type: lstm, units: 3, stateful: true, return_sequence: true, regularizer: {type: l2, strength: 0.1}}
  - {type: batch_norm}
  - {type: dropout, rate: 0.5}
  - {type: dense, units: 2, frozen: true, bias: false}
  - {type: dense, units: 2}
cost: mse
optimizer: adam
regularizer: {type: max_norm, limit: 1.0}
"""
    spec = load_text(f"data: shakespeare{text}").spec
    network = Network(spec, DataSignature((5, 4), "real", None, (5, 2)))
    structure = network.structure
    for graph in (network.training_step, network.evaluation, network.prediction, network.objective):
        for value in graph.inputs:
            known = {
                "parameter": {name: p.value for name, p in structure.parameters.items()},
                "state": {name: s.value for name, s in structure.states.items()},
                "optimizer state": {name: p.value for name, (p, _) in structure.optimizer_state.items()},
            }.get(value.role)
            assert known is None or known[value.name].type == value.type
    changed = {old.name for old in network.training_step.updates}
    trained = {name for name, parameter in structure.parameters.items() if not parameter.frozen}
    assert changed == trained | set(structure.states) | set(structure.optimizer_state)


@pytest.mark.parametrize("momentum", [0.0, 1.0])
@pytest.mark.parametrize("convention", ["torch", "keras"])
def test_running_statistics_of_extreme_momentum_are_kept_or_replaced(convention, momentum):
    spec = net(f"""
convention: {convention}
layers:
  - {{type: batch_norm, momentum: {momentum}}}
  - {{type: dense, units: 1}}
cost: mse
""")
    updated = {value.name for value in Network(spec, DataSignature((2,), "real", None, (1,))).training_step.updates}
    stays = momentum == (0.0 if convention == "torch" else 1.0)
    assert ("batch_norm1.running_mean" in updated) is not stays
