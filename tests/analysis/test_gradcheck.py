"""The gradient check itself: it finds a derivative that is a little wrong, and takes rounding for no defect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from nnctl.analysis.gradcheck import GradientCheck, Method, ParameterCheck
from nnctl.components.activations import Tanh
from nnctl.graph import formulas
from nnctl.spec.load import load_text

Plant: TypeAlias = Callable[[Callable[[Any, Any], Any]], None]

NET = """
data: {{type: blobs, features: 4}}
layers:
{layers}
  - {{type: dense, units: 3, activation: softmax}}
cost: log_likelihood
"""
SLOPES = [{"type": "dense", "units": 5, "activation": "tanh"}]
CANCELLED = [
    {"type": "dense", "units": 8, "activation": {"type": "hard_sigmoid", "slope": 0.1}},
    {"type": "batch_norm"},
    {"type": "dense", "units": 6, "activation": {"type": "leaky_relu", "slope": 0.9}},
    {"type": "batch_norm", "scale": False},
]
"""Biases whose effect the normalization behind them takes away: of each unit, or of those on one side of a kink."""


def check(layers: list[dict[str, Any]], method: Method = "complex", batch: int = 8) -> list[ParameterCheck]:
    text = NET.format(layers="\n".join(f"  - {layer}".replace("False", "false") for layer in layers))
    loaded = load_text(text)
    signature = loaded.spec.data.signature(loaded.folder, 0)
    return list(GradientCheck(loaded.spec, signature, batch=batch).run(method=method))


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Give tanh another derivative, which is a factor of the right one: factor(xp, z). What was traced is forgotten."""
    right = Tanh.derivative

    def plant(factor: Callable[[Any, Any], Any]) -> None:
        monkeypatch.setattr(formulas, "_formulas", {})
        monkeypatch.setattr(formulas, "_of_components", {})
        monkeypatch.setattr(Tanh, "derivative", lambda self, xp, z, a: factor(xp, z) * right(self, xp, z, a))

    return plant


@pytest.mark.parametrize(("method", "share"), [("complex", 1e-8), ("central", 1e-3)])
def test_a_derivative_that_is_a_little_wrong_fails(method: Method, share: float, planted: Plant) -> None:
    assert {result.verdict for result in check(SLOPES, method)} == {"PASS"}
    planted(lambda xp, z: 1.0 + share)
    verdicts = {result.parameter: result.verdict for result in check(SLOPES, method)}
    assert verdicts == {
        "dense1.weight": "FAIL",
        "dense1.bias": "FAIL",
        "dense2.weight": "PASS",
        "dense2.bias": "PASS",
    }


@pytest.mark.parametrize("method", ["complex", "central"])
@pytest.mark.parametrize("batch", [5, 8, 33])
def test_derivatives_that_cancel_to_0_pass(method: Method, batch: int) -> None:
    results = check(CANCELLED, method, batch)
    assert [result.parameter for result in results if result.verdict == "FAIL"] == []
    bias = next(result for result in results if result.parameter == "dense1.bias")
    assert abs(bias.analytic) < 1e-12


def test_a_wrong_derivative_in_front_of_a_normalization_fails(
    planted: Plant,
) -> None:
    planted(lambda xp, z: 1.0 + 1e-7 * z)
    results = check([*SLOPES, {"type": "batch_norm"}])
    assert [result.parameter for result in results if result.verdict == "FAIL"] == ["dense1.weight", "dense1.bias"]
