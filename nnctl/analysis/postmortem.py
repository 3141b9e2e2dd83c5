"""After a cost that is not a number: which tensor stopped being finite first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.engine.chunks import PlacedExamples
from nnctl.engine.engine import Engine
from nnctl.graph import interface
from nnctl.graph.evaluate import evaluate
from nnctl.graph.ir import Graph, Node, Value
from nnctl.plan.dtypes import REAL


def post_mortem(
    engine: Engine, examples: PlacedExamples, indices: NDArray[Any], scheduled: Mapping[str, float], step: int
) -> str:
    """Words on the first tensor of a training step that is not finite: its layer, name, where, how many.

    indices: rows (batch,) of the examples. The engine's state is that before the step.
    """
    feeds: dict[str, Any] = {interface.INDEX: indices, interface.STEP: step, **scheduled}
    return first_non_finite(engine.network.unfused_training_step, engine.storage_on_host(examples), feeds, step)


def first_non_finite(graph: Graph, storage: Mapping[str, NDArray[Any]], feeds: Mapping[str, Any], step: int) -> str:
    """Run the step's graph up to its guard, value by value, and say where it broke.

    storage: parameters, data and the like, as they were before the step.
    """
    sizes = interface.sizes(len(feeds[interface.INDEX]))
    for computed in evaluate(graph, {**storage, **feeds}, sizes, REAL):
        value, node = computed.value, computed.node
        if value.role != "data" and not computed.finite:
            what = f"the {value.role} {value.name}" if node is None else _node(node, value)
            return _words(what, "before" if node is None else "at", step, computed.array)
        if value is graph.guard:
            break
    return f"the cost is not finite at step {step}, and each tensor computed again by itself is finite"


def non_finite(state: Mapping[str, NDArray[Any]], step: int) -> str | None:
    """Words on the first array of an engine's state that is not finite after so many steps; None where all are.

    Squares that an optimizer keeps of large gradients become infinite before any cost does, and
    what is divided by infinity moves no more.
    """
    for name, array in state.items():
        # The sum of squares is soon there, and where it is finite so is each of them.
        if not math.isfinite(np.vdot(array, array)) and not np.all(np.isfinite(array)):
            squared = interface.layer_of(name) is None
            why = "\n  a gradient, or its square, is beyond the largest number, 3.4e38" if squared else ""
            return _words(name, "after", step, array) + why
    return None


def _node(node: Node, value: Value) -> str:
    where = f" in layer {node.layer}" if node.layer else ""
    return f"{value.name} (the output of {node.op.name}{where})"


def _words(what: str, when: str, step: int, array: NDArray[Any]) -> str:
    broken = ~np.isfinite(array)
    first = tuple(int(i) for i in np.argwhere(broken)[0])
    return (
        f"{what} is not finite {when} step {step}: {int(broken.sum())} of {array.size} values, "
        f"the first is {array[first]} at {list(first)}"
    )
