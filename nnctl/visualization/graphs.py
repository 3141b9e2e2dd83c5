"""Graphs of nets: the layers and what leads from one to another, or every node of a differentiated step."""

from __future__ import annotations

import math
from collections import Counter

from nnctl.figures.figure import Box, Diagram
from nnctl.graph.ir import Node, Value
from nnctl.graph.network import Network
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.notation import render as formula
from nnctl.ops.shapes import show

MOST_BOXES = 250
"""Boxes of a diagram; of more, the first."""


def layers(network: Network, most: int = MOST_BOXES) -> Diagram:
    """The layers of a net as boxes, with their output's shape and their parameters; the input first, the cost last."""
    structure, spec = network.structure, network.spec
    parameters = Counter[str]()
    for parameter in structure.parameters.values():
        parameters[parameter.layer.partition(".")[0]] += math.prod(parameter.shape)
    boxes = [Box("input", (show(structure.layers[0].input_shape),), 0)]
    numbers = {"input": 0}
    arrows: list[tuple[int, int]] = []
    for built, layer in zip(structure.layers, spec.layers):
        count = parameters[built.path]
        said = f"{count:,} parameters" + (", frozen" if layer.frozen else "") if count else "no parameters"
        kind = () if built.path.startswith(built.type) else (built.type,)
        number = len(boxes)
        sources = [number - 1] if layer.inputs is None else [numbers[name] for name in layer.inputs]
        arrows += [(source, number) for source in dict.fromkeys(sources)]
        boxes.append(Box(built.path, (*kind, show(built.output_shape), said), 1 if count else 2))
        numbers[built.path] = number
    boxes.append(Box(f"cost: {spec.cost.type}", (), 3))
    arrows.append((len(boxes) - 2, len(boxes) - 1))
    total = f"{len(structure.layers):,} layers, {sum(parameters.values()):,} parameters"
    return _bounded(Diagram(total, tuple(boxes), tuple(arrows)), most, "layers")


def whole(network: Network, step: str = "train", most: int = MOST_BOXES) -> Diagram:
    """Every node of a step as a box: the textbook's forward pass and, of training, the backward pass and the update.

    A box has the name of what it computes, its formula or op, and its shape. step: one of `nnctl.graph.network.STEPS`.
    """
    graph = network.textbook(step)
    boxes: list[Box] = []
    numbers: dict[Value, int] = {}
    arrows: list[tuple[int, int]] = []
    backward: set[Value] = set()
    updated = {new: old for old, new in graph.updates.items()}

    def known(value: Value) -> int:
        if value not in numbers:
            numbers[value] = len(boxes)
            kind = 1 if value.role in ("parameter", "optimizer state", "state") else 0
            boxes.append(Box(value.name, (value.role, str(value.type)), kind))
        return numbers[value]

    for node in graph.nodes:
        sources = [known(value) for value in dict.fromkeys(node.inputs)]
        number = len(boxes)
        old = next((updated[output] for output in node.outputs if output in updated), None)
        if any(v.name.startswith("∂") for v in node.outputs) or not backward.isdisjoint(node.inputs):
            # What is made of gradients, as by clipping, is theirs.
            backward |= set(node.outputs)
        kind = 4 if old is not None else 3 if node.outputs[0] in backward else 2
        names = ", ".join(output.name for output in node.outputs)
        boxes.append(Box(names if old is None else f"{old.name} ←", (_said(node), str(node.outputs[0].type)), kind))
        numbers |= dict.fromkeys(node.outputs, number)
        arrows += [(source, number) for source in sources]
    title = f"{graph.name}: {len(graph.nodes):,} nodes"
    kinds = ("data", "parameters and state", "forward", "gradients", "updates")
    return _bounded(Diagram(title, tuple(boxes), tuple(arrows), kinds), most, "boxes")


def _said(node: Node) -> str:
    if isinstance(node.op, ElementwiseOp) and len(node.op.expression.lines) <= 4:
        return formula(node.op.expression, [value.name.rpartition(".")[2] for value in node.inputs])
    return node.op.name


def _bounded(figure: Diagram, most: int, what: str) -> Diagram:
    """The first boxes of a diagram; where that are not all, its title says so."""
    count = len(figure.boxes)
    if count <= most:
        return figure
    arrows = tuple((start, end) for start, end in figure.arrows if end < most)
    title = f"{figure.title}; the first {most:,} of {count:,} {what}"
    return Diagram(title, figure.boxes[:most], arrows, figure.kinds)
