"""Weights of examples and labels that are left out: derivatives, and nets that have none of either."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nnctl.analysis.gradcheck import GradientCheck
from nnctl.components import registry
from nnctl.components.base import Cost, Metric
from nnctl.components.registry import register
from nnctl.components.signature import DataSignature
from nnctl.errors import ShapeError
from nnctl.graph.host_graphs import HostGraphs
from nnctl.graph.network import Network
from nnctl.graph.render import render

from .nets import net

STEPS = DataSignature((4, 3), "real", ("a", "b"), (4,), weights_shape=(4,), ignores=True)
POINTS = DataSignature((3,), "real", ("a", "b"), weights_shape=(), ignores=True)
VALUES = DataSignature((3,), "real", None, (2,), weights_shape=())
HIDDEN = "{type: rnn, units: 3, return_sequence: true}"


def spec(output: str, cost: str, hidden: str = "{type: dense, units: 3, activation: tanh}", more: str = "") -> Any:
    return net(f"layers: [{hidden}, {{type: dense, {output}}}]\ncost: {cost}\n{more}")


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        (STEPS, spec("units: 2, activation: softmax", "log_likelihood", HIDDEN)),
        (STEPS, spec("units: 2, activation: softmax", "{type: log_likelihood, class_weights: [1, 3]}", HIDDEN)),
        (STEPS, spec("units: 1, activation: sigmoid", "cross_entropy", HIDDEN)),
        (STEPS, spec("units: 2, activation: tanh", "mse", HIDDEN)),
        (replace(STEPS, weights_shape=()), spec("units: 2, activation: softmax", "log_likelihood", HIDDEN)),
        (replace(STEPS, ignores=False), spec("units: 2", "quadratic", HIDDEN)),
        (POINTS, spec("units: 2, activation: softmax", "log_likelihood", more="regularizer: {type: l2, strength: 1}")),
        (VALUES, spec("units: 2", "quadratic")),
    ],
)
def test_gradients_are_the_numeric_ones(signature: DataSignature, text: Any) -> None:
    check = GradientCheck(text, signature, batch=5)
    assert check.objective > 0.0
    results = list(check.run(samples=None))
    assert results
    assert {result.verdict for result in results} == {"PASS"}


def test_a_net_without_weights_has_no_trace_of_them() -> None:
    text = spec("units: 2, activation: softmax", "log_likelihood")
    plain = render(Network(text, replace(POINTS, weights_shape=None, ignores=False)).training_step)
    weighed = render(Network(text, POINTS).training_step)
    for name in ("data.weights", "data.counted"):
        assert name in weighed
        assert name not in plain
    assert "where" not in plain


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.components("metric")
    monkeypatch.setattr(registry, "_registry", {kind: dict(known) for kind, known in registry._registry.items()})

    @register("metric", "answered_a")
    class AnsweredA(Metric):
        """How often the first class is answered."""

        def build(self, builder: Any, output: Any, target: Any) -> Any:
            return {"": builder.apply("sum", output, axes=(0, 1))}

    @register("metric", "each_output")
    class EachOutput(Metric):
        """Outputs of all examples."""

        def build(self, builder: Any, output: Any, target: Any) -> Any:
            return {"outputs": builder.apply("reshape", output, shape=(4 * output.shape[0], 2))}

    @register("cost", "of_sequences")
    class OfSequences(Cost):
        """One number a sequence."""

        def build(self, builder: Any, output: Any, target: Any) -> Any:
            return builder.apply("sum", output, axes=(1, 2)), None


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize(
    ("cost", "metrics", "words"),
    [
        ("log_likelihood", "answered_a", "answered_a cannot leave labels out"),
        ("of_sequences", "each_output", "this cost is one number an example"),
    ],
)
def test_what_cannot_leave_labels_out_says_so(cost: str, metrics: str, words: str) -> None:
    text = spec("units: 2, activation: softmax", cost, HIDDEN, f"metrics: [{metrics}]")
    with pytest.raises(ShapeError, match=words):
        _ = Network(text, STEPS).evaluation
    _ = Network(text, replace(STEPS, weights_shape=None, ignores=False)).evaluation


@pytest.mark.usefixtures("third_party")
def test_a_metric_of_each_label_needs_to_know_nothing() -> None:
    text = spec("units: 2, activation: softmax", "log_likelihood", HIDDEN, "metrics: [each_output]")
    assert {"counted", "counted.each", "each_output/outputs"} <= Network(text, STEPS).evaluation.outputs.keys()
    bare = Network(replace(text, metrics=()), STEPS).evaluation.outputs
    assert "counted" in bare
    assert "counted.each" not in bare


def test_ridge_weighs_no_examples() -> None:
    text = spec("units: 2", "mse", "{type: dense, units: 3, frozen: true}", "optimizer: ridge")
    with pytest.raises(ShapeError, match="every example counts alike"):
        _ = HostGraphs(Network(text, VALUES)).readout
