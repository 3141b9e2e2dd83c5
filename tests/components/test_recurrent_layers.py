"""Recurrent layers: golden numbers, directions, masks, carried states, first values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph_bench import Bench

from nnctl.components.base import Layer
from nnctl.components.initializers import Normal
from nnctl.components.layers.gated import Gru, Lstm
from nnctl.components.layers.indices import Embedding, Mask, OneHot
from nnctl.components.layers.recurrent import Rnn
from nnctl.components.registry import components
from nnctl.errors import ShapeError

CELLS = [Rnn, Lstm, Gru]
ONE_TO_TWO = np.array([[[1.0], [2.0]]])
"""The golden input x = 1, 2."""


def built(bench: Bench, layer: Layer, *inputs: Any) -> Any:
    with bench.builder.scope("it"):
        return bench.builder.build_here(layer.for_convention("torch"), *inputs)


def drawn(bench: Bench, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(p.shape) for name, p in bench.builder.parameters.items()}


def golden(layer: Layer, **parameters: Any) -> Any:
    bench = Bench(batch=1)
    output = built(bench, layer, bench.tensor("x", ONE_TO_TWO))
    (result,) = bench.run(output, parameters={f"it.{name}": value for name, value in parameters.items()})
    return result.reshape(-1)


def error(layer: Layer, *arrays: Any, **builder: Any) -> ShapeError:
    bench = Bench(batch=len(arrays[0]))
    for name, value in builder.items():
        setattr(bench.builder, name, value)
    with pytest.raises(ShapeError) as caught:
        built(bench, layer, *(bench.tensor(f"x{i}", a) for i, a in enumerate(arrays)))
    assert caught.value.hint
    return caught.value


# -- golden numbers (torch 2.14.1, float64) ----------------------------------------------


def test_lstm() -> None:
    weights = {"weight": [[0.1, 0.2, 0.3, 0.4]], "recurrent_weight": [[0.5, 0.6, 0.7, 0.8]]}
    biases = {"bias": [0.01, 0.02, 0.03, 0.04], "recurrent_bias": np.zeros(4)}
    h = golden(Lstm(units=1, return_sequence=True), **weights, **biases)
    np.testing.assert_allclose(h, [0.10124330736972534, 0.2990927052060841], rtol=1e-14)
    h = golden(Lstm(units=1), **weights, bias=np.zeros(4), recurrent_bias=biases["bias"])
    np.testing.assert_allclose(h, [0.2990927052060841], rtol=1e-14)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_peepholes_of_0_change_nothing(bidirectional: bool) -> None:
    rng = np.random.default_rng(3)
    x, mask = rng.standard_normal((2, 5, 3)), np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1]])
    outputs = []
    for peepholes in (False, True):
        bench = Bench(batch=2)
        layer = Lstm(units=4, return_sequence=True, bidirectional=bidirectional, peepholes=peepholes)
        y = built(bench, layer, bench.tensor("x", x), bench.tensor("mask", mask))
        parameters = {name: np.cos(np.arange(np.prod(p.shape))).reshape(p.shape)
                      for name, p in bench.builder.parameters.items()}  # fmt: skip
        parameters |= {name: 0.0 * array for name, array in parameters.items() if "peephole" in name}
        outputs += bench.run(y, parameters=parameters)
    assert sum("peephole" in name for name in parameters) == 1 + bidirectional
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-12)


def test_the_cell_of_an_lstm() -> None:
    bench = Bench(batch=1, training=True)
    built(bench, Lstm(units=1, stateful=True, recurrent_bias=False), bench.tensor("x", ONE_TO_TWO))
    old, new = zip(*bench.builder.new_states.items())
    assert [value.name for value in old] == ["it.hidden", "it.cell"]
    bench.values |= {value: np.zeros((1, 1)) for value in old}
    parameters = {"weight": [[0.1, 0.2, 0.3, 0.4]], "recurrent_weight": [[0.5, 0.6, 0.7, 0.8]]}
    parameters["bias"] = [[0.01, 0.02, 0.03, 0.04]]
    named = {f"it.{name}": np.array(value) for name, value in parameters.items()}
    h, c = bench.run(*map(bench.builder.tensor, new), parameters=named)
    np.testing.assert_allclose([h.item(), c.item()], [0.2990927052060841, 0.4454701349087883], rtol=1e-14)


@pytest.mark.parametrize(
    ("reset_after", "expected"),
    [(True, [0.1503012966211457, 0.3212435871343368]), (False, [0.16076448163863985, 0.3336967479751255])],
)
def test_gru(reset_after: bool, expected: list[float]) -> None:
    weights = {"weight": [[0.1, 0.2, 0.3]], "recurrent_weight": [[0.5, 0.6, 0.7]]}
    inner, outer = np.array([0.01, 0.02, 0.03]), np.array([0.04, 0.05, 0.06])
    biases = {"bias": inner, "recurrent_bias": outer} if reset_after else {"bias": inner + outer}
    if not reset_after:
        # These numbers come from weights that were stored in float32: the first is met to the last digit,
        # the second to what the rounding of its recurrent weights leaves open.
        weights = {name: np.float64(np.float32(value)) for name, value in weights.items()}
    h = golden(Gru(units=1, reset_after=reset_after, return_sequence=True), **weights, **biases)
    np.testing.assert_allclose(h[0], expected[0], rtol=1e-14)
    np.testing.assert_allclose(h[1], expected[1], rtol=1e-14 if reset_after else 1e-9)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_rnn(activation: str) -> None:
    f = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0.0)}[activation]
    layer = Rnn(units=1, activation=activation, return_sequence=True, recurrent_bias=False)  # type: ignore[arg-type]
    h = golden(layer, weight=[[0.3]], recurrent_weight=[[-0.5]], bias=[0.1])
    first = f(0.3 + 0.1)
    np.testing.assert_allclose(h, [first, f(0.6 + 0.1 - 0.5 * first)], rtol=1e-14)


# -- sequences -----------------------------------------------------------------------------

X = np.random.default_rng(1).standard_normal((3, 4, 2))


def sequence(layer: Layer, x: Any, *mask: Any) -> Any:
    bench = Bench(batch=len(x))
    inputs = [bench.tensor("x", x), *(bench.tensor("m", m) for m in mask)]
    output = built(bench, layer, *inputs)
    (result,) = bench.run(output, parameters=drawn(bench))
    assert output.shape[1:] == result.shape[1:]
    return result


@pytest.mark.parametrize("cell", CELLS)
def test_the_last_state_is_the_end_of_the_sequence(cell: Any) -> None:
    whole = sequence(cell(units=3, return_sequence=True), X)
    assert whole.shape == (3, 4, 3)
    np.testing.assert_array_equal(sequence(cell(units=3), X), whole[:, -1])


@pytest.mark.parametrize("cell", CELLS)
def test_one_step(cell: Any) -> None:
    assert sequence(cell(units=3, return_sequence=True, bidirectional=True), X[:, :1]).shape == (3, 1, 6)


@pytest.mark.parametrize("cell", CELLS)
def test_the_backward_cell_reads_from_right_to_left(cell: Any) -> None:
    bench = Bench(batch=3)
    both = built(bench, cell(units=3, return_sequence=True, bidirectional=True), bench.tensor("x", X))
    parameters = drawn(bench)
    (result,) = bench.run(both, parameters=parameters)
    for direction, part, x in (("forward", result[..., :3], X), ("backward", result[:, ::-1, 3:], X[:, ::-1])):
        alone = Bench(batch=3)
        output = built(alone, cell(units=3, return_sequence=True), alone.tensor("x", x))
        own = {name: parameters[name.replace("it.", f"it.{direction}.")] for name in alone.builder.parameters}
        np.testing.assert_allclose(alone.run(output, parameters=own)[0], part, rtol=1e-14)
    ends = sequence(cell(units=3, bidirectional=True), X)
    np.testing.assert_array_equal(ends, np.concatenate([result[:, -1, :3], result[:, 0, 3:]], axis=1))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_filled_up_steps_change_nothing(cell: Any, bidirectional: bool) -> None:
    layer = cell(units=3, bidirectional=bidirectional)
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    result = sequence(layer, X, mask)
    for row, length in enumerate((4, 2, 1)):
        np.testing.assert_allclose(result[row : row + 1], sequence(layer, X[row : row + 1, :length]), rtol=1e-14)


@pytest.mark.parametrize("cell", CELLS)
def test_pieces_with_a_carried_state_are_the_whole(cell: Any) -> None:
    whole = sequence(cell(units=3, return_sequence=True), X)
    states: dict[str, Any] = {}
    for first in (0, 1, 2, 3):
        bench = Bench(batch=3)
        bench.builder.resuming = "all"
        output = built(bench, cell(units=3, return_sequence=True), bench.tensor("x", X[:, first : first + 1]))
        for name, state in bench.builder.states.items():
            bench.values[state.value] = states.get(name, np.zeros((3, 3)))
        new = {old.name: bench.builder.tensor(value) for old, value in bench.builder.new_states.items()}
        piece, *values = bench.run(output, *new.values(), parameters=drawn(bench))
        states = dict(zip(new, values))
        np.testing.assert_allclose(piece[:, 0], whole[:, first], rtol=1e-13)


@pytest.mark.parametrize("cell", CELLS)
def test_the_layers_that_resume(cell: Any) -> None:
    for stateful in (False, True):
        for resuming in ("none", "stateful", "all"):
            bench = Bench(batch=3)
            bench.builder.resuming = resuming
            built(bench, cell(units=3, stateful=stateful), bench.tensor("x", X))
            resumes = resuming == "all" or (resuming == "stateful" and stateful)
            assert bool(bench.builder.states) is bool(bench.builder.new_states) is resumes
    for training in (False, True):
        bench = Bench(batch=3, training=training)
        built(bench, cell(units=3, stateful=True), bench.tensor("x", X))
        assert bool(bench.builder.states) is training


# -- first values --------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_torch_begins_uniform_by_the_number_of_units(cell: Any) -> None:
    bench = Bench(batch=3)
    built(bench, cell(units=16), bench.tensor("x", X))
    assert len(bench.builder.parameters) == 4
    for parameter in bench.builder.parameters.values():
        values = parameter.default.draw(np.random.default_rng(0), (1000,), 1, 1)  # type: ignore[union-attr]
        assert 0.24 < np.abs(values).max() <= 0.25


@pytest.mark.parametrize(("of_layer", "of_spec"), [(None, "keras"), ("keras", "torch")])
def test_keras_begins_with_an_open_forget_gate(of_layer: Any, of_spec: str) -> None:
    bench = Bench(batch=3)
    bench.builder.convention = of_spec
    with bench.builder.scope("it"):
        layer = Lstm(units=2, convention=of_layer).for_convention(of_spec)
        bench.builder.build_here(layer, bench.tensor("x", X))
    parameters = bench.builder.parameters
    assert set(parameters) == {"it.weight", "it.recurrent_weight", "it.bias"}
    assert parameters["it.bias"].initializer.draw(None, (8,), 1, 1).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]  # type: ignore[union-attr]
    recurrent = parameters["it.recurrent_weight"].default.draw(np.random.default_rng(0), (2, 8), 2, 8)  # type: ignore[union-attr]
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(2), atol=1e-12)


def test_a_layers_own_initializer_goes_first() -> None:
    bench = Bench(batch=3)
    built(bench, Gru(units=2, recurrent_initializer=Normal()), bench.tensor("x", X))
    assert bench.builder.parameters["it.recurrent_weight"].initializer == Normal()


# -- indices ------------------------------------------------------------------------------


def test_embedding_and_one_hot() -> None:
    index = np.array([[0, 2], [1, 1]])
    bench = Bench()
    output = built(bench, Embedding(units=2, vocabulary=3), bench.tensor("x", index))
    table = np.arange(6.0).reshape(3, 2)
    (result,) = bench.run(output, parameters={"it.weight": table})
    np.testing.assert_array_equal(result, table[index])
    bench = Bench()
    (result,) = bench.run(built(bench, OneHot(vocabulary=3), bench.tensor("x", index)))
    np.testing.assert_array_equal(result, np.eye(3)[index])


def test_masks() -> None:
    bench = Bench()
    of_indices = built(bench, Mask(), bench.tensor("x", np.array([[3, 0], [1, 2]])))
    np.testing.assert_array_equal(bench.run(of_indices)[0], [[1, 0], [1, 1]])
    bench = Bench()
    of_numbers = built(bench, Mask(value=-1.0), bench.tensor("x", np.array([[[-1.0, 0.0], [-1.0, -1.0]]] * 2)))
    np.testing.assert_array_equal(bench.run(of_numbers)[0], [[1, 0], [1, 0]])


# -- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_errors(cell: Any) -> None:
    name = cell.type
    assert error(cell(units=2), np.zeros((2, 8))).message == (
        f"{name} reads sequences (batch, time, features), found (batch, 8)"
    )
    assert "return_sequence: true" in error(cell(units=2), np.zeros((2, 8))).hint
    assert "reshape layer" in error(cell(units=2), np.zeros((2, 8, 8, 1))).hint
    assert "embedding" in error(cell(units=2), np.zeros((2, 8), int)).hint
    assert error(cell(units=2), X, np.ones((3, 5), int)).message == (
        f"the second input of {name} is a mask (batch, 4), found shape (batch, 5)"
    )
    assert error(cell(units=2), X, X, X).message == f"{name} takes a sequence and perhaps a mask, found 3 inputs"
    assert "reads what comes later" in error(cell(units=2, bidirectional=True), X, resuming="all").message
    (problem,) = cell(units=2, stateful=True, bidirectional=True).problems()
    assert problem.field == "stateful"


def test_errors_of_indices() -> None:
    index = np.zeros((2, 3), int)
    assert error(Embedding(units=2), X).message == (
        "embedding reads indices, and its input is numbers of shape (batch, 4, 2)"
    )
    assert "does not know how many" in error(OneHot(), index).message
    assert error(OneHot(vocabulary=3), index, vocabulary=5).message == (
        "one_hot has a vocabulary of 3, and the data of 5"
    )
    assert "indices (batch, time)" in error(Mask(), np.zeros((2, 8))).message


def test_the_cells_are_registered() -> None:
    assert {"rnn", "lstm", "gru", "embedding", "one_hot", "mask"} <= set(components("layer"))
