"""Code of deep nets that is compiled while they are planned: a shallower net has the same launches."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from graph.nets import net

from nnctl.backends.cpu.codegen.source import generate
from nnctl.backends.cpu.component import Cpu
from nnctl.backends.cpu.schedule import lowered
from nnctl.components.signature import DataSignature
from nnctl.engine import ahead
from nnctl.engine.ahead import compile_ahead
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network

IMAGES = DataSignature((8, 8, 2), "real", ("a", "b", "c"))
STEPS = DataSignature((5, 3), "real", None, (5, 3))
SIZES = {"batch": 16, "rows": 48}
CONVOLUTION = "{type: conv2d, filters: 2, kernel: 3, padding: same, activation: relu}"
BLOCK = "{type: conv2d, filters: 2, kernel: 3, padding: same, bias: false}, batch_norm"
RESIDUAL = f"{{type: residual, layers: [{BLOCK}, {{type: activation, activation: relu}}, {BLOCK}]}}"
DROPOUT = "{type: dropout, rate: 0.5}"
DEEP = {
    "dense": (IMAGES, "flatten", "{type: dense, units: 4, activation: tanh}", "flatten"),
    "convolutions": (IMAGES, CONVOLUTION, CONVOLUTION, "flatten"),
    "residual": (IMAGES, CONVOLUTION, RESIDUAL, "global_average_pool"),
    "lstm": (STEPS, "{type: dense, units: 4}", "{type: lstm, units: 4, return_sequence: true}", DROPOUT),
}  # fmt: skip


def deep(name: str, times: int, optimizer: str = "sgd") -> Network:
    signature, *layers = DEEP[name]
    first, inner, last = layers
    listed = [first, f"{{type: repeat, times: {times}, layers: [{inner}]}}", last, "{type: dense, units: 3}"]
    text = "".join(f"  - {layer}\n" for layer in listed)
    return Network(net(f"layers:\n{text}cost: mse\noptimizer: {optimizer}\n"), signature)


@pytest.fixture
def asked(tmp_path, monkeypatch) -> list[tuple[Graph, Mapping[str, int]]]:
    """What a backend is asked to compile, of which everything is new."""
    found: list[tuple[Graph, Mapping[str, int]]] = []

    def note(self: Cpu, graph: Graph, sizes: Mapping[str, int], workers: int | None = None) -> bool:
        found.append((graph, sizes))
        return True

    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path))
    monkeypatch.setattr(Cpu, "compile_ahead", note)
    monkeypatch.setattr(ahead, "_DEEP", 22)
    monkeypatch.setattr(ahead, "_TIMES", 2)
    return found


@pytest.mark.parametrize("name", DEEP)
def test_a_shallower_net_has_all_kinds_of_launches_of_a_deep_one(name, asked):
    network = deep(name, 20)
    compile_ahead(network, 16, 48, "cpu", 2)
    ((graph, sizes),) = asked
    assert sizes == SIZES
    kinds = set(generate(lowered(network.training_step, SIZES)).kinds)
    assert len(graph.nodes) < len(network.training_step.nodes) / 2
    assert set(generate(lowered(graph, SIZES)).kinds) == kinds


def test_a_net_that_is_planned_soon_has_nothing_compiled_ahead(asked):
    compile_ahead(deep("dense", 16), 16, 48, "cpu", 2)
    assert not asked


def test_a_net_without_copies_is_planned_once(asked):
    listed = "".join("  - {type: dense, units: 4}\n" for _ in range(30))
    network = Network(net(f"layers:\n{listed}cost: mse\n"), DataSignature((4,), "real", None, (4,)))
    compile_ahead(network, 16, 48, "cpu", 2)
    assert not asked


def test_a_net_whose_steps_the_host_makes_has_nothing_compiled_ahead(asked):
    compile_ahead(deep("dense", 20, "lbfgs"), 16, 48, "cpu", 2)
    assert not asked


def test_a_net_that_is_none_with_fewer_layers_has_nothing_compiled_ahead(asked):
    valid = "{type: conv1d, filters: 2, kernel: 2}"
    layers = f"  - {{type: repeat, times: 20, layers: [{valid}]}}\n  - {{type: reshape, shape: [2, 2]}}\n"
    text = f"layers:\n{layers}  - flatten\n  - {{type: dense, units: 3}}\ncost: mse\n"
    network = Network(net(text), DataSignature((22, 2), "real", None, (3,)))
    compile_ahead(network, 16, 48, "cpu", 2)
    assert not asked
    assert network.training_step.nodes


def test_a_net_whose_code_is_there_is_remembered(asked, monkeypatch):
    compile_ahead(deep("dense", 20), 16, 48, "cpu", 2)
    compile_ahead(deep("dense", 20), 16, 48, "cpu", 2)
    assert len(asked) == 2

    def nothing_new(self: Cpu, graph: Graph, sizes: Mapping[str, int], workers: int | None = None) -> bool:
        asked.append((graph, sizes))
        return False

    monkeypatch.setattr(Cpu, "compile_ahead", nothing_new)
    compile_ahead(deep("dense", 20), 16, 48, "cpu", 2)
    compile_ahead(deep("dense", 20), 16, 48, "cpu", 2)
    assert len(asked) == 3
    compile_ahead(deep("dense", 21), 16, 48, "cpu", 2)
    assert len(asked) == 4
