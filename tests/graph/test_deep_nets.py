"""What compiling costs grows with the net, not with its square: thousands of layers are a matter of seconds."""

from __future__ import annotations

import pytest
from work import grows_evenly

from graph.nets import net
from nnctl.backends.cpu.codegen.source import generate
from nnctl.backends.cpu.schedule import lowered
from nnctl.components.signature import DataSignature
from nnctl.graph.network import Network
from nnctl.plan.summary import summarize

POINTS = DataSignature((4,), "real", None, (4,))

IMAGES = DataSignature((8, 8, 2), "real", ("a", "b", "c"))

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


def of_convolutions(count: int, norm: str = "") -> Network:
    inner = f"{{type: conv2d, filters: 2, kernel: 3, padding: same}}, {norm}{{type: activation, activation: relu}}"
    repeated = f"  - {{type: repeat, times: {count}, layers: [{{type: residual, layers: [{inner}]}}]}}\n"
    last = "  - flatten\n  - {type: dense, units: 3}\n  - {type: activation, activation: softmax}\n"
    return Network(net(f"layers:\n{repeated}{last}cost: log_likelihood\n"), IMAGES)


@pytest.mark.parametrize("norm", ["", "batch_norm, "], ids=["convolutions", "normalized"])
def test_deep_nets_of_convolutions_are_planned_and_written_layer_by_layer(norm: str) -> None:
    def compile_layers(count: int) -> None:
        generate(lowered(of_convolutions(count, norm).training_step, {"batch": 16, "rows": 48}))

    assert grows_evenly(compile_layers, 5, 60)


def test_a_deep_net_is_evaluated_in_the_memory_of_a_shallow_one() -> None:
    few, many = (lowered(of_convolutions(count).evaluation, {"batch": 16, "rows": 48}) for count in (3, 30))
    assert many.arena_bytes == few.arena_bytes


def test_training_keeps_no_more_of_a_layer_than_its_gradient_needs() -> None:
    """Of an image: the layer's output, and the gradient by its sum, until the kernel's is known behind a barrier."""
    few, many = (lowered(of_convolutions(count).training_step, {"batch": 16, "rows": 48}) for count in (3, 30))
    assert many.arena_bytes - few.arena_bytes < 27 * 2.1 * (16 * 8 * 8 * 2 * 4)
