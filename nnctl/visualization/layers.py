"""Layers of a trained net at work: what each answers to examples, computed on the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.graph import interface
from nnctl.graph.evaluate import evaluate
from nnctl.graph.ir import Graph
from nnctl.graph.layers import build_layers, builder_of
from nnctl.graph.tensor import Tensor
from nnctl.inference.opened import TrainedRun
from nnctl.late import dataclass


@dataclass(frozen=True, eq=False)
class Answer:
    """A layer's answer: its path, its type, and its values (n, …)."""

    path: str
    type: str
    values: NDArray[np.float64]


def answers(run: TrainedRun, inputs: NDArray[Any]) -> list[Answer]:
    """The answers of every layer of the spec's list to raw inputs (n, …), in order; random layers are at rest."""
    network = run.engine.network
    builder = builder_of(network.spec, network.signature, "layers", training=False)
    seen: list[tuple[str, str, Tensor]] = []
    build_layers(
        builder, network.spec, network.signature, lambda path, kind, _, output: seen.append((path, kind, output))
    )
    values = computed(run, builder.graph({path: output for path, _, output in seen}), inputs)
    return [Answer(path, kind, values[path]) for path, kind, _ in seen]


def computed(
    run: TrainedRun, graph: Graph, inputs: NDArray[Any], more: Mapping[str, NDArray[Any]] | None = None
) -> dict[str, NDArray[np.float64]]:
    """The outputs of a graph by name, in float64, for raw inputs (n, …) and the weights of a run.

    more: arrays of other inputs of the graph, by name.
    """
    given: dict[str, NDArray[Any]] = {
        interface.INPUTS: inputs,
        interface.INDEX: np.arange(len(inputs), dtype=np.int64),
        **(more or {}),
    }
    given |= run.engine.read(value.name for value in graph.inputs if value.name not in given)
    wanted = set(graph.outputs.values())
    arrays = {
        each.value: each.array
        for each in evaluate(graph, given, interface.sizes(len(inputs), len(inputs)))
        if each.value in wanted
    }
    return {name: arrays[value] for name, value in graph.outputs.items()}
