from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph_bench import Bench

from nnctl.components.activations import Relu, Sigmoid, Softmax
from nnctl.components.base import Layer
from nnctl.components.initializers import Zeros
from nnctl.components.layers.convolution import Conv1d
from nnctl.components.layers.dense import ActivationLayer, Dense, DropConnect
from nnctl.components.layers.merge import Add, Concatenate
from nnctl.components.layers.nested import Repeat, Residual
from nnctl.components.layers.noise import Dropout, GaussianNoise
from nnctl.components.layers.normalization import BatchNorm, LayerNorm
from nnctl.components.layers.pooling import GlobalMaxPool, MaxPool, Upsample
from nnctl.components.layers.reservoir import EchoState
from nnctl.components.layers.reshaping import Flatten, Reshape
from nnctl.errors import ShapeError

X = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
W = np.arange(6.0).reshape(3, 2) / 10
B = np.array([0.1, -0.2])


def build(bench: Bench, layer: Layer, *inputs: Any) -> Any:
    """The layer as the root's layer "it"."""
    with bench.builder.scope("it"):
        return bench.builder.build_here(layer, *inputs)


def output(layer: Layer, *arrays: Any, training: bool = False, step: int = 0, **parameters: Any) -> Any:
    bench = Bench(training=training, batch=len(arrays[0]))
    inputs = [bench.tensor(f"x{i}", a) for i, a in enumerate(arrays)]
    tensor = build(bench, layer, *inputs)
    named = {f"it.{name.replace('__', '.')}": value for name, value in parameters.items()}
    (result,) = bench.run(tensor, parameters=named, step=step)
    assert len(tensor.shape) == result.ndim
    assert tuple(tensor.shape[1:]) == result.shape[1:]
    return result


def error(layer: Layer, *arrays: Any) -> ShapeError:
    with pytest.raises(ShapeError) as caught:
        output(layer, *arrays)
    assert caught.value.layer.startswith("it")
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "layer",
    [
        ActivationLayer(activation=Relu()),
        BatchNorm(),
        Conv1d(filters=1, kernel=1),
        Dense(units=1),
        DropConnect(units=1),
        Dropout(rate=0.5),
        EchoState(units=2),
        GaussianNoise(std=1.0),
        GlobalMaxPool(),
        LayerNorm(),
        MaxPool(),
        Upsample(),
    ],
    ids=lambda layer: layer.type,
)
def test_indices_are_no_numbers(layer: Layer) -> None:
    indices = np.arange(8).reshape(2, 4, 1)
    caught = error(layer.for_convention("torch"), indices)
    assert "holds indices" in str(caught)
    assert "embedding" in str(caught.hint)


@pytest.mark.parametrize("layer", [Add(), Concatenate()], ids=lambda layer: layer.type)
def test_indices_are_not_joined(layer: Layer) -> None:
    indices = np.arange(8).reshape(2, 4)
    values = indices / 8
    for inputs in ((indices, indices), (indices, values), (values, indices)):
        assert "holds indices" in str(error(layer, *inputs))


def test_indices_are_not_added_to_what_is_made_of_them() -> None:
    assert "holds indices" in str(error(Residual(layers=(Flatten(),)), np.arange(8).reshape(2, 4)))


def test_dense() -> None:
    np.testing.assert_allclose(output(Dense(units=2), X, weight=W, bias=B), X @ W + B)
    np.testing.assert_allclose(output(Dense(units=2, bias=False), X, weight=W), X @ W)
    np.testing.assert_allclose(output(Dense(units=2, activation=Relu()), X, weight=W, bias=B), np.maximum(X @ W + B, 0))


def test_dense_acts_on_the_last_axis() -> None:
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 3))
    np.testing.assert_allclose(output(Dense(units=2), x, weight=W, bias=B), x @ W + B)


def test_dense_names_its_parameters() -> None:
    bench = Bench()
    build(bench, Dense(units=2, initializer=Zeros()), bench.tensor("x", X))
    weight, bias = bench.builder.parameters.values()
    assert (weight.name, weight.shape, weight.kind, weight.fans) == ("it.weight", (3, 2), "weight", (3, 2))
    assert (bias.name, bias.shape, bias.kind, bias.fans) == ("it.bias", (2,), "bias", (3, 2))
    assert weight.initializer == Zeros()
    assert bias.initializer is None


def test_dense_without_a_feature_axis() -> None:
    assert error(Dense(units=2), np.zeros(4)).message == (
        "dense needs at least one feature of each example, found shape (batch,)"
    )


def test_fields_of_a_missing_bias() -> None:
    assert [p.field for p in Dense(units=2, bias=False, bias_initializer=Zeros()).problems()] == ["bias_initializer"]


def test_activation_layer() -> None:
    np.testing.assert_allclose(output(ActivationLayer(activation=Sigmoid()), X), 1 / (1 + np.exp(-X)))
    np.testing.assert_allclose(output(ActivationLayer(activation=Softmax()), X).sum(axis=1), 1.0)


@pytest.mark.parametrize("layer", [Dropout(rate=0.5), GaussianNoise(std=2.0)])
def test_noise_is_for_training_only(layer: Layer) -> None:
    np.testing.assert_array_equal(output(layer, X), X)
    assert not np.array_equal(output(layer, X, training=True), X)


@pytest.mark.parametrize("layer", [Dropout(rate=0.0), GaussianNoise(std=0.0), DropConnect(units=3, rate=0.0)])
def test_no_noise_at_size_0(layer: Layer) -> None:
    parameters = {"weight": np.eye(3), "bias": np.zeros(3)} if isinstance(layer, DropConnect) else {}
    np.testing.assert_array_equal(output(layer, X, training=True, **parameters), X)


