"""What compiling costs grows with the net, not with its square: thousands of layers are a matter of seconds."""

from __future__ import annotations

import time

import pytest

from graph.nets import net
from nnctl.components.signature import DataSignature
from nnctl.graph.network import Network
from nnctl.plan.summary import summarize

POINTS = DataSignature((4,), "real", None, (4,))

KINDS = {
    "dense": "{type: dense, units: 4, activation: tanh}",
    "activations": "{type: activation, activation: tanh}",
    "residual": "{type: residual, layers: [{type: dense, units: 4, activation: sigmoid}]}",
    "normalized": "batch_norm",
}


def seconds(layer: str, count: int, many: str) -> float:
    listed = "\n".join(f"  - {layer}" for _ in range(count))
    repeated = f"  - {{type: repeat, times: {count}, layers: [{layer}]}}"
    spec = net(f"layers:\n{listed if many == 'listed' else repeated}\n  - {{type: dense, units: 4}}\ncost: quadratic\n")
    started = time.process_time()
    rows = summarize(Network(spec, POINTS), 32)
    assert len(rows) == (count if many == "listed" else 1) + 2
    return time.process_time() - started


@pytest.mark.slow
@pytest.mark.parametrize("many", ["listed", "repeated"])
@pytest.mark.parametrize("layer", KINDS.values(), ids=KINDS)
def test_ten_times_the_layers_cost_about_ten_times_as_much(layer, many):
    seconds(layer, 20, many)
    few, ten_times = min(seconds(layer, 50, many) for _ in range(3)), seconds(layer, 500, many)
    # A square would be a hundred times.
    assert ten_times < 30 * few
