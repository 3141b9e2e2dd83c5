"""Differentiation: what it computes, what it leaves alone, and the equations of backpropagation in print."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from graph.interpretation import interpret
from graph.nets import Case, cases, net
from nnctl.components.layers.normalization import BatchNorm, LayerNorm
from nnctl.components.signature import DataSignature
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.differentiate import differentiate
from nnctl.graph.network import Network
from nnctl.graph.render import render
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.shapes import BATCH
from nnctl.ops.table import StructuredOp

TWO_LAYERS = """
layers:
  - {type: dense, units: 3, activation: sigmoid}
  - {type: dense, units: 2, activation: sigmoid}
cost: quadratic
"""


def gradient_of(objective, *shapes):
    """(graph, function from arrays to gradients) of objective(builder, *tensors)."""
    builder = GraphBuilder("gradient")
    xs = [builder.input(f"x{i}", s, role="parameter") for i, s in enumerate(shapes)]
    gradients = differentiate(builder, objective(builder, *xs), xs)
    graph = builder.graph({f"g{i}": g for i, g in enumerate(gradients) if g is not None})

    def evaluate(*arrays):
        found = interpret(graph, {f"x{i}": a for i, a in enumerate(arrays)}, {"batch": 3}).outputs
        return [found.get(f"g{i}") for i in range(len(arrays))]

    return graph, evaluate


def total(builder, x):
    return builder.apply("sum", x, axes=tuple(range(len(x.shape))))


def test_a_value_read_several_times_collects_every_gradient():
    _, evaluate = gradient_of(lambda b, x: total(b, x * x + x * 3.0 + x), (4,))
    x = np.arange(4.0)
    np.testing.assert_allclose(evaluate(x)[0], 2 * x + 4)


def test_what_the_objective_ignores_has_no_gradient():
    _, evaluate = gradient_of(lambda b, x, y: total(b, x) + 0.0 * total(b, y), (4,), (2,))
    found = evaluate(np.ones(4), np.ones(2))
    np.testing.assert_array_equal(found[0], np.ones(4))
    assert found[1] is None


def test_the_objective_itself():
    builder = GraphBuilder("self")
    x = builder.input("x", (), role="parameter")
    (gradient,) = differentiate(builder, x, [x])
    assert gradient is not None
    assert interpret(builder.graph({"g": gradient}), {"x": np.array(7.0)}, {}).outputs["g"] == 1.0


def test_a_gradient_stops_where_asked():
    _, evaluate = gradient_of(lambda b, x: total(b, x * b.apply("stop_gradient", x)), (4,))
    x = np.arange(4.0)
    np.testing.assert_array_equal(evaluate(x)[0], x)


def test_only_scalars_are_objectives():
    with pytest.raises(ValueError, match=r"must be a scalar, got Tensor\(multiply"):
        gradient_of(lambda b, x: x * x, (4,))


def _gathers(graph):
    return {v for node in graph.nodes if node.op.name == "gather" for v in node.outputs}


@settings(max_examples=40)
@given(cases())
def test_the_gradient_of_the_data_is_never_computed(case: Case):
    graph = Network(case.spec, case.signature).unfused_training_step
    from_data = _gathers(graph)
    for node in graph.nodes:
        if node.op.name in ("cast", "rescale", "reshape") and set(node.inputs) & from_data:
            from_data.update(node.outputs)
    assert from_data
    assert not [v.name for n in graph.nodes for v in n.outputs for d in from_data if v.name == f"∂C/∂{d.name}"]


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_step_of_n_layers_takes_3n_minus_1_products(depth):
    """Forward and two backward each, but for the first layer's input: it is data."""
    layers = "".join("\n  - {type: dense, units: 4, activation: tanh}" for _ in range(depth))
    graph = Network(net(f"layers:{layers}"), DataSignature((6,), "real", None, (4,))).training_step
    products = ("matmul", "accumulate_product")
    assert sum(node.op.name in products for node in graph.nodes) == 3 * depth - 1


def test_the_four_equations_of_backpropagation_are_printed():
    lines = render(Network(net(TWO_LAYERS), DataSignature((4,), "real", None, (2,))).unfused_training_step)
    squeezed = [" ".join(line.split()) for line in lines.splitlines()]
    for equation in (
        # δ^L = ∇_a C ⊙ σ'(z^L)
        "∂C/∂dense2.z real(batch, 2) = ∂C/∂dense2.a * (dense2.a * (1 - dense2.a))",
        # δ^l = (W^{l+1})ᵀ δ^{l+1} ⊙ σ'(z^l)
        "∂C/∂dense1.a real(batch, 3) = matmul(∂C/∂dense2.z, dense2.weight, transpose_b=True)",
        "∂C/∂dense1.z real(batch, 3) = ∂C/∂dense1.a * (dense1.a * (1 - dense1.a))",
        # ∂C/∂b = δ
        "∂C/∂dense1.bias real(3,) = sum_to(∂C/∂dense1.z, shape=(3,))",
        "∂C/∂dense2.bias real(2,) = sum_to(∂C/∂dense2.z, shape=(2,))",
        # ∂C/∂W = a_in δ_out
        "∂C/∂dense1.weight real(4, 3) = matmul(data.gather, ∂C/∂dense1.z, transpose_a=True)",
        "∂C/∂dense2.weight real(3, 2) = matmul(dense1.a, ∂C/∂dense2.z, transpose_a=True)",
    ):
        assert equation in squeezed


