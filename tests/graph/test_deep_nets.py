"""What compiling costs grows with the net, not with its square: thousands of layers are a matter of seconds."""

from __future__ import annotations

import pytest
from work import grows_evenly

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


@pytest.mark.slow
@pytest.mark.parametrize("many", ["listed", "repeated"])
@pytest.mark.parametrize("layer", KINDS.values(), ids=KINDS)
def test_a_layer_costs_as_much_in_a_deep_net_as_in_a_shallow_one(layer: str, many: str) -> None:
    def compile_layers(count: int) -> None:
        listed = "\n".join(f"  - {layer}" for _ in range(count))
        repeated = f"  - {{type: repeat, times: {count}, layers: [{layer}]}}"
        layers = f"layers:\n{listed if many == 'listed' else repeated}\n  - {{type: dense, units: 4}}\n"
        rows = summarize(Network(net(f"{layers}cost: quadratic\n"), POINTS), 32)
        assert len(rows) == (count if many == "listed" else 1) + 2

    assert grows_evenly(compile_layers, 5, 60)