def test_dropout_is_inverted() -> None:
    ones = np.ones((200, 50))
    dropped = output(Dropout(rate=0.25), ones, training=True)
    assert set(np.unique(dropped)) == {0.0, 1 / 0.75}
    # 10,000 draws: the standard deviation of the share is 0.0043.
    assert np.mean(dropped == 0.0) == pytest.approx(0.25, abs=0.02)


def test_dropout_draws_anew_each_step_and_repeats() -> None:
    ones = np.ones((4, 50))
    first, again, second = (output(Dropout(), ones, training=True, step=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


def test_dropconnect_drops_weights() -> None:
    eye = np.ones((1, 40)), np.ones((40, 30))
    kept = output(DropConnect(units=30, rate=0.5), eye[0], training=True, weight=eye[1], bias=np.zeros(30))
    # Each unit sums about 20 of 40 weights, each doubled: whole multiples of 2, about 40.
    assert np.all(kept % 2 == 0)
    assert len(np.unique(kept)) > 3
    assert np.mean(kept) == pytest.approx(40, abs=6)
    np.testing.assert_array_equal(output(DropConnect(units=30), eye[0], weight=eye[1], bias=np.zeros(30)), 40.0)


def test_gaussian_noise_has_its_standard_deviation() -> None:
    noise = output(GaussianNoise(std=2.0), np.zeros((100, 100)), training=True)
    assert np.std(noise) == pytest.approx(2.0, rel=0.05)
    assert abs(np.mean(noise)) < 0.1


def test_flatten_and_reshape() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(output(Flatten(), x), x.reshape(2, 12))
    np.testing.assert_array_equal(output(Flatten(), x[:, 0, 0]), x[:, 0, 0].reshape(2, 1))
    np.testing.assert_array_equal(output(Flatten(), X), X)
    np.testing.assert_array_equal(output(Reshape(shape=(4, 3, 1)), x), x.reshape(2, 4, 3, 1))


def test_reshape_keeps_the_number_of_features() -> None:
    found = error(Reshape(shape=(5, 5)), np.zeros((2, 3, 4)))
    assert found.message == "an example of shape (3, 4) has 12 numbers, (5, 5) has 25"


def test_add() -> None:
    np.testing.assert_array_equal(output(Add(), X, 2 * X, X), 4 * X)
    assert error(Add(), X, X[:, :2]).message == ("add needs inputs of one shape, found (batch, 3) and (batch, 2)")
    assert error(Add(), X).message == "add joins two or more inputs, found 1"


def test_concatenate() -> None:
    a, b = np.zeros((2, 3, 4)), np.ones((2, 3, 2))
    np.testing.assert_array_equal(output(Concatenate(), a, b), np.concatenate([a, b], axis=-1))
    c = np.ones((2, 1, 4))
    for axis in (1, -2):
        np.testing.assert_array_equal(output(Concatenate(axis=axis), a, c), np.concatenate([a, c], axis=1))


def test_concatenate_that_does_not_fit() -> None:
    a, b = np.zeros((2, 3, 4)), np.zeros((2, 5, 4))
    assert error(Concatenate(), a, b).message == (
        "concatenate along axis -1 needs inputs that agree on every other axis, found (batch, 3, 4) and (batch, 5, 4)"
    )
    assert "feature axis 3" in error(Concatenate(axis=3), a, b).message
    assert "feature axis -3" in error(Concatenate(axis=-3), a, b).message
    assert "agree" in error(Concatenate(axis=1), a, X).message
    assert [p.field for p in Concatenate(axis=0).problems()] == ["axis"]


@pytest.mark.parametrize("layer", [Dense(units=2), Dropout(), Flatten(), Repeat(times=1, layers=(Flatten(),))])
def test_one_input_only(layer: Layer) -> None:
    assert error(layer, X, X).message == f"{layer.type} takes one input, found 2"


def test_repeat_has_parameters_for_each_turn() -> None:
    bench = Bench()
    build(bench, Repeat(times=3, layers=(Dense(units=3, activation=Relu()), Dropout())), bench.tensor("x", X))
    assert list(bench.builder.parameters) == [
        f"it.dense{turn}.{part}" for turn in (1, 2, 3) for part in ("weight", "bias")
    ]


def test_a_repeated_layer_has_no_name() -> None:
    named = (Dense(units=3, name="hidden"),)
    assert [p.field for p in Repeat(times=2, layers=named).problems()] == ["layers.0.name"]
    assert list(Repeat(times=1, layers=named).problems()) == []


def test_residual() -> None:
    layer = Residual(layers=(Dense(units=3), ActivationLayer(activation=Relu())))
    weight, bias = np.full((3, 3), 0.5), np.zeros(3)
    result = output(layer, X, dense1__weight=weight, dense1__bias=bias)
    np.testing.assert_allclose(result, X + np.maximum(X @ weight, 0))


def test_residual_must_keep_the_shape() -> None:
    found = error(Residual(layers=(Dense(units=2),)), X)
    assert found.message == (
        "residual adds its input (batch, 3) to what its layers give, (batch, 2): the shapes must be equal"
    )


def test_flatten_joins_the_axes_from_one_on() -> None:
    x = np.arange(24.0).reshape(2, 3, 4, 1)
    for axis in (1, 2, 3, -1, -2):
        np.testing.assert_array_equal(output(Flatten(axis=axis), x), x.reshape(*x.shape[:axis], -1))
    for axis in (0, 4, -4):
        assert "is no axis of an example's features" in str(error(Flatten(axis=axis), x))