@settings(max_examples=40)
@given(cases())
def test_gradients_of_whole_nets_by_the_complex_step(case: Case):
    """Along one random direction through all parameters at once, penalty and noise included."""
    graph = Network(case.spec, case.signature).objective
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    rng = np.random.default_rng(case.seed)
    trained = [v.name for v in graph.inputs if v.role == "parameter"]
    directions = {name: rng.standard_normal(inputs[name].shape) for name in trained}
    exact = interpret(graph, inputs, case.sizes()).outputs
    slope = sum(float(np.sum(exact[n] * directions[n])) for n in trained if n in exact)
    shifted = inputs | {n: inputs[n] + 1e-30j * directions[n] for n in trained}
    xp = numpy_namespace(complex_step=True)
    numeric = interpret(graph, shifted, case.sizes(), np.complex128, xp).outputs["objective"].imag / 1e-30
    assert slope == pytest.approx(float(numeric), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm(), LayerNorm(axes=(1, 2))])
def test_first_and_second_derivatives_of_normalization_by_the_complex_step(layer):
    """Its rule leaves out what the mean does to the variance: nothing, and that stays nothing when derived again."""
    builder = GraphBuilder("normalization", training=True)
    x, v = (builder.input(name, (3, 4, 2), role="parameter") for name in "xv")
    y = builder.build(layer.for_convention("torch"), x)
    objective = total(builder, y * y * y + y * x)
    (first,) = differentiate(builder, objective, [x])
    along = total(builder, first * v)
    (second,) = differentiate(builder, along, [x])
    graph = builder.graph({"objective": objective, "first": first, "along": along, "second": second})
    rng = np.random.default_rng(0)
    inputs = {value.name: rng.uniform(0.5, 2.0, value.shape) for value in graph.inputs}
    direction = rng.standard_normal(x.shape)
    found = interpret(graph, inputs, {}).outputs
    shifted = inputs | {"x": inputs["x"] + 1e-30j * direction}
    numeric = interpret(graph, shifted, {}, np.complex128, numpy_namespace(complex_step=True)).outputs
    for of, derivative in (("objective", "first"), ("along", "second")):
        slope = float(np.sum(found[derivative] * direction))
        assert slope == pytest.approx(float(numeric[of].imag) / 1e-30, rel=1e-10, abs=1e-10), derivative


CONVOLUTION = "{type: conv2d, filters: 2, kernel: 3, padding: same}"
EQUAL = {
    "dense": ((4,), "{type: dense, units: 4, activation: tanh}, {type: dropout, rate: 0.5}"),
    "residual": ((6, 6, 2), f"{{type: residual, layers: [{CONVOLUTION}, batch_norm, {{type: max_pool, size: 1}}]}}"),
    "recurrent": ((5, 4), "{type: lstm, units: 4, return_sequence: true}, layer_norm, {type: dense, units: 4}"),
}


def of_equal_layers(name: str, times: int) -> Network:
    shape, inner = EQUAL[name]
    layers = f"layers: [{{type: repeat, times: {times}, layers: [{inner}]}}, flatten, {{type: dense, units: 2}}]\n"
    return Network(
        net(f"{layers}cost: mse\nregularizer: {{type: l2, strength: 0.1}}\n"), DataSignature(shape, "real", None, (2,))
    )


@pytest.mark.parametrize("name", EQUAL)
def test_rules_that_are_followed_once_give_the_nodes_of_those_that_are_followed_each_time(name, monkeypatch):
    once = of_equal_layers(name, 4)
    printed = render(once.unfused_training_step), render(once.training_step)
    monkeypatch.setattr("nnctl.graph.differentiate._recorded", lambda *_: None)
    each = of_equal_layers(name, 4)
    assert (render(each.unfused_training_step), render(each.training_step)) == printed


def test_rules_are_followed_once_for_equal_layers(monkeypatch):
    followed: list[str] = []
    rule = StructuredOp.gradients

    def noted(self, *given):
        followed.append(self.name)
        return rule(self, *given)

    monkeypatch.setattr(StructuredOp, "gradients", noted)
    few = of_equal_layers("dense", 3).training_step and len(followed)
    many = of_equal_layers("dense", 30).training_step and len(followed) - few
    assert followed
    assert few == many


def test_the_batch_stays_symbolic():
    graph = Network(net(TWO_LAYERS), DataSignature((4,), "real", None, (2,))).training_step
    assert any(BATCH in v.shape for node in graph.nodes for v in node.outputs)
