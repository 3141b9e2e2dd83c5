"""Diagrams of nets: every layer and every node has its box, and arrows lead from what is read to what reads it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from nnctl.figures.figure import Box, Diagram
from nnctl.figures.layered import layered
from nnctl.figures.svg import svg_of
from nnctl.graph.network import STEPS, Network
from nnctl.spec.load import load_text
from nnctl.visualization import graphs

SPEC = """
data: {type: moons, examples: 40}
layers:
  - {type: dense, units: 3, activation: tanh, name: left}
  - {type: dense, units: 3, activation: tanh, name: right, inputs: [input]}
  - {type: add, inputs: [left, right]}
  - {type: dense, units: 2, activation: softmax, frozen: true}
cost: log_likelihood
"""


@pytest.fixture(scope="module")
def network() -> Network:
    loaded = load_text(SPEC, "s.yaml")
    return Network(loaded.spec, loaded.spec.data.signature(loaded.folder, 0))


def test_layers_are_boxes_with_their_shapes_and_parameters(network: Network) -> None:
    figure = graphs.layers(network)
    assert [box.name for box in figure.boxes] == ["input", "left", "right", "add1", "dense1", "cost: log_likelihood"]
    assert figure.boxes[1].lines == ("dense", "(batch, 3)", "9 parameters")
    assert figure.boxes[4].lines == ("(batch, 2)", "8 parameters, frozen")
    assert figure.arrows == ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (4, 5))
    assert figure.title == "4 layers, 26 parameters"


@pytest.mark.parametrize("step", STEPS)
def test_steps_are_drawn_as_a_textbook_has_them_not_as_they_run(network: Network, step: str) -> None:
    assert len(network.textbook(step).nodes) > len(network.fused(step).nodes)
    drawn = {box.name for box in graphs.whole(network, step).boxes}
    assert {_name(network.textbook(step), node) for node in network.textbook(step).nodes} <= drawn


def test_every_node_of_the_step_is_a_box_behind_those_that_it_reads(network: Network) -> None:
    graph = network.unfused_training_step
    figure = graphs.whole(network)
    names = [box.name for box in figure.boxes]
    assert sorted(names) == sorted(
        [value.name for value in graph.inputs if any(value in node.inputs for node in graph.nodes)]
        + [_name(graph, node) for node in graph.nodes]
    )
    assert all(start < end for start, end in figure.arrows)
    arrows = {(figure.boxes[start].name, figure.boxes[end].name) for start, end in figure.arrows}
    producers = graph.producers
    expected = {
        (_name(graph, producers[value]) if value in producers else value.name, _name(graph, node))
        for node in graph.nodes
        for value in node.inputs
    }
    assert arrows == expected
    assert "∂C/∂left.z" in names
    assert names.count("left.weight ←") == 1
    assert len(graphs.whole(network, "predict").boxes) < len(names)


def _name(graph, node):
    old = next((old for old, new in graph.updates.items() if new in node.outputs), None)
    return ", ".join(value.name for value in node.outputs) if old is None else f"{old.name} ←"


def test_a_large_graph_is_drawn_in_part_and_its_title_says_so(network: Network) -> None:
    figure = graphs.whole(network, most=10)
    assert len(figure.boxes) == 10
    assert "the first 10 of " in figure.title
    assert all(end < 10 for _, end in figure.arrows)
    assert "the first 3 of 6 layers" in graphs.layers(network, most=3).title
    assert ElementTree.fromstring(svg_of(graphs.whole(network), alone=True)).tag.endswith("svg")


def test_boxes_of_a_rank_stand_apart_and_below_what_leads_to_them(network: Network) -> None:
    figure = graphs.whole(network)
    sizes = [(60.0 + 7 * (n % 5), 30.0) for n in range(len(figure.boxes))]
    layout = layered(sizes, figure.arrows)
    for start, end in figure.arrows:
        assert layout.boxes[start][1] + 30 < layout.boxes[end][1]
    corners = sorted(zip(layout.boxes, sizes), key=lambda each: (each[0][1], each[0][0]))
    for ((x, y), (width, _)), ((to, down), _) in pairwise(corners):
        assert y != down or x + width < to
    assert min(x for x, _ in layout.boxes) >= 0
    assert max(x + w for (x, _), (w, _) in zip(layout.boxes, sizes)) <= layout.width + 1e-9
    assert len(layout.edges) == len(figure.arrows)


def test_edges_that_need_not_cross_do_not() -> None:
    # Two chains whose ends are given in the opposite order.
    edges = [(0, 3), (1, 2), (2, 5), (3, 4)]
    layout = layered([(10.0, 10.0)] * 6, edges)
    x = [place[0] for place in layout.boxes]
    assert (x[0] < x[1]) == (x[3] < x[2]) == (x[4] < x[5])
    # What is joined by nothing else stands above one another.
    assert x[0] == pytest.approx(x[3])
    assert layered([], []).boxes == ()
    with pytest.raises(ValueError, match="larger number"):
        layered([(1.0, 1.0)] * 2, [(1, 0)])


def test_hostile_names_stay_within_their_box() -> None:
    name = '<b>\x1b[31m"' + "x" * 5000
    text = svg_of(Diagram(name, (Box(name, (name,)), Box("b")), ((0, 1),), (name,)), alone=True)
    ElementTree.fromstring(text)
    assert len(text) < 5000
    assert "\x1b" not in text
