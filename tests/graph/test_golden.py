"""The graphs of two small nets, as `nnctl inspect` prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.golden_text import assert_golden
from graph.nets import net
from nnctl.components.signature import DataSignature
from nnctl.graph.network import Network
from nnctl.graph.render import render

GOLDEN = Path(__file__).parent / "golden"

TEXTBOOK = net("""
layers:
  - {type: dense, units: 3, activation: sigmoid}
  - {type: dense, units: 2, activation: sigmoid}
cost: quadratic
""")
"""Where a student looks for the four equations of backpropagation."""

MODERN = net("""
layers:
  - flatten
  - {type: dense, units: 4, activation: relu}
  - {type: dropout, rate: 0.5}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
regularizer: {type: l2, strength: 0.1}
optimizer: {type: adam, clip: {type: global_norm, limit: 1.0}}
""")

POINTS = DataSignature((4,), "real", None, (2,))
IMAGES = DataSignature((2, 2, 1), "uint8", ("a", "b", "c"), (), ())


@pytest.mark.parametrize(
    ("name", "spec", "signature", "graph"),
    [
        ("textbook", TEXTBOOK, POINTS, "unfused_training_step"),
        ("textbook_fused", TEXTBOOK, POINTS, "training_step"),
        ("modern", MODERN, IMAGES, "unfused_training_step"),
        ("modern_fused", MODERN, IMAGES, "training_step"),
        ("modern_evaluation", MODERN, IMAGES, "evaluation"),
        ("modern_prediction", MODERN, IMAGES, "prediction"),
    ],
)
def test_golden_graphs(name, spec, signature, graph):
    assert_golden(render(getattr(Network(spec, signature), graph)), GOLDEN / f"{name}.txt")
